"""The one path that decides membership: `tick` for people whom a fact or the clock may have moved, `fill` for a new or edited segment.

Both lock the bucket, then read the time, evaluate with one read-only statement and write the difference.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from audience_gql.audience.engine.affected import Fact, Plan, fact_of, group_changes, looks, origins_of
from audience_gql.audience.engine.auditing import Auditing, Repaired
from audience_gql.audience.engine.clockwork import Clockwork, Crossed, Crowd, Horizon
from audience_gql.audience.engine.filling import Filling
from audience_gql.audience.engine.pace import next_size
from audience_gql.audience.engine.schedule import Urgency
from audience_gql.audience.engine.verdicts import Verdicts
from audience_gql.audience.ports import Ports
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.evaluation import EvaluationFailed
from audience_gql.storage.engine.membership import (
    BucketHead,
    BucketTimes,
    Change,
    FillState,
    ListKind,
    TakenMark,
)
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.people.facts import BULK
from audience_gql.storage.postgres.database import Connection
from audience_gql.telemetry import traces

if TYPE_CHECKING:
    from audience_gql.telemetry.tracing import Ticking

PEOPLE_A_TICK: Final = 5_000
LEAST_A_TICK: Final = 250
EVERYBODY: Final = 2**63 - 1
"""No id is greater."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """What a tick did."""

    changes: int
    """How many memberships changed."""
    lists: frozenset[tuple[ListKind, int]]
    """The lists whose members changed, as (kind, id)."""
    remaining: Urgency | None
    """The urgency of the marks that did not fit into this tick; None when it took them all."""
    now: datetime
    """The instant of the tick, by the database's clock."""
    times: BucketTimes
    definitions_version: int
    """The workspace's version of its definitions that this tick evaluated."""
    horizon: Horizon | None
    """The next instant of every edge, for the next tick of this bucket; None when they are not all known."""
    trace: str | None = None
    """The context of the tick's span; None if it is not written."""

    @property
    def next_due_at(self) -> datetime | None:
        """The next instant at which the clock may move anybody in this bucket; None when nothing is due."""
        return self.times.next_due_at

    @property
    def is_drained(self) -> bool:
        return self.remaining is None


class Membership:
    """The engine of one worker process. It caches statements, parsed definitions and next instants, and no facts."""

    def __init__(self, ports: Ports, pool: TickPool) -> None:
        self._ports = ports
        self._pool = pool
        self._people_a_tick = PEOPLE_A_TICK // 4
        """Adaptive batch size: how many people the last ticks handled within their time budget."""
        self._verdicts = Verdicts(ports, pool)
        self._clockwork = Clockwork()
        self._filling = Filling(ports, pool, self._verdicts)
        self._auditing = Auditing(ports, pool, self._verdicts, self._tick_under_lock)

    async def tick(self, bucket_id: int) -> Ticked | None:
        """Bring a bucket's membership up to the present instant. Returns None when the bucket does not exist.

        It takes as many marks as it can handle in a fraction of a second. Concurrent calls are safe: they wait for the bucket's lock.
        """
        ticking = None if traces.current is None else traces.current.ticking()
        changes: int | None = None
        try:
            async with self._pool.transaction(bucket_id) as connection:
                bucket = await membership.lock_bucket(connection, bucket_id)
                if bucket is None:
                    return None
                begun = time.monotonic()
                ticked = await self._tick(connection, bucket, ticking)
            changes = ticked.changes
        except EvaluationFailed as failed:
            await self._verdicts.blame(bucket_id, failed)
            return await self.tick(bucket_id)
        finally:
            if ticking is not None:
                ticking.end(changes)
        self._clockwork.keep(bucket, ticked.definitions_version, ticked.horizon)
        if ticked.remaining is not None:
            self._people_a_tick = next_size(
                self._people_a_tick, time.monotonic() - begun, least=LEAST_A_TICK, most=PEOPLE_A_TICK
            )
        if ticked.changes:
            self._ports.signals.changed([bucket.workspace_id])
        return ticked

    async def fill(self, bucket_id: int, segment_id: int, *, seconds: float = float("inf")) -> bool:
        """Do what a segment's state requires in this bucket: fill its remaining ranges, recompute it, or clean up after its deletion.

        After so many seconds, a fill stops between two ranges. Returns False when it did, and True when nothing is left that can be done.
        It may be interrupted at any time. Any worker may call it again to continue.
        """
        async with self._pool.looking(bucket_id) as connection:
            state = await membership.segment_to_fill(connection, bucket_id, segment_id)
        if state is not None and state.is_to_be_recomputed:
            await self._recompute(bucket_id, segment_id, state)
            return True
        return await self._filling.fill(bucket_id, segment_id, seconds=seconds)

    async def audit(
        self, bucket_id: int, segment_id: int, *, after: int = -1, upto: int = EVERYBODY
    ) -> Repaired | None:
        """Compare a segment's members with ids in (after, upto] with the facts, and repair differences; see auditing.py."""
        return await self._auditing.audit(bucket_id, segment_id, after=after, upto=upto)

    async def _recompute(self, bucket_id: int, segment_id: int, state: FillState) -> None:
        repaired = await self.audit(bucket_id, segment_id)
        if repaired is None:
            return
        async with self._pool.transaction(bucket_id) as connection:
            await membership.leave_recompute(
                connection,
                bucket_id,
                segment_id,
                generation=state.generation,
                entered=repaired.entered,
                left=repaired.left,
                now=await self._ports.clock.now(connection),
            )
        self._ports.signals.changed([state.workspace_id])

    async def _tick_under_lock(self, connection: Connection, bucket: BucketHead) -> BucketHead:
        ticked = await self._tick(connection, bucket)
        return replace(
            bucket,
            turn=bucket.turn + 1,
            next_sequence=bucket.next_sequence + ticked.changes,
            last_instant=ticked.now,
            **asdict(ticked.times),
        )

    async def _tick(
        self, connection: Connection, bucket: BucketHead, ticking: Ticking | None = None
    ) -> Ticked:
        # Beside a slice of a crowd, a tick takes few marks, so that it does not hold the bucket much longer.
        limit = LEAST_A_TICK if bucket.crowd_through is not None else self._people_a_tick
        taken = await membership.take_marks(connection, bucket, limit)
        if ticking is not None:
            ids = {"audience.bucket_id": bucket.id, "audience.workspace_id": bucket.workspace_id}
            ticking.begin(ids, taken.traces)
        now = max(self._ports.clock.at(taken.asked_at), bucket.last_instant)
        plan = await self._verdicts.plan(connection, bucket, taken.definitions_version)
        marks = taken.marks
        facts_of: dict[int, set[Fact]] = defaultdict(set)
        for mark in marks:
            facts_of[mark.subscriber_id].add(fact_of(mark))
        version = taken.definitions_version
        crossing = await self._clockwork.crossing(
            connection, bucket, plan, now, definitions_version=version, limit=limit
        )
        if isinstance(crossing, Crossed):
            for subscriber_id, crossed in crossing.people.items():
                facts_of[subscriber_id].update(map(plan.fact_of_edge, crossed))
        origins = origins_of(marks)
        changes = group_changes(marks, origins)
        changes += await self._segment_changes(connection, bucket.id, plan, facts_of, origins, now)
        ahead = await self._clockwork.ahead(connection, bucket, plan, crossing, marks, changes, now)
        remaining = _remaining(marks, limit, has_crowd=isinstance(crossing, Crowd))
        settled_at = now if remaining is None else bucket.settled_at
        await membership.leave_bucket(
            connection, bucket, changes, now=now, times=ahead.times, settled_at=settled_at
        )
        return Ticked(
            changes=len(changes),
            trace=await _left_trace(connection, bucket, ticking, len(changes)),
            lists=frozenset((change.list_kind, change.list_id) for change in changes),
            remaining=remaining,
            now=now,
            times=ahead.times,
            definitions_version=version,
            horizon=ahead.horizon,
        )

    async def _segment_changes(
        self,
        connection: Connection,
        bucket_id: int,
        plan: Plan,
        facts_of: Mapping[int, set[Fact]],
        origins: Mapping[int, int],
        now: datetime,
    ) -> list[Change]:
        differences: dict[tuple[int, int], bool] = {}
        for segment_ids, people in looks(plan, facts_of):
            differences |= await self._verdicts.evaluation.differences_of_people(
                connection, bucket_id, plan.evaluable.only(segment_ids), people, now
            )
        cause_of = plan.causes(facts_of)
        return [
            Change(
                "SEGMENT",
                segment_id,
                subscriber_id,
                entered,
                cause_of(segment_id, subscriber_id),
                plan.revisions[segment_id],
                origins.get(subscriber_id, 0),
            )
            for (segment_id, subscriber_id), entered in differences.items()
        ]


async def _left_trace(
    connection: Connection, bucket: BucketHead, ticking: Ticking | None, changes: int
) -> str | None:
    """The tick's trace, which those who read its changes find beside the log."""
    if ticking is None or ticking.trace is None:
        return None
    if changes:
        sequence = bucket.next_sequence + changes - 1
        await membership.leave_trace(connection, bucket.id, ticking.trace, sequence=sequence)
    return ticking.trace


def _remaining(marks: Collection[TakenMark], limit: int, *, has_crowd: bool) -> Urgency | None:
    if len(marks) < limit:
        return Urgency.BULK if has_crowd else None
    return Urgency.BULK if any(mark.lane == BULK for mark in marks) else Urgency.LIVE
