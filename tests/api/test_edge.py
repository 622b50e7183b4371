"""Whatever escapes, on whatever transport: the client is told a code and an id, the log has the rest, and the way is free again."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from unittest.mock import patch

import asyncpg
import httpx
import pytest
from starlette.types import Message

from audience_gql.api.schema import Schema
from audience_gql.api.transport.streaming.sockets import Sockets
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from audience_gql.audience.access import Doorkeeper
from tests.api.test_socket_crowd import Wire

VIEWER = "{ viewer { token { name } } }"
FEED = "subscription { membershipChanges { cursor } }"
SECRET = "password=hunter2"


def failing(error: Exception):
    async def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def the_only_error(response: httpx.Response) -> dict:
    assert response.headers["content-type"].startswith("application/")
    (error,) = response.json()["errors"]
    assert SECRET not in response.text
    return error


@pytest.mark.parametrize(
    "accept", ["application/json", "application/graphql-response+json", "text/event-stream"]
)
async def test_over_http_it_is_json_with_an_id(web, caplog, accept):
    def fail(*_: object) -> None:
        raise RuntimeError(SECRET)

    with patch.object(Schema, "candidate", fail), caplog.at_level(logging.ERROR):
        response = await web.post("/graphql", json={"query": VIEWER}, headers={"accept": accept})

    error = the_only_error(response)
    assert response.status_code == 500
    assert error["extensions"]["code"] == "INTERNAL"
    (record,) = caplog.records
    assert error["extensions"]["errorId"] in record.getMessage()
    assert SECRET in str(record.exc_info[1])


async def test_an_upload_has_the_same_edge(web):
    with patch("audience_gql.api.transport.files.uploads.receive_file", failing(RuntimeError(SECRET))):
        response = await web.put("/imports/x/y", content=b"a", headers={"content-type": "text/csv"})

    assert response.status_code == 500
    assert the_only_error(response)["extensions"]["code"] == "INTERNAL"


@pytest.mark.parametrize(
    "cause",
    [
        asyncpg.QueryCanceledError(SECRET),
        asyncpg.LockNotAvailableError(SECRET),
        asyncpg.DeadlockDetectedError(SECRET),
        asyncpg.ConnectionDoesNotExistError(SECRET),
        ConnectionResetError(SECRET),
    ],
)
async def test_a_token_that_cannot_be_looked_up_is_unavailable_on_every_transport(api, web, cause):
    with patch.object(Doorkeeper, "_read", failing(cause)):
        response = await web.post("/graphql", json={"query": VIEWER})
        stream = await web.post("/graphql", json={"query": FEED}, headers={"accept": "text/event-stream"})
        closed = await refused_socket(api)

    for answered in (response, stream):
        assert (answered.status_code, answered.headers["retry-after"]) == (503, "1")
        assert the_only_error(answered)["extensions"]["code"] == "UNAVAILABLE"
    assert closed["code"] == 1013


async def test_a_bug_in_authentication_is_told_with_an_id(api, web, caplog):
    with patch.object(Doorkeeper, "_read", failing(RuntimeError(SECRET))), caplog.at_level(logging.ERROR):
        response = await web.post("/graphql", json={"query": VIEWER})
        closed = await refused_socket(api)

    assert response.status_code == 500
    assert the_only_error(response)["extensions"]["code"] == "INTERNAL"
    assert closed["code"] == 1011
    assert SECRET not in closed["reason"]
    error_id = closed["reason"].partition("error id ")[2].partition(" ")[0]
    assert error_id
    assert any(error_id in record.getMessage() for record in caplog.records)


async def refused_socket(api) -> Message:
    """How a socket is closed that has just said who it is."""
    async with Sockets(Subscriptions(api.schema, api.services), api.services).running() as sockets:
        wire = Wire()
        scope = {
            "type": "websocket",
            "headers": [],
            "subprotocols": ["graphql-transport-ws"],
            "extensions": {},
        }
        wire.heard.put_nowait({"type": "websocket.connect"})
        wire.hear({"type": "connection_init", "payload": {"authorization": f"Bearer {await api.token()}"}})
        task = asyncio.create_task(sockets(scope, wire.heard.get, wire.sent.put))
        assert (await wire.sent.get())["type"] == "websocket.accept"
        closed = await asyncio.wait_for(wire.sent.get(), 5)
        wire.go()
        await task
    return closed


async def test_a_stream_that_has_begun_ends_with_it(web, caplog):
    async def broken(*_: object) -> AsyncIterator[object]:
        yield SimpleNamespace(text='{"data":null}', cursor="")
        raise RuntimeError(SECRET)

    with patch.object(Subscriptions, "run", broken), caplog.at_level(logging.ERROR):
        response = await web.post("/graphql", json={"query": FEED}, headers={"accept": "text/event-stream"})

    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert json.loads(events[0]) == {"data": None}
    (error,) = json.loads(events[1])["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert response.text.endswith("event: complete\ndata:\n\n")
    assert SECRET not in response.text
    assert [error["extensions"]["errorId"] in record.getMessage() for record in caplog.records] == [True]


async def test_on_a_socket_it_is_the_operation_s_error_and_the_id_is_free(api, caplog):
    def broken(*_: object) -> None:
        raise RuntimeError(SECRET)

    async with Sockets(Subscriptions(api.schema, api.services), api.services).running() as sockets:
        wire = await Wire.enter(sockets, await api.token())
        with patch.object(Schema, "permit", broken), caplog.at_level(logging.ERROR):
            wire.hear({"id": "1", "type": "subscribe", "payload": {"query": VIEWER}})
            told = json.loads((await asyncio.wait_for(wire.sent.get(), 5))["text"])
        (error,) = told["payload"]
        assert (told["id"], told["type"], error["extensions"]["code"]) == ("1", "error", "INTERNAL")
        assert SECRET not in str(told)
        assert any(error["extensions"]["errorId"] in record.getMessage() for record in caplog.records)
        with patch.object(Schema, "candidate", broken):
            wire.hear({"id": "1", "type": "subscribe", "payload": {"query": FEED}})
            told = json.loads((await asyncio.wait_for(wire.sent.get(), 5))["text"])
        assert (told["id"], told["type"]) == ("1", "error")
        wire.hear({"id": "1", "type": "subscribe", "payload": {"query": VIEWER}})
        told = json.loads((await asyncio.wait_for(wire.sent.get(), 5))["text"])
        assert (told["id"], told["type"]) == ("1", "next")
        wire.go()
        await wire.task


NINES = "9" * 4_301


async def test_an_integer_of_more_digits_than_python_prints(api, web):
    """The library's own message about it fails, which used to be a 500 in plain text, and no answer at all on a socket."""
    literal = f"{{ subscribers(first: {NINES}) {{ pageInfo {{ hasNextPage }} }} }}"
    variable = "query ($n: Int) { subscribers(first: $n) { pageInfo { hasNextPage } } }"

    response = await web.post("/graphql", json={"query": literal})
    body = f'{{"query": {json.dumps(variable)}, "variables": {{"n": {NINES}}}}}'
    by_variable = await web.post("/graphql", content=body, headers={"content-type": "application/json"})
    in_process = await api.errors(variable, n=10**5_000)

    assert the_only_error(response)["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert the_only_error(response)["message"] == "A number has at most 1,000 characters, not 4,301."
    assert the_only_error(by_variable)["extensions"]["code"] == "BAD_USER_INPUT"
    assert in_process[0]["message"] == "first: must be between -2,147,483,648 and 2,147,483,647"
    async with Sockets(Subscriptions(api.schema, api.services), api.services).running() as sockets:
        wire = await Wire.enter(sockets, await api.token())
        for _ in range(2):  # the id is free after the first
            wire.hear({"id": "1", "type": "subscribe", "payload": {"query": literal}})
            told = json.loads((await asyncio.wait_for(wire.sent.get(), 5))["text"])
            assert (told["id"], told["type"]) == ("1", "error")
            assert told["payload"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        wire.go()
        await wire.task
