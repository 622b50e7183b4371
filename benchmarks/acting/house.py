"""A workspace whose people enter its segments one by one, and what that costs the worker.

A measured process of another checkout imports this module, too. So it must not import anything about automations.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.embedded import Servers
from audience_gql.messaging.jobs import ArqJobs
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.engine import fills
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.schema import migrate
from benchmarks.engine.observed import ObservedWorker
from benchmarks.engine.watched import watching

BATCH: Final = 1_000
SETTLE_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one change cost, on average, and how long it took from its commit until a reader of the log saw it, as the median."""

    changes: int
    cpu_ms: float
    postgres_ms: float
    latency_ms: float


@dataclass(slots=True, kw_only=True)
class House:
    """A workspace with people who are in none of its segments yet, and whom each `enter` moves into all of them."""

    ports: Ports
    workspace: Workspace
    segments: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    """The groups that an automation fills with those who enter."""
    loaded: int = 0
    entered: int = 0

    @classmethod
    async def built(cls, ports: Ports, name: str, *, segments: int, people: int) -> House:
        house = cls(ports=ports, workspace=await create_workspace(ports=ports, name=name))
        await house.load(people)
        for number in range(segments):
            await house.add_segment({"city": {"in": ["Vilnius", f"City {number}"]}}, f"Segment {number}")
        return house

    async def load(self, people: int) -> None:
        for start in range(self.loaded, self.loaded + people, BATCH):
            numbers = range(start, min(start + BATCH, self.loaded + people))
            await self._upsert([{"externalId": str(number), "country": "LT"} for number in numbers])
        self.loaded += people

    async def add_segment(self, condition: object, name: str) -> int:
        """Create a segment and wait until it is filled."""
        made = await create_segment(
            ports=self.ports,
            workspace=self.workspace,
            name=name,
            description=None,
            condition=condition,
            ids=PLAIN_IDS,
        )
        while True:
            async with self.ports.database.acquire() as connection:
                progress = await fills.progress(connection, made.id)
            if progress is not None and progress.fraction == 1:
                break
            await asyncio.sleep(0.02)
        self.segments.append(made.id)
        return made.id

    async def enter(self, people: int = 1) -> int:
        """Move the next people into all segments, in one call. Returns the number of the first one."""
        first = self.entered
        self.entered += people
        assert self.entered <= self.loaded, "too few people are loaded"
        for start in range(first, self.entered, BATCH):
            numbers = range(start, min(start + BATCH, self.entered))
            await self._upsert([{"externalId": str(number), "city": "Vilnius"} for number in numbers])
        return first

    async def bucket_ids(self) -> list[int]:
        rows = await self.ports.database.fetch(
            "SELECT id FROM buckets WHERE workspace_id = $1", self.workspace.id
        )
        return [row["id"] for row in rows]

    async def ids(self) -> dict[int, int]:
        """The people's ids by their numbers."""
        rows = await self.ports.database.fetch(
            "SELECT id, external_id FROM subscribers WHERE bucket_id = ANY($1::bigint[])",
            await self.bucket_ids(),
        )
        return {int(row["external_id"]): row["id"] for row in rows}

    async def _upsert(self, items: list[dict[str, object]]) -> None:
        upserted = await upsert_subscribers(ports=self.ports, workspace=self.workspace, items=items)
        assert not upserted.rejects, upserted.rejects[0]


async def run_round(house: House, worker: ObservedWorker, *, changes: int, rate: float) -> Round:
    """People enter one by one at this rate. The round ends when the log has everything that follows from it."""
    lists = [*house.segments, *house.targets]
    ids = await house.ids()
    async with watching(house.ports, house.workspace.id, await house.bucket_ids(), lists) as watch:
        before, begun = await worker.usage(), time.monotonic()
        committed: dict[int, float] = {}
        for number in range(changes):
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            person = await house.enter()
            committed[person] = time.time()
        is_whole = await watch.until(lambda: watch.count == changes * len(lists), seconds=PATIENCE_SECONDS)
        assert is_whole, f"{watch.count} of {changes * len(lists)} changes are in the log"
        await asyncio.sleep(SETTLE_SECONDS)
        used = (await worker.usage()).since(before)
    first = house.segments[0]
    delays = [1000 * (watch.seen[first, ids[person], True].at - at) for person, at in committed.items()]
    return Round(
        changes=changes,
        cpu_ms=1000 * used.both / changes,
        postgres_ms=1000 * used.backends / changes,
        latency_ms=median(delays),
    )


@asynccontextmanager
async def observed(**settings: str) -> AsyncIterator[tuple[Ports, ObservedWorker, str]]:
    """Servers in a temporary folder with a worker as in production. Yields also the URL of the database."""
    with Servers.throwaway() as servers:
        database_url, redis_url = servers.addresses.database_url, servers.addresses.redis_url
        await migrate(database_url)
        database = await Database.open(database_url, pool_size=20)
        signals, jobs = RedisSignals(redis_url), ArqJobs(redis_url)
        ports = Ports(database=database, clock=DatabaseClock(), signals=signals, jobs=jobs)
        async with ObservedWorker.started(
            database, database_url=database_url, redis_url=redis_url, **settings
        ) as worker:
            yield ports, worker, database_url
        await jobs.close()
        await signals.close()
        await database.close()
