"""One token that asks for too much: it waits for itself, others do not, and it is told of it as overload, whatever the transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
import pytest_asyncio

from audience_gql.api.operations import operating
from audience_gql.api.operations.operating import operation_bounds
from audience_gql.config import Settings
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.turns.fair_queue import Asker, FairQueue
from tests.api.conftest import Api, Server
from tests.api.test_cancelled_statements import locked, patient_server
from tests.api.test_socket import entered, received, send, subscribe
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.slow
"""These tests start a web process, and wait for it."""

SLOW = "{ imports(first: 1) { edges { node { id } } } }"
"""While somebody holds the table's lock."""
CHEAP = "{ viewer { workspace { name } } }"
MEMBERS = "query ($id: ID!) { segment(by: {id: $id}) { members { edges { node { id } } } } }"
CONNECTIONS_OF_A_TOKEN = 4
"""Half of those that a web process with ten has for operations."""


def test_a_token_that_is_alone_leaves_places_to_others():
    places = FairQueue(operation_bounds(Settings(database_url="", redis_url="", secret_keys=())))
    alone, colleague, other = (
        Asker(workspace_id=workspace, token_id=token) for workspace, token in ((1, 1), (1, 2), (2, 3))
    )

    held = [sum(places.enter_now(asker) for _ in range(40)) for asker in (alone, colleague, other)]

    assert held == [16, 8, 8]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def narrow(database_url, redis_url) -> AsyncIterator[Server]:
    """A web process that runs one operation of a token at a time, and lets one wait: a slow one for as long as a test holds the lock."""
    limits = {
        "AUDIENCE_OPERATIONS_AT_ONCE": "2",
        "AUDIENCE_OPERATIONS_PER_TOKEN": "1",
        "AUDIENCE_OPERATIONS_WAITING_PER_TOKEN": "1",
    }
    async with patient_server(database_url, redis_url, 100, **limits) as started:
        yield started


class Client:
    def __init__(self, server: Server, token: str) -> None:
        self.token = token
        self._http = httpx.AsyncClient(
            base_url=server.url,
            headers={"authorization": f"Bearer {token}"},
            timeout=PATIENCE_SECONDS,
            limits=httpx.Limits(max_connections=None),
        )

    async def ask(self, query: str, **headers: str) -> httpx.Response:
        return await self._http.post("/graphql", json={"query": query}, headers=headers)

    async def close(self) -> None:
        await self._http.aclose()


@asynccontextmanager
async def busy(
    database_url: str, narrow: Server, client: Client
) -> AsyncIterator[list[asyncio.Task[httpx.Response]]]:
    """A token with one operation that runs, and one that waits, until the end of the context."""
    await client.ask(CHEAP)
    async with locked(database_url, "imports") as waiting:
        tasks = [asyncio.create_task(client.ask(SLOW))]
        await waiting(1)
        tasks.append(asyncio.create_task(client.ask(CHEAP)))
        await narrow.has('audience_operations_waiting{queue="all"}', 1, seconds=60)
        yield tasks
    await asyncio.gather(*tasks)


@pytest_asyncio.fixture(loop_scope="session")
async def greedy(narrow: Server, api: Api) -> AsyncIterator[Client]:
    client = Client(narrow, await api.token())
    yield client
    await client.close()


@pytest_asyncio.fixture(loop_scope="session")
async def modest(narrow: Server, stranger: Api) -> AsyncIterator[Client]:
    client = Client(narrow, await stranger.token())
    await client.ask(CHEAP)
    yield client
    await client.close()


async def test_another_token_does_not_wait(database_url, narrow, greedy, modest):
    async with busy(database_url, narrow, greedy) as tasks:
        answer = await modest.ask(CHEAP)

        assert answer.status_code == 200
        assert answer.json()["data"]
        assert not any(task.done() for task in tasks)

    assert [task.result().status_code for task in tasks] == [200, 200]
    assert tasks[1].result().json()["data"], "the one that waited was answered after the other"


@pytest.mark.parametrize(
    "accept", ["application/json", "application/graphql-response+json", "text/event-stream"]
)
async def test_too_many_are_told_of_overload_by_http(database_url, narrow, greedy, accept):
    async with busy(database_url, narrow, greedy):
        answer = await greedy.ask(CHEAP, accept=accept)

    assert '"code":"OVERLOADED"' in answer.text
    assert "database" not in answer.text
    if accept != "text/event-stream":  # whose status says only that a stream has begun
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


async def test_too_many_are_told_of_overload_on_a_socket(database_url, narrow, greedy):
    async with entered(narrow, greedy.token) as socket, busy(database_url, narrow, greedy):
        await send(socket, subscribe(CHEAP))

        told = await received(socket)

    assert (told["type"], told["payload"][0]["extensions"]["code"]) == ("error", "OVERLOADED")


async def test_two_hundred_slow_reads_of_one_token_leave_everything_else_alone(
    database_url, server, api, stranger
):
    """Health, a tick, and another token's read are answered while the slow reads still wait for their own places."""
    segment = await stranger.segment("Everyone", {"all": []})
    slow, other = Client(server, await api.token()), Client(server, await stranger.token())
    async with locked(database_url, "imports") as waiting:
        tasks = [asyncio.create_task(slow.ask("{ imports { edges { node { id } } } }")) for _ in range(200)]
        await waiting(CONNECTIONS_OF_A_TOKEN)

        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS) as health:
            alive, ready = await health.get("/healthz"), await health.get("/readyz")
        read = await other.ask("{ subscribers { edges { node { id } } } }")
        (ada,) = await stranger.upsert({"externalId": "ada"})
        await stranger.tick()

        assert alive.json() == {"status": "ok"}
        assert ready.json()["parts"]["postgres"] == "ok"
        assert read.json()["data"] == {"subscribers": {"edges": []}}
        members = await stranger.data(MEMBERS, id=segment)
        assert members["segment"]["members"]["edges"] == [{"node": {"id": ada}}]
        assert not all(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await slow.close()
    await other.close()


async def test_who_listens_needs_no_place(database_url, narrow, greedy):
    async with entered(narrow, greedy.token) as socket, busy(database_url, narrow, greedy):
        await send(socket, subscribe("subscription { membershipChanges { cursor } }"))

        told = await received(socket)

    assert told["type"] == "next"


HEAVY = {
    "previewSegment": '{ previewSegment(condition: {country: {is: "LT"}}) { ... on SegmentPreview { memberCount } } }',
    "explain": '{ segments(first: 1) { edges { node { explain(subscriber: {externalId: "ada"}) { revision } } } } }',
    "segmentOverlap": '{ segmentOverlap(segmentIds: ["SEGMENT"]) { members } }',
    "sizeHistory": '{ segments(first: 1) { edges { node { sizeHistory(from: "2026-01-01T00:00:00Z") { members } } } } }',
}


@pytest.mark.parametrize("field", HEAVY)
async def test_a_heavy_read_has_connections_apart(api, monkeypatch, field):
    segment = await api.segment("Everyone", {"createdAt": {"inLast": {"days": 1}}})
    await api.upsert({"externalId": "ada"})
    borrowed: list[Database] = []
    honest = Database._borrow

    def noting(database: Database):
        borrowed.append(database)
        return honest(database)

    monkeypatch.setattr(Database, "_borrow", noting)
    ports = api.services.ports
    apart = Database(ports.database._context, ports.database._pool, None, pool_wait_seconds=2.0)
    services = replace(api.services, heavy_ports=replace(ports, database=apart))

    for document, is_heavy in ((HEAVY[field].replace("SEGMENT", segment), True), (CHEAP, False)):
        borrowed.clear()
        result = await replace(api, services=services).execute(document)
        assert result.errors is None
        assert (apart in borrowed) is is_heavy


def test_every_queue_leaves_something_to_others():
    """At the sizes that come by default, and at the least that can be set."""
    usual = Settings(database_url="", redis_url="", secret_keys=("k",))
    least = replace(usual, pool_size=4, heavy_pool_size=2, operations_at_once=2, heavy_operations_at_once=2)
    for settings in (usual, least):
        for bounds in (
            operating.operation_bounds,
            operating.heavy_operation_bounds,
            operating.connection_bounds,
            operating.heavy_connection_bounds,
        ):
            made = bounds(settings)
            assert 0 < made.per_token <= made.per_workspace < made.places, bounds.__name__
        assert operating.connection_bounds(settings).places < settings.pool_size
