"""A separate workspace for every test, the schema on top of it, and an engine that a test ticks by hand."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
import pytest_asyncio
from asyncpg.connection import LoggedQuery
from graphql import GraphQLFormattedError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.types import ExecutionResult

from audience_gql.api.context import Context, Services
from audience_gql.api.operations.live import Live
from audience_gql.api.operations.operating import OperationQueue
from audience_gql.api.operations.operation_requests import OperationRefused, OperationRequest
from audience_gql.api.schema import Schema
from audience_gql.api.transport.edge import guarded
from audience_gql.api.transport.files.downloads import send_file
from audience_gql.api.transport.files.uploads import receive
from audience_gql.api.transport.http import GraphQLEndpoint
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from audience_gql.api.transport.wire import encode
from audience_gql.audience.access import Access, Doorkeeper, create_token
from audience_gql.audience.budgets import Budgets
from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.insights.reading import SegmentReads
from audience_gql.audience.log.cursors import CursorCodec
from audience_gql.audience.log.segment_watch import SegmentWatch
from audience_gql.audience.ports import Ports, Signals
from audience_gql.audience.testing import MemorySignals, NotedJobs, SimulatedClock
from audience_gql.audience.trusted_texts import TrustedTexts
from audience_gql.audience.webhooks.trials import Trials
from audience_gql.audience.workspaces import create_workspace
from audience_gql.config import Settings
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage import buckets
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.webhooks.guard import Policy
from audience_gql.webhooks.sender import WebhookSender
from tests.filling import fill_bucket

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_names = count(1)
_SENDER = WebhookSender(Policy())
"""It reaches public addresses only, and no test sends there."""

CREATE_SEGMENT = """
mutation ($name: String!, $condition: ConditionInput!) {
  createSegment(input: {name: $name, condition: $condition}) {
    __typename ... on Segment { id } ... on UserError { message path }
  }
}
"""
CREATE_GROUP = "mutation ($name: String!) { createGroup(input: {name: $name}) { ... on Group { id } } }"
UPSERT = """
mutation ($input: UpsertSubscribersInput!) {
  upsertSubscribers(input: $input) {
    ... on UpsertSubscribersPayload { subscribers { id } rejects { index code message path } }
  }
}
"""
TRACK = """
mutation ($input: TrackEventsInput!) {
  trackEvents(input: $input) {
    ... on TrackEventsPayload { accepted duplicates rejects { index code message path } }
  }
}
"""


@dataclass
class Api:
    """One workspace as a holder of an ADMIN token sees it."""

    schema: Schema
    services: Services
    access: Access
    clock: SimulatedClock
    membership: Membership
    bucket_id: int

    async def execute(self, document: str, variables: dict[str, Any] | None = None) -> ExecutionResult:
        request = OperationRequest(query=document, variables=variables, operation_name=None)
        context = Context(self.services, self.access)
        try:
            result = await self.schema.answer(self.schema.candidate(request), context)
        except OperationRefused as refused:
            return ExecutionResult(data=None, errors=refused.errors)
        if context.executor != "library":  # parts of the data may be JSON texts
            result.data = json.loads(encode(result.data))
        return result

    async def subscribe(self, document: str, **variables: Any) -> AsyncGenerator[Any, None]:
        """The body of each result of a subscription."""
        request = OperationRequest(query=document, variables=variables, operation_name=None)
        context = Context(self.services, self.access)
        async with aclosing(Subscriptions(self.schema, self.services).run(request, context)) as results:
            async for result in results:
                yield json.loads(result.text)

    async def data(self, document: str, **variables: Any) -> Any:
        """Execute a document and return its data. It must have no errors."""
        result = await self.execute(document, variables)
        assert result.errors is None, [error.formatted for error in result.errors]
        return result.data

    async def errors(self, document: str, **variables: Any) -> list[GraphQLFormattedError]:
        result = await self.execute(document, variables)
        return [error.formatted for error in result.errors or ()]

    async def upsert(self, *people: dict[str, Any]) -> list[str]:
        """Create or change these people. Returns their ids."""
        found = await self.data(UPSERT, input={"subscribers": list(people)})
        assert found["upsertSubscribers"]["rejects"] == []
        return [person["id"] for person in found["upsertSubscribers"]["subscribers"]]

    async def group(self, name: str) -> str:
        return str((await self.data(CREATE_GROUP, name=name))["createGroup"]["id"])

    async def segment(self, name: str, condition: dict[str, Any]) -> str:
        """Create a segment and fill it. Returns its id."""
        (id_,) = await self.segments({name: condition})
        return id_

    async def segments(self, conditions: Mapping[str, dict[str, Any]]) -> list[str]:
        """Create a segment for each name, then fill them all. Returns their ids."""
        ids = []
        for name, condition in conditions.items():
            found = await self.data(CREATE_SEGMENT, name=name, condition=condition)
            assert found["createSegment"]["__typename"] == "Segment", found
            ids.append(str(found["createSegment"]["id"]))
        await self.fill()
        return ids

    async def track(self, *events: dict[str, Any]) -> Any:
        return (await self.data(TRACK, input={"events": list(events)}))["trackEvents"]

    async def token(self, *scopes: str) -> str:
        """Create a token. Returns its text."""
        _, secret = await create_token(
            ports=self.services.ports,
            workspace=self.access.workspace,
            name="test",
            scopes=scopes or ("ADMIN",),
        )
        return secret

    async def tick(self) -> None:
        assert await self.membership.tick(self.bucket_id) is not None

    async def fill(self) -> None:
        """Run all fills that wait in this workspace."""
        await fill_bucket(self.services.ports.database, self.membership, self.bucket_id)

    @contextmanager
    def counting(self) -> Iterator[list[str]]:
        """The statements that reads send during the context."""
        sent: list[str] = []
        acquire = Database.acquire

        def note(query: LoggedQuery) -> None:
            if "typeinfo_tree" not in query.query and "set_config('jit'" not in query.query:
                sent.append(query.query)  # not the driver's own query for bigint[], once per connection

        @asynccontextmanager
        async def logged(database: Database) -> AsyncIterator[Connection]:
            async with acquire(database) as connection:
                with connection.query_logger(note):
                    yield connection
                    await asyncio.sleep(0)  # the driver calls in the next round of the event loop

        with patch.object(Database, "acquire", logged):
            yield sent


@pytest.fixture(scope="session")
def schema() -> Schema:
    return Schema()


@dataclass(frozen=True)
class Server:
    """A web process of its own."""

    url: str
    socket_url: str
    process: asyncio.subprocess.Process

    async def metric(self, name: str) -> float:
        async with httpx.AsyncClient(timeout=30) as client:  # the process may be busy with a large batch
            found = await client.get(f"{self.url}/metrics")
        (line,) = [line for line in found.text.splitlines() if line.startswith(f"{name} ")]
        return float(line.split()[1])

    async def has(self, name: str, wanted: float, *, seconds: int) -> None:
        """Wait until a metric has the expected value."""
        for _ in range(seconds * 20):
            if await self.metric(name) == wanted:
                return
            await asyncio.sleep(0.05)
        pytest.fail(f"after {seconds} s {name} is {await self.metric(name)}, not {wanted}")


@asynccontextmanager
async def served_by(
    database_url: str, redis_url: str, log: Path, **environment: str
) -> AsyncIterator[Server]:
    """`audience-gql serve` on a free port, until the end of the context or until a test stops it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "AUDIENCE_SECRET_KEY": "a key",
        **environment,
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "audience_gql.cli", "serve", "--port", str(port),
            env={**os.environ, **told}, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        await _wait_for(port)
        yield Server(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/graphql", process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    log = tmp_path_factory.mktemp("server") / "web.log"
    async with served_by(database_url, redis_url, log, AUDIENCE_SOCKETS_PER_TOKEN="5") as started:
        yield started


async def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return
    raise AssertionError("the server did not start")


@pytest_asyncio.fixture(loop_scope="session")
async def api(schema: Schema, database: Database, tick_pool: TickPool) -> Api:
    return await new_workspace(schema, database, tick_pool, MemorySignals())


@pytest_asyncio.fixture(loop_scope="session")
async def web(api) -> AsyncIterator[httpx.AsyncClient]:
    async with web_client(api) as client:
        yield client


@asynccontextmanager
async def web_client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application in this process."""
    graphql = GraphQLEndpoint(api.schema, api.services, Subscriptions(api.schema, api.services))

    async def upload(request: Request) -> Response:
        return await receive(request, api.services)

    async def download(request: Request) -> Response:
        return await send_file(request, api.services)

    app = Starlette(
        routes=[
            Route("/graphql", graphql, methods=["GET", "POST"]),
            Route("/imports/{import_id}/{secret}", guarded(upload), methods=["PUT"]),
            Route("/exports/{export_id}/{secret}", guarded(download), methods=["GET", "HEAD"]),
        ]
    )
    headers = {"authorization": f"Bearer {await api.token()}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://x", headers=headers
    ) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(schema: Schema, database: Database, tick_pool: TickPool) -> Api:
    """Another workspace of the same installation."""
    return await new_workspace(schema, database, tick_pool, MemorySignals())


@pytest_asyncio.fixture(loop_scope="session")
async def served(
    schema: Schema, database: Database, tick_pool: TickPool, redis_url: str, server: Server
) -> AsyncIterator[Api]:
    """A workspace whose changes wake the server."""
    del server  # only started
    signals = RedisSignals(redis_url)
    yield await new_workspace(schema, database, tick_pool, signals)
    await signals.close()


async def new_workspace(schema: Schema, database: Database, tick_pool: TickPool, signals: Signals) -> Api:
    clock = SimulatedClock(NOON)
    ports = Ports(database=database, clock=clock, signals=signals, jobs=NotedJobs())
    workspace = await create_workspace(ports=ports, name=f"api {next(_names)}")
    token, _ = await create_token(ports=ports, workspace=workspace, name="test", scopes=["ADMIN"])
    async with database.acquire() as connection:
        bucket_id = (await buckets.open_bucket_ids(connection, workspace.id))[-1]
    settings = Settings(database_url="", redis_url="", secret_keys=("a key",))
    services = Services(
        ports=ports,
        heavy_ports=ports,
        operations=OperationQueue(settings),
        budgets=Budgets(most=settings.points, per_second=settings.points_per_second),
        doorkeeper=Doorkeeper(ports),
        trusted=TrustedTexts(ports),
        documents=schema.documents,
        cursors=CursorCodec(("a key",)),
        settings=settings,
        live=Live(most_per_token=50),
        watch=SegmentWatch(ports, pause_seconds=0.05),
        reads=SegmentReads(ports, every=timedelta()),
        sender=_SENDER,
        trials=Trials(_SENDER),
    )
    access = Access(workspace=workspace, token=token)
    return Api(schema, services, access, clock, Membership(ports, tick_pool), bucket_id)
