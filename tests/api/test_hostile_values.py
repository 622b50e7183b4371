"""Nothing that arrives ends in a 500 or an INTERNAL: hostile values at every position that takes a plain value, by literal and by variable.

A run takes two values for each position and two more by chance; with AUDIENCE_FUZZ_LONG=1, all of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from graphql import get_named_type, is_leaf_type

from audience_gql.api.context import Context
from audience_gql.api.operations.operation_requests import OperationRefused
from audience_gql.api.transport.streaming.messages import Malformed, Subscribe, parse
from audience_gql.api.transport.streaming.sockets import Sockets
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from audience_gql.audience.budgets import Budgets
from tests.api.conftest import web_client
from tests.api.positions import Position, Token, as_json, positions
from tests.api.test_input_words import FOREIGN
from tests.api.test_socket_crowd import Wire

SEED = int(os.environ.get("AUDIENCE_FUZZ_SEED", "13"))
IS_LONG = bool(os.environ.get("AUDIENCE_FUZZ_LONG"))
ALWAYS = ["NUL within", "4,301 digits"]
BY_CHANCE = 2
CPU_SECONDS = 1.0
NEVER = {"INTERNAL", "TIMEOUT", "UNAVAILABLE", ""}

TEXTS = {
    "NUL": "\\u0000", "NUL within": "a\\u0000b", "half a pair": "\\ud800", "the other half": "x\\udc00",
    "a control of direction": "\\u202eabc\\u2066", "a mark of byte order": "\\ufeff", "zero width": "a\\u200bb",
    "no character": "\\uffff", "many accents": "e" + "\\u0301" * 500, "blank": " ", "empty": "", "a line break": "a\\nb",
    "a quote": "'; DROP TABLE subscribers; --", "percent": "%_\\\\%", "digits of another script": "\\uff12\\uff10\\uff12\\uff16-01-01",
    "a day that is not": "2026-02-30", "a late instant": "9999-12-31T23:59:59-14:00", "a leap second": "2016-12-31T23:59:60Z",
    "an id of nothing": "seg_", "an id of much": "sub_" + "_" * 40, "an id that is none": "evt_////////", "a long text": "x" * 3_000,
    "a large number as text": "9" * 5_000,
}  # fmt: skip
NUMBERS = {
    "4,301 digits": "9" * 4_301, "5,001 digits": "1" + "0" * 5_000, "64 bits": str(2**63), "below 64 bits": str(-(2**63) - 1),
    "32 bits": str(2**31), "too large": "1e400", "too small": "1e-400", "almost nothing": "5e-324", "minus nothing": "-0.0",
    "many digits": "0.1000000000000000055511151231257827", "a half": "0.5", "a huge exponent": "1e99999999999",
}  # fmt: skip
BY_LITERAL = {
    **{name: f'"{text}"' for name, text in TEXTS.items()},
    **NUMBERS,
    "NaN": "NaN", "Infinity": "-Infinity", "a word": "NOPE", "true": "true", "null": "null", "a list": "[]", "an object": "{}",
    "an unknown field": "{a: 1}", "deep lists": "[" * 60 + "]" * 60, "deep objects": "{a: " * 60 + "1" + "}" * 60, "too deep": "[" * 100 + "]" * 100,
    "a block": '"""\n  \\u0000\n"""', "a megabyte": f'"{"x" * 900_000}"',
}  # fmt: skip
BY_VARIABLE = {
    **{name: f'"{text}"' for name, text in TEXTS.items()},
    **NUMBERS,
    "NaN": "NaN", "Infinity": "-Infinity", "a word": '"NOPE"', "true": "true", "null": "null", "a list": "[]", "an object": "{}",
    "an unknown field": '{"a": 1}', "deep lists": "[" * 50 + "]" * 50, "deep objects": '{"a":' * 50 + "1" + "}" * 50,
    "too deep": "[" * 100 + "]" * 100, "a megabyte": f'"{"x" * 900_000}"',
}  # fmt: skip


def requests(schema) -> list[tuple[str, Position, str]]:
    """What is sent: a name to tell it by, where, and the body as JSON."""
    chance = random.Random(SEED)
    found = []
    for position in positions(schema._schema):
        if not is_leaf_type(get_named_type(position.type)):
            continue
        for way, values in (("literal", BY_LITERAL), ("variable", BY_VARIABLE)):
            names = list(values) if IS_LONG else [*ALWAYS, *chance.sample(sorted(values), BY_CHANCE)]
            for name in names:
                token = Token(values[name])
                if way == "literal":
                    body = json.dumps({"query": position.by_literal(token)})
                else:
                    query = json.dumps(position.by_variable())
                    body = f'{{"query": {query}, "variables": {{"value": {as_json(position.value(token))}}}}}'
                found.append((f"{position} {way} {name}", position, body))
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def web(api) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a budget of points, because a document of a megabyte costs thousands."""
    unlimited = replace(api, services=replace(api.services, budgets=Budgets(most=0, per_second=1)))
    async with web_client(unlimited) as client:
        yield client


@pytest.mark.slow
async def test_over_http(api, web, capsys):
    sent: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    wrong, dearest = [], 0.0
    for name, position, body in requests(api.schema):
        if position.operation == "subscription":
            continue
        started = time.process_time()
        response = await web.post(
            "/graphql", content=body.encode(), headers={"content-type": "application/json"}
        )
        seconds = time.process_time() - started
        dearest = max(dearest, seconds)
        sent[position.operation] += 1
        if problem := misfit(response, codes):
            wrong.append(f"{name}: {problem}")
        if seconds > CPU_SECONDS:
            wrong.append(f"{name}: {seconds:.1f} s")

    with capsys.disabled():
        print(
            f"\nseed {SEED}: {dict(sent)} sent; told {dict(codes)}; the dearest took {dearest:.2f} s of CPU"
        )
    assert wrong == []
    assert sent.total() > 1_500


def misfit(response: httpx.Response, codes: Counter[str]) -> str | None:
    """What is not as it should be with an answer."""
    if response.status_code not in (200, 400, 413):
        return f"{response.status_code} {response.text[:300]}"
    try:
        body = response.json()
    except ValueError:
        return f"no JSON: {response.text[:300]}"
    return misfit_of(body, codes)


def misfit_of(body: dict[str, Any], codes: Counter[str]) -> str | None:
    told = [(error.get("extensions") or {}).get("code", "") for error in body.get("errors", ())]
    codes.update(told or ["data"])
    if NEVER & set(told):
        return f"told {body['errors']}"[:500]
    text = json.dumps(body)
    if len(text) > 20_000:
        return f"{len(text)} characters of answer"
    foreign = FOREIGN.search(text)
    return (
        f"foreign {foreign[0]}: {text[max(0, foreign.start() - 200) : foreign.end() + 100]}"
        if foreign
        else None
    )


async def test_subscriptions(api, capsys):
    """Through the door that sockets and streams share: the first result, or why there is none."""
    codes: Counter[str] = Counter()
    wrong, sent = [], 0
    subscriptions = Subscriptions(api.schema, api.services)
    for name, position, body in requests(api.schema):
        if position.operation != "subscription":
            continue
        sent += 1
        try:
            message = parse(f'{{"id": "1", "type": "subscribe", "payload": {body}}}')
        except Malformed as malformed:  # it closes the socket
            codes[type(malformed).__name__] += 1
            continue
        assert isinstance(message, Subscribe)
        context = Context(api.services, api.access)
        waits = "automationRuns" in str(body)  # if nothing is wrong, it tells nothing until there is a run
        try:
            async with (
                aclosing(subscriptions.run(message.request, context)) as results,
                asyncio.timeout(0.5 if waits else 5),
            ):
                told = json.loads((await anext(results)).text)
        except OperationRefused as refused:
            told = {"errors": [error.formatted for error in refused.errors]}
        except TimeoutError:
            assert waits, name
            codes["nothing yet"] += 1
            continue
        if problem := misfit_of(told, codes):
            wrong.append(f"{name}: {problem}")

    with capsys.disabled():
        print(f"\nseed {SEED}: {sent} sent; told {dict(codes)}")
    assert wrong == []
    assert sent > 40


async def test_a_sample_over_a_websocket_and_a_stream(api, web):
    """The typed answer of the same values, and the operation's id is free at once."""
    chance = random.Random(SEED)
    sample = [it for it in requests(api.schema) if it[1].operation == "query" and len(it[2]) < 100_000]
    async with Sockets(Subscriptions(api.schema, api.services), api.services).running() as sockets:
        wire = await Wire.enter(sockets, await api.token())
        for name, _, body in chance.sample(sample, 60):
            try:
                parse(f'{{"id": "1", "type": "subscribe", "payload": {body}}}')
            except Malformed:  # it closes the socket
                continue
            wire.heard.put_nowait(
                {
                    "type": "websocket.receive",
                    "text": f'{{"id": "1", "type": "subscribe", "payload": {body}}}',
                }
            )
            told = json.loads((await asyncio.wait_for(wire.sent.get(), 5))["text"])
            if told["type"] == "next":
                assert json.loads((await asyncio.wait_for(wire.sent.get(), 5))["text"])["type"] == "complete"
                told = told["payload"]
            else:
                assert told["type"] == "error"
                told = {"errors": told["payload"]}
            assert misfit_of(told, Counter()) is None, name
        wire.go()
        await wire.task
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    for name, _, body in chance.sample(sample, 60):
        response = await web.post("/graphql", content=body.encode(), headers=headers)
        assert response.status_code in (200, 400), name
        text = response.text
        if response.headers["content-type"].startswith("text/event-stream"):
            (text,) = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
        assert misfit_of(json.loads(text), Counter()) is None, name
