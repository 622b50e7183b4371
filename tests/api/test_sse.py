"""GraphQL over server-sent events against a running server: the protocol, resuming, and how streams are ended."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api.conftest import served_by
from tests.patience import PATIENCE_SECONDS, SLACK_SECONDS

STREAM = {"accept": "text/event-stream"}
VIEWER = "{ viewer { workspace { name } } }"
CHANGES = "subscription { membershipChanges { after cursor changes { kind subscriber { externalId } } } }"
RECOMPUTE = "subscription ($id: ID!) { recomputeSegment(id: $id) { phase } }"


@dataclass(frozen=True)
class Event:
    """What was sent between two blank lines."""

    kind: str | None
    id: str | None
    data: str | None
    comment: str | None

    @property
    def body(self):
        assert self.data is not None
        return json.loads(self.data)

    @property
    def batch(self):
        return self.body["data"]["membershipChanges"]

    @property
    def code(self) -> str:
        (error,) = self.body["errors"]
        return error["extensions"]["code"]


async def events_of(response: httpx.Response) -> AsyncIterator[Event]:
    parts: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            parts[name] = value.removeprefix(" ")
        else:
            yield Event(parts.get("event"), parts.get("id"), parts.get("data"), parts.get(""))
            parts = {}


class Stream:
    """The far end of a stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._events = events_of(response)

    async def next(self, seconds: float = PATIENCE_SECONDS) -> Event:
        """The next event that is more than a comment."""
        async with asyncio.timeout(seconds):
            while (event := await anext(self._events)).kind is None:
                assert event.comment is not None
            return event

    async def rest(self) -> list[Event]:
        return [event async for event in self._events]


@asynccontextmanager
async def opened(server, token: str, document: str = CHANGES, last_event_id: str | None = None, **variables):
    headers = {**STREAM, "authorization": f"Bearer {token}"}
    if last_event_id is not None:
        headers["last-event-id"] = last_event_id
    body = {"query": document, "variables": variables}
    async with (
        httpx.AsyncClient(base_url=server.url, headers=headers, timeout=20) as client,
        client.stream("POST", "/graphql", json=body) as response,
    ):
        yield Stream(response)


async def befriend(served, *names: str) -> None:
    """Let a change a name happen."""
    found = await served.data('{ group(by: {name: "Friends"}) { id } }')
    group = found["group"]["id"] if found["group"] else await served.group("Friends")
    for name in names:
        await served.upsert({"externalId": name, "addToGroupIds": [group]})
        await served.tick()


async def asked(server, token: str, method: str, query: str) -> httpx.Response:
    headers = {**STREAM, "authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers) as client:
        if method == "GET":
            return await client.get("/graphql", params={"query": query})
        return await client.post("/graphql", json={"query": query})


def parsed(response: httpx.Response) -> list[tuple[str, Any]]:  # Any: JSON
    """The events of a stream that has ended."""
    events = [dict(line.partition(": ")[::2] if ": " in line else (line.rstrip(":"), "") for line in text.splitlines())
              for text in response.text.split("\n\n") if text]  # fmt: skip
    return [(event["event"], json.loads(event["data"]) if event["data"] else None) for event in events]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_query_is_one_result_and_done(server, api, method):
    response = await asked(server, await api.token(), method, VIEWER)

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert parsed(response) == [
        ("next", {"data": {"viewer": {"workspace": {"name": api.access.workspace.name}}}}),
        ("complete", None),
    ]


async def test_a_mutation_goes_by_post_alone(server, api):
    mutation = 'mutation { createGroup(input: {name: "By stream"}) { ... on Group { name } } }'
    token = await api.token()

    refused = await asked(server, token, "GET", mutation)
    done = await asked(server, token, "POST", mutation)

    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert refused.headers["content-type"] == "application/json; charset=utf-8"
    assert parsed(done) == [("next", {"data": {"createGroup": {"name": "By stream"}}}), ("complete", None)]


@pytest.mark.parametrize(
    ("document", "code"),
    [("subscription {", "GRAPHQL_PARSE_FAILED"), ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
     ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"), ("query A { __typename } query B { __typename }", "BAD_USER_INPUT"),
     ('subscription { membershipChanges(after: "forged") { cursor } }', "CURSOR_INVALID")],
)  # fmt: skip
async def test_what_cannot_run_is_told_in_the_stream(server, api, document, code):
    response = await asked(server, await api.token(), "POST", document)

    (kind, body), done = parsed(response)
    assert (response.status_code, kind, done) == (200, "next", ("complete", None))
    assert [error["extensions"]["code"] for error in body["errors"]] == [code]


async def test_a_hash_in_place_of_a_document_is_told_in_the_stream(server, api):
    headers = {**STREAM, "authorization": f"Bearer {await api.token()}"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers) as client:
        response = await client.post(
            "/graphql", json={"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
        )

    (kind, body), (end, _) = parsed(response)
    assert (response.status_code, kind, end) == (200, "next", "complete")
    assert body["errors"][0]["message"] == "PersistedQueryNotSupported"


async def test_a_scope_is_needed_on_streams_too(server, api):
    response = await asked(server, await api.token("TRACK"), "POST", CHANGES)

    assert parsed(response)[0][1]["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_without_credentials_no_stream_begins(server):
    response = await asked(server, "nonsense", "POST", CHANGES)

    assert response.status_code == 401
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_subscription_wants_a_stream(server, api):
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url) as client:
        headers = {"authorization": f"Bearer {await api.token()}"}
        response = await client.post("/graphql", json={"query": CHANGES}, headers=headers)

    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "text/event-stream" in response.json()["errors"][0]["message"]


async def test_changes_arrive_as_they_happen_under_their_cursors(server, served):
    async with opened(server, await served.token()) as stream:
        first = await stream.next()
        await befriend(served, "1")
        second = await stream.next()

    assert (first.kind, first.id, first.batch["changes"]) == ("next", first.batch["cursor"], [])
    assert second.batch["after"] == first.batch["cursor"]
    assert second.batch["changes"] == [{"kind": "ENTERED", "subscriber": {"externalId": "1"}}]
    assert second.id == second.batch["cursor"]


async def test_somebody_who_comes_later_is_heard_of(server, served):
    document = CHANGES.replace("membershipChanges", 'membershipChanges(subscriber: {externalId: "ada"})')
    async with opened(server, await served.token(), document) as stream:
        first = await stream.next()
        await befriend(served, "bob", "ada")

        second = await stream.next()

    assert second.batch["after"] == first.id
    assert second.batch["changes"] == [{"kind": "ENTERED", "subscriber": {"externalId": "ada"}}]


async def test_the_id_is_the_cursor_whatever_was_asked_for(server, served):
    document = "subscription { it: membershipChanges { __typename } }"
    token = await served.token()
    async with opened(server, token, document) as stream:
        left_off = (await stream.next()).id
    await befriend(served, "1")

    async with opened(server, token, last_event_id=left_off) as stream:
        assert (await stream.next()).batch["after"] == left_off


async def test_a_client_goes_on_after_the_last_event_that_it_saw(server, served):
    token = await served.token()
    async with opened(server, token) as stream:
        start = await stream.next()
        await befriend(served, "1")
        left_off = await stream.next()
    await befriend(served, "2")

    document = CHANGES.replace("{", "($after: String) {", 1).replace(
        "membershipChanges", "membershipChanges(after: $after)"
    )
    async with opened(server, token, document, last_event_id=left_off.id, after=start.id) as stream:
        resumed = await stream.next()

    assert resumed.batch["after"] == left_off.batch["cursor"]
    assert [it["subscriber"]["externalId"] for it in resumed.batch["changes"]] == ["2"]


async def test_a_last_event_of_another_workspace_is_no_cursor(server, served, stranger):
    async with opened(server, await served.token()) as stream:
        foreign = (await stream.next()).id

    async with opened(server, await stranger.token(), last_event_id=foreign) as stream:
        assert (await stream.next()).code == "CURSOR_INVALID"


async def test_results_without_a_cursor_are_counted(server, served):
    segment = await served.segment("LT", {"country": {"is": "LT"}})

    async with opened(server, await served.token(), RECOMPUTE, id=segment) as stream:
        ids = [(await stream.next()).id]
        await served.fill()
        rest = await stream.rest()

    last = rest[-1]
    ids += [event.id for event in rest[:-1] if event.kind]
    assert ids == [str(number) for number in range(1, len(ids) + 1)]
    assert len(ids) >= 2
    assert (last.kind, last.data) == ("complete", "")


async def test_a_client_that_goes_frees_what_ran_for_it(server, api):
    async with opened(server, await api.token()) as stream:
        await stream.next()
        assert await server.metric("audience_live_operations") >= 1

    await server.has("audience_live_operations", 0, seconds=3)
    assert await server.metric("audience_live_connections") == 0


async def test_a_revoked_token_s_streams_end_within_five_seconds(server, api):
    token = await api.token()
    async with opened(server, token) as stream:
        await stream.next()
        async with api.services.ports.database.acquire() as connection:
            await connection.execute(
                "UPDATE api_tokens SET revoked_at = created_at WHERE prefix = $1", token.split("_")[1]
            )

        last = await stream.next(seconds=5 + SLACK_SECONDS)

        assert last.code == "UNAUTHENTICATED"
        assert (await stream.next()).kind == "complete"


async def test_a_token_has_so_many_connections_at_a_time(server, api):
    token = await api.token()
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(opened(server, token)) for _ in range(5)]
        for stream in streams:
            await stream.next()
        async with opened(server, token) as refused:
            async with asyncio.timeout(5):
                await refused.response.aread()

    assert (refused.response.status_code, refused.response.headers["retry-after"]) == (429, "1")
    assert refused.response.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


@pytest.mark.faults
async def test_a_silent_stream_carries_comments(database_url, redis_url, api, tmp_path):
    async with (
        served_by(
            database_url, redis_url, tmp_path / "web.log", AUDIENCE_STREAM_HEARTBEAT_SECONDS="1"
        ) as server,
        opened(server, await api.token()) as stream,
    ):
        assert (await stream.next()).batch["changes"] == []
        async with asyncio.timeout(5):
            event = await anext(stream._events)

    assert (event.kind, event.comment) == (None, "")


@pytest.mark.faults
async def test_a_server_that_stops_says_where_to_go_on(database_url, redis_url, served, tmp_path):
    token = await served.token()
    async with served_by(database_url, redis_url, tmp_path / "one.log") as server:
        async with opened(server, token) as stream:
            first = await stream.next()
            server.process.terminate()
            last, done = await stream.next(), await stream.next()
        async with asyncio.timeout(9):  # before it would cut everybody off
            await server.process.wait()
    await befriend(served, "1")
    async with (
        served_by(database_url, redis_url, tmp_path / "other.log") as other,
        opened(other, token, last_event_id=last.id) as stream,
    ):
        resumed = await stream.next()

    assert (last.code, done.kind) == ("UNAVAILABLE", "complete")
    assert last.body["errors"][0]["extensions"]["cursor"] == last.id == first.id
    assert [it["subscriber"]["externalId"] for it in resumed.batch["changes"]] == ["1"]


@pytest.mark.faults
async def test_a_client_that_does_not_read_is_sent_away_and_holds_nobody_up(
    database_url, redis_url, served, tmp_path
):
    group = await served.group("Everyone")
    start = (await served.data("{ membershipChanges { cursor } }"))["membershipChanges"]["cursor"]
    for part in range(3):
        names = [{"externalId": f"{part}-{n}", "addToGroupIds": [group]} for n in range(1_000)]
        await served.upsert(*names)
        for _ in range(5):  # a tick on a busy machine takes fewer people than these
            await served.tick()
    token = await served.token()
    # Many fields a change, so that the log is more than the buffers of both ends hold.
    person = "id email phone externalId firstName lastName language timezone country region city createdAt updatedAt"
    fields = "subscriber { externalId } " + " ".join(f"s{n}: subscriber {{ {person} }}" for n in range(7))
    document = f'subscription {{ membershipChanges(after: "{start}") {{ cursor changes {{ {fields} }} }} }}'
    async with served_by(
        database_url, redis_url, tmp_path / "web.log", AUDIENCE_SLOW_CLIENT_SECONDS="1"
    ) as server:
        address = urlsplit(server.url)
        assert address.hostname
        assert address.port
        late, late_writer = await slow_reader(address.hostname, address.port, token, document)
        never, never_writer = await slow_reader(address.hostname, address.port, token, document)
        async with opened(server, token) as other:
            await other.next()
            await server.has("audience_live_operations", 1, seconds=25)
            parting = (await late.read()).decode()
            await server.has("audience_live_connections", 1, seconds=25)
            await befriend(served, "one more")
            told: list[str] = []
            while "one more" not in told:
                told = [
                    change["subscriber"]["externalId"] for change in (await other.next()).batch["changes"]
                ]

        cut_off = (await never.read()).decode()
        for writer in (late_writer, never_writer):
            writer.close()

    log = (tmp_path / "web.log").read_text(encoding="utf-8")
    assert "ERROR" not in log, log
    *results, last = re.findall(r"id: (\S+)\ndata: (.*)", parting)
    (error,) = json.loads(last[1])["errors"]
    assert error["extensions"] == {"code": "SLOW_CLIENT", "cursor": results[-1][0]}
    assert "event: complete" in parting
    assert "event: complete" not in cut_off


async def slow_reader(host: str, port: int, token: str, document: str):
    """Somebody who asks, and then does not read."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (host, port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
    body = json.dumps({"query": document}).encode()
    writer.write(
        (
            f"POST /graphql HTTP/1.1\r\nhost: {host}\r\naccept: text/event-stream\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode()
        + body
    )
    await writer.drain()
    return reader, writer
