"""Separate servers that a test may break, and a real worker process that it may kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.embedded import Servers
from audience_gql.messaging.jobs import ArqJobs
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.orm.models import Segment, Workspace
from audience_gql.storage.postgres.database import UNREACHABLE, Database, Unavailable
from audience_gql.storage.schema import migrate
from tests import cluster
from tests.patience import PATIENCE_SECONDS

_numbers = count(1)


@dataclass
class World:
    servers: Servers
    database_url: str
    redis_url: str
    ports: Ports
    workspace: Workspace
    logs: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_worker(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        with (self.logs / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "audience_gql.cli", "worker"], env=environment, stdout=log, stderr=log
            )
        self.workers.append(worker)
        return worker

    def start_web(self, port: int) -> subprocess.Popen[bytes]:
        """Start a web process. Clients' cursors stay valid after it ends."""
        environment = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "AUDIENCE_SECRET_KEY": "a key",
        }
        with (self.logs / "web.log").open("ab") as log:
            web = subprocess.Popen(
                [sys.executable, "-m", "audience_gql.cli", "serve", "--port", str(port)],
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        self.workers.append(web)
        return web

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    async def people(self, *names: str) -> None:
        await self.again(
            lambda: upsert_subscribers(
                ports=self.ports, workspace=self.workspace, items=[{"externalId": name} for name in names]
            )
        )

    async def track(self, person: str, name: str = "opened") -> None:
        event = EventItem(subscriber=SubscriberKey(kind="externalId", value=person), name=name)
        tracked = await self.again(
            lambda: track_events(ports=self.ports, workspace=self.workspace, items=[event])
        )
        assert tracked.accepted == 1

    async def again(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Repeat the work while the service is unavailable, as a client would."""
        for _ in range(200):
            try:
                return await work()
            except UNREACHABLE:
                await asyncio.sleep(0.1)
        raise Unavailable

    async def segment(self, name: str, condition: object) -> Segment:
        return await self.again(
            lambda: create_segment(
                ports=self.ports,
                workspace=self.workspace,
                name=name,
                description=None,
                condition=condition,
                ids=PLAIN_IDS,
            )
        )

    async def fetchval(self, sql: str, *values: object) -> Any:
        return await self.again(lambda: self.ports.database.fetchval(sql, *values))

    async def members(self, segment: Segment) -> set[str]:
        rows = await self.again(
            lambda: self.ports.database.fetch(
                "SELECT s.external_id FROM segment_members m "
                "JOIN subscribers s ON s.bucket_id = m.bucket_id AND s.id = m.subscriber_id WHERE m.segment_id = $1",
                segment.id,
            )
        )
        return {row["external_id"] for row in rows}

    async def eventually(
        self,
        look: Callable[[], Awaitable[Any]],
        wanted: object,
        *,
        patience_seconds: float = 3 * PATIENCE_SECONDS,  # a worker may have to start first
    ) -> float:
        """Wait until `look` returns the wanted value. Returns how many seconds that took."""
        seen: object = None
        begun = asyncio.get_running_loop().time()
        while (waited := asyncio.get_running_loop().time() - begun) < patience_seconds:
            seen = await look()
            if seen == wanted:
                return waited
            await asyncio.sleep(0.05)
        logs = "\n".join(log.read_text()[-3000:] for log in sorted(self.logs.glob("*.log")))
        pytest.fail(f"after {patience_seconds:.0f} s: {seen!r}, not {wanted!r}\n{logs}")

    async def direct(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.database_url)

    def redis(self) -> Redis:
        return Redis.from_url(self.redis_url)


async def _connected(url: str) -> asyncpg.Connection:
    """Wait until the server accepts connections: the test before may have killed it."""
    for _ in range(200):
        try:
            return await asyncpg.connect(url)
        except UNREACHABLE:
            await asyncio.sleep(0.1)
    raise Unavailable


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with Servers.throwaway() as started:
        yield started


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(servers: Servers) -> str:
    """The name of a migrated database on these servers. Nobody stays connected to it, so that it can be copied."""
    admin = await _connected(servers.addresses.database_url)
    await admin.execute("CREATE DATABASE faults")
    await admin.close()
    await migrate(_named(servers, "faults"))
    return "faults"


@pytest_asyncio.fixture(loop_scope="session")
async def world(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[World]:
    if cluster.COORDINATOR:
        async with (
            cluster.database_beside(servers.addresses.database_url, "faults") as database_url,
            world_on(servers, database_url, tmp_path) as made,
        ):
            yield made
        return
    name = f"faults_{next(_numbers)}"
    admin = await _connected(servers.addresses.database_url)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    await admin.close()
    async with world_on(servers, _named(servers, name), tmp_path) as made:
        yield made


def _named(servers: Servers, database: str) -> str:
    return urlunsplit(urlsplit(servers.addresses.database_url)._replace(path=f"/{database}"))


@asynccontextmanager
async def world_on(servers: Servers, database_url: str, logs: Path) -> AsyncIterator[World]:
    """A world whose Postgres may be another one than that of these servers. Its workers end with it."""
    own = await Database.open(database_url, is_default=False)
    signals, jobs = RedisSignals(servers.addresses.redis_url), ArqJobs(servers.addresses.redis_url)
    ports = Ports(database=own, clock=DatabaseClock(), signals=signals, jobs=jobs)
    made = World(
        servers,
        database_url,
        servers.addresses.redis_url,
        ports,
        await create_workspace(ports=ports, name="Faults"),
        logs,
    )
    yield made
    for worker in made.workers:
        worker.kill()
        worker.wait()
    await jobs.close()
    await signals.close()
    await own.close()
