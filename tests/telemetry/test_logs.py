"""The logs of all processes name requests, tokens and workspaces, and contain nothing that a client has sent.

The whole product runs at level DEBUG. Distinctive values go in by every door, also where they are refused, and where the database fails.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from websockets import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from audience_gql.telemetry.failures import as_text, described
from audience_gql.telemetry.logs import write_logs
from tests.api.test_forgotten import (
    ADA,
    CANARIES,
    TRACK,
    UPSERT,
    Asking,
    refuse_it_everywhere,
    say_it_everywhere,
)
from tests.api.test_socket import PROTOCOL
from tests.telemetry.conftest import Observed

VALUE = "canary"
FOUND = [*CANARIES, "canari"]
GROUP = 'mutation { createGroup(input: {name: "Canary friends"}) { __typename } }'
MEMBERS = """mutation { createSegment(input: {name: "Canary lovers", condition: {all: []}}) {
  __typename ... on UserError { message } } }"""
SEGMENT_STATE = '{ segment(by: {name: "Canary lovers"}) { state } }'
REFUSE_TICKS = """
CREATE FUNCTION refuse_birds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'a canary of %', NEW.subscriber_id USING DETAIL = 'Key (email)=(canary.mail@example.com)'; END $$;
CREATE TRIGGER refuse_birds BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_birds();
"""
ACCEPT_TICKS = "DROP FUNCTION refuse_birds CASCADE"
REFUSE_WRITES = (
    "ALTER TABLE subscribers ADD CONSTRAINT no_bird CHECK (first_name <> 'Canary Fault') NOT VALID"
)
ACCEPT_WRITES = "ALTER TABLE subscribers DROP CONSTRAINT no_bird"


def lines(observed: Observed, process: str) -> list[dict[str, Any]]:
    """The messages in the log of a process, each of which must be an object. A last one may not be written to its end yet."""
    text = (observed.product.folder / "state" / f"{process}.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


@asynccontextmanager
async def broken(observed: Observed, breaking: str, mending: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(observed.product.database_url)
    await connection.execute(breaking)
    try:
        yield
    finally:
        await connection.execute(mending)
        await connection.close()


async def said(observed: Observed, process: str, words: str) -> dict[str, Any]:
    """The first message of a process with these words, as soon as it is there."""
    for _ in range(300):
        for line in lines(observed, process):
            if words in line["event"] and line["level"] == "error":
                return line
        await asyncio.sleep(0.1)
    pytest.fail(f"{process} did not say {words!r}")


@pytest.mark.faults
@pytest.mark.one_server("breaks ticks with a trigger, which a distributed table cannot have")
async def test_no_log_contains_what_a_client_has_sent(observed: Observed):
    async with httpx.AsyncClient(base_url=observed.product.origin, timeout=30) as client:
        ask = Asking(observed.product, client)
        await say_it_everywhere(ask)
        await refuse_it_everywhere(ask)
        await _put_it_into_definitions(ask)
        await _put_it_into_requests(observed, client)
        await _put_it_into_sockets(observed)
        failed = await _fail_with_it(observed, client)
        await _fail_ticks_with_it(observed, ask)

    texts = {file: file.read_text(encoding="utf-8") for file in Path(observed.product.folder).rglob("*.log")}
    assert {file.name for file in texts} == {"up.log", "web.log", "worker.log"}
    leaks = [
        (file.name, line) for file, text in texts.items() for line in text.splitlines()
        if any(canary in line.lower() for canary in FOUND)
    ]  # fmt: skip
    assert leaks == []
    assert [raw for raw in observed.collector.raw if any(it.encode() in raw.lower() for it in FOUND)] == []
    web = await said(observed, "web", "error ")
    assert web["event"].split()[1] == failed["errorId"]
    assert web["event"].endswith(" at upsertSubscribers")
    assert web["request_id"] == "a-request-of-its-own"
    assert web["logger"] == "audience_gql.api.errors"
    assert web["timestamp"].endswith("Z")
    assert (web["workspace_id"] > 0, web["token_id"] > 0) == (True, True)
    assert web["exception"][0]["description"] == (
        "asyncpg.exceptions.CheckViolationError: SQLSTATE 23514 no_bird subscribers"
    )
    assert any("storage/" in frame for frame in web["exception"][0]["frames"])
    worker = await said(observed, "worker", "the tick of bucket")
    assert worker["workspace_id"] == web["workspace_id"]
    assert worker["exception"][0]["description"] == "asyncpg.exceptions.RaiseError: SQLSTATE P0001"
    assert any(line["level"] == "debug" for line in lines(observed, "web"))


async def _put_it_into_definitions(ask: Asking) -> None:
    for document in (GROUP, GROUP, MEMBERS, MEMBERS):
        await ask(document)
    await ask('{ segments(search: "canary friends") { totalCount } groups(search: "canary") { totalCount } }')
    await ask("query Bird($canary: String) { canary: segments(search: $canary) { canary } }", canary="canary")
    await ask(
        'mutation { createWebhookEndpoint(input: {name: "canary", url: "ftp://canary/"}) { __typename } }'
    )


async def _put_it_into_requests(observed: Observed, client: httpx.AsyncClient) -> None:
    good = {"authorization": f"Bearer {observed.product.token}"}
    for headers in (
        {"authorization": "Bearer agq_canary"},
        {"authorization": "Canary"},
        {**good, "user-agent": "Canary/1.0", "accept": "canary/canary", "x-request-id": "canary id"},
        {**good, "content-type": "text/canary", "traceparent": "canary", "cookie": "canary=canary"},
        {**good, "origin": "https://canary.example", "referer": "https://canary.example/canary"},
    ):
        await client.post("/graphql", content=b'{"query": "{ canary }"}', headers=headers)
    for body in (
        b'{"query": "{ canary',
        b'"canary"',
        b'{"query": {"canary": 1}}',
        b"\xff canary",
        b'{"query":"{canary","variables":"canary"}',
    ):
        await client.post("/graphql", content=body, headers={**good, "content-type": "application/json"})
    for path in (
        "/canary",
        "/imports/canary/canary",
        "/exports/canary/canary",
        "/graphql?query={canary&canary",
    ):
        await client.get(path, headers=good)
        await client.put(path, content=b"canary", headers=good)
    await client.post("/sign-in/token", json={"code": "canary"})
    reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    writer.write(b"CANARY canary canary\r\ncanary\r\n\r\n")
    await writer.drain()
    await reader.read()
    writer.close()


async def _put_it_into_sockets(observed: Observed) -> None:
    url = observed.product.origin.replace("http", "ws") + "/graphql"
    init = json.dumps(
        {"type": "connection_init", "payload": {"authorization": f"Bearer {observed.product.token}"}}
    )
    payload = {"query": "subscription ($canary: ID!) { canary }", "variables": {"canary": "canary"}}
    for messages in (
        ["canary"],
        [json.dumps({"type": "canary"})],
        [json.dumps({"type": "connection_init", "payload": {"authorization": "Bearer canary"}})],
        [init, json.dumps({"type": "subscribe", "id": "canary", "payload": payload})],
        [
            init,
            json.dumps(
                {
                    "type": "subscribe",
                    "id": "canary",
                    "payload": {"query": 'subscription { canary(a: "canary'},
                }
            ),
        ],
    ):
        with suppress(ConnectionClosed, InvalidStatus, TimeoutError):
            async with connect(
                url, subprotocols=[PROTOCOL], additional_headers={"x-canary": "canary"}
            ) as socket:
                for message in messages:
                    await socket.send(message)
                    await asyncio.wait_for(socket.recv(), 5)


async def _fail_with_it(observed: Observed, client: httpx.AsyncClient) -> dict[str, Any]:
    """The database refuses a value that our code accepts, and quotes the whole row. Returns the extensions of the error."""
    headers = {"authorization": f"Bearer {observed.product.token}", "x-request-id": "a-request-of-its-own"}
    person = ADA | {"externalId": "canary-2", "email": None, "phone": None, "firstName": "Canary Fault"}
    async with broken(observed, REFUSE_WRITES, ACCEPT_WRITES):
        answer = await client.post(
            "/graphql", json={"query": UPSERT, "variables": {"people": [person]}}, headers=headers
        )
    extensions: dict[str, Any] = answer.json()["errors"][0]["extensions"]
    assert extensions["code"] == "INTERNAL"
    return extensions


async def _fail_ticks_with_it(observed: Observed, ask: Asking) -> None:
    """The worker cannot write a change, and the reason quotes a value."""
    await observed.until({"segment": {"state": "READY"}}, SEGMENT_STATE)
    async with broken(observed, REFUSE_TICKS.replace("{table}", "membership_changes"), ACCEPT_TICKS):
        await ask(UPSERT, people=[{"externalId": "canary-3", "firstName": "Canary"}])
        await ask(TRACK, events=[{"subscriber": {"externalId": "canary-3"}, "name": "canary seen"}])
        await said(observed, "worker", "the tick of bucket")


def unique() -> asyncpg.PostgresError:
    error = asyncpg.UniqueViolationError("duplicate key")
    error.detail, error.constraint_name = "Key (email)=(canary) already exists.", "one_email"
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("canary"), "ValueError"),
        (unique(), "asyncpg.exceptions.UniqueViolationError: SQLSTATE 23505 one_email"),
        (
            asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
            "asyncpg.exceptions.LockNotAvailableError: SQLSTATE 55P03; canceling statement due to lock timeout",
        ),
        (asyncpg.DataError("invalid input for query argument $1: 'canary'"), "asyncpg.exceptions.DataError: SQLSTATE 22000"),
        (ConnectionRefusedError(111, "refused"), "ConnectionRefusedError: [Errno 111] refused"),
    ],
)  # fmt: skip
def test_an_exception_is_described_without_its_values(error: Exception, text: str):
    assert described(error) == text


def test_a_traceback_shows_what_led_to_it_without_values():
    group = ExceptionGroup(VALUE, [KeyError(VALUE), unique()])
    group.add_note(VALUE)
    try:
        raise RuntimeError(VALUE) from group  # noqa: TRY301  # it needs a traceback
    except RuntimeError as error:
        text = as_text(error)

    assert [
        name for name in ("RuntimeError", "ExceptionGroup", "KeyError", "SQLSTATE 23505") if name not in text
    ] == []
    assert "\nKeyError\n" in text
    assert text.endswith("\nRuntimeError")
    assert VALUE not in text


@pytest.fixture
def own_log() -> Iterator[None]:
    """The test may change where this process writes its log."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


@pytest.mark.usefixtures("own_log")
@pytest.mark.parametrize("form", ["text", "json"])
async def test_what_libraries_say_has_no_values_either(form):
    """Their DEBUG messages are left out, and so are arguments and tasks in the messages of the event loop."""
    stream = io.StringIO()
    write_logs(form, "DEBUG", stream)

    logging.getLogger("tortoise.db_client").debug("SELECT %s", "canary")
    asyncio.get_running_loop().call_soon(int, VALUE)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    logging.getLogger("arq").error("%s failed, %s", "job", ValueError("canary"))

    told = stream.getvalue()
    assert "canary" not in told
    assert "Exception in callback" in told
    assert "job failed, ValueError" in told
