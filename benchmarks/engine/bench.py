"""The input of every measurement, a loaded workspace with an engine, and its output: figures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from audience_gql.audience.engine.fill_queue import FillQueue
from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import NotedJobs
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage import buckets
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.engine import fills
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.orm.models import Segment, Workspace
from audience_gql.storage.postgres.database import Database
from benchmarks.engine.generator import WORKSPACE

_NO_TIMEOUT: Final = 0.0
_NO_RESULT_STANDS: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number. `target` is a comparison such as "<= 1.5", in the figure's own unit."""

    measurement: str
    """The letter of the measurement."""
    what: str
    value: float
    unit: str
    target: str | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the value meets the target; None without a target."""
        if self.target is None:
            return None
        comparison, bound = self.target.split()
        return self.value <= float(bound) if comparison == "<=" else self.value >= float(bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A loaded database and an engine in this process. No worker runs; a measurement that needs one starts it."""

    database_url: str
    redis_url: str
    ports: Ports
    pool: TickPool
    membership: Membership
    workspace: Workspace
    bucket_ids: list[int]
    segments: dict[str, Segment]
    """Segments by name. Those that others read come first."""

    @classmethod
    @asynccontextmanager
    async def open(cls, *, database_url: str, redis_url: str) -> AsyncIterator[Bench]:
        """Open a database that the generator loaded. Segments may still wait for their first fill."""
        database = await Database.open(database_url, statement_timeout_seconds=_NO_TIMEOUT)
        pool = await TickPool.open(database_url, size=2, fill_size=1, statement_timeout_seconds=_NO_TIMEOUT)
        signals = RedisSignals(redis_url)
        try:
            ports = Ports(database=database, clock=DatabaseClock(), signals=signals, jobs=NotedJobs())
            workspace = await Workspace.get(name=WORKSPACE)
            async with database.acquire() as connection:
                bucket_ids = await buckets.bucket_ids(connection, workspace.id)
            segments = await Segment.filter(workspace_id=workspace.id).order_by("id")
            yield cls(
                database_url=database_url,
                redis_url=redis_url,
                ports=ports,
                pool=pool,
                membership=Membership(ports, pool),
                workspace=workspace,
                bucket_ids=bucket_ids,
                segments={segment.name: segment for segment in segments},
            )
        finally:
            await signals.close()
            await pool.close()
            await database.close()

    async def fill_all(self) -> None:
        """Do all waiting fills."""
        await FillQueue(self.ports, self.membership, lambda _: True).work_off()

    async def fill(self, segment_id: int) -> None:
        """Fill or recompute a segment in all buckets, one after the other, because there is one connection for fills."""
        for bucket_id in self.bucket_ids:
            await self.membership.fill(bucket_id, segment_id)

    async def want_recomputed(self, segment_ids: Sequence[int]) -> None:
        """Request recomputes, also of segments that were just recomputed."""
        async with self.ports.database.transaction() as transaction:
            connection = transaction.connection
            later = await self.ports.clock.now(connection) + _NO_RESULT_STANDS
            ticket = await self.ports.database.ids.one(connection)
            await fills.request_recompute(connection, segment_ids, now=later, ticket=ticket)

    async def tick_all(self) -> None:
        """Tick every bucket up to the present."""
        for bucket_id in self.bucket_ids:
            await self.tick(bucket_id)

    async def tick(self, bucket_id: int) -> None:
        """Tick until no work is left."""
        while (ticked := await self.membership.tick(bucket_id)) and not ticked.is_drained:
            pass

    async def changes(self) -> int:
        """The number of changes in the log."""
        logged: int = await self.ports.database.fetchval(
            "SELECT sum(b.next_sequence - 1)::bigint FROM buckets b WHERE b.id = ANY($1::bigint[])",
            self.bucket_ids,
        )
        return logged
