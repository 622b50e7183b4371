"""The one path that decides membership: `tick` for people whom a fact or the clock may have moved, `fill` for a segment that is new or edited.

Both hold the bucket's lock, read the time after it, evaluate with one read-only statement and write the difference.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.audience.affected import Fact, Plan, fact_of, group_changes
from audience_gql.audience.plans import Plans
from audience_gql.audience.ports import Ports
from audience_gql.storage import definitions, edges, membership
from audience_gql.storage.database import Connection, TickPool
from audience_gql.storage.evaluation import Evaluation, EvaluationFailed
from audience_gql.storage.membership import BucketHead, Change, TakenMark

PEOPLE_A_TICK: Final = 5_000
PEOPLE_A_RANGE: Final = 20_000
PEOPLE_FORGOTTEN_AT_ONCE: Final = 20_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """What a tick did."""

    changes: int
    is_drained: bool
    """False when marks are left: tick again."""
    now: datetime
    next_due_at: datetime | None
    """The next instant at which the clock moves anybody of this bucket."""


class Membership:
    """The engine of one worker process. It keeps nothing but texts of statements and parsed definitions."""

    def __init__(self, ports: Ports, pool: TickPool) -> None:
        self._ports = ports
        self._pool = pool
        self._evaluation = Evaluation()
        self._plans = Plans()

    async def tick(self, bucket_id: int) -> Ticked | None:
        """Bring a bucket's membership up to this instant; None when there is no such bucket.

        Takes at most 5,000 people's marks; the lock makes any number of concurrent calls safe.
        """
        try:
            async with self._pool.transaction() as connection:
                bucket = await membership.lock_bucket(connection, bucket_id)
                if bucket is None:
                    return None
                ticked = await self._tick(connection, bucket)
        except EvaluationFailed as failed:
            await self._blame(bucket_id, failed)
            return await self.tick(bucket_id)
        if ticked.changes:
            self._ports.signals.changed([bucket.workspace_id])
        return ticked

    async def fill(self, bucket_id: int, segment_id: int) -> None:
        """Work off what a segment's state asks for in this bucket: ranges not filled yet, or what a deleted segment left behind.

        Each range is a transaction of its own, so it may be interrupted at any time, and called again by anybody.
        """
        while await self._fill_range(bucket_id, segment_id):
            pass

    async def _tick(self, connection: Connection, bucket: BucketHead) -> Ticked:
        now = max(await self._ports.clock.now(connection), bucket.last_instant)
        plan = await self._plan(connection, bucket)
        marks = await membership.take_marks(connection, bucket.id, PEOPLE_A_TICK)
        on_edge = await edges.people_on_edges(
            connection, bucket.id, plan.edges, bucket.evaluated_through, now, timezone=plan.timezone
        )
        if len(on_edge) > PEOPLE_A_TICK:
            batch = await self._ports.database.ids.one(connection)
            await membership.mark_people(connection, bucket.id, on_edge, batch=batch)
            on_edge = set()
            is_drained = False
        else:
            is_drained = len(marks) < PEOPLE_A_TICK
        changes = group_changes(marks)
        changes += await self._segment_changes(connection, bucket.id, plan, marks, on_edge, now)
        next_sequence = await membership.apply(connection, bucket, changes, now)
        next_due_at = await edges.next_due(connection, bucket.id, plan.edges, now)
        await membership.leave_bucket(
            connection, bucket.id, next_sequence=next_sequence, now=now, next_due_at=next_due_at
        )
        return Ticked(changes=len(changes), is_drained=is_drained, now=now, next_due_at=next_due_at)

    async def _segment_changes(
        self,
        connection: Connection,
        bucket_id: int,
        plan: Plan,
        marks: Collection[TakenMark],
        on_edge: set[int],
        now: datetime,
    ) -> list[Change]:
        facts_of: dict[int, set[Fact]] = defaultdict(set)
        for mark in marks:
            if plan.concerns(mark):
                facts_of[mark.subscriber_id].add(fact_of(mark))
        candidates = on_edge | facts_of.keys()
        if not candidates or not plan.evaluable.conditions:
            return []
        differences = await self._evaluation.differences_of_people(
            connection, bucket_id, plan.evaluable, candidates, now
        )
        return [
            Change(
                list_kind="SEGMENT",
                list_id=difference.segment_id,
                subscriber_id=difference.subscriber_id,
                entered=difference.should_be_member,
                cause=plan.cause(
                    difference.segment_id,
                    facts_of.get(difference.subscriber_id, ()),
                    is_on_edge=difference.subscriber_id in on_edge,
                ),
                revision=plan.revisions[difference.segment_id],
            )
            for difference in differences
        ]

    async def _fill_range(self, bucket_id: int, segment_id: int) -> bool:
        """One step of a fill. True when there is more to do."""
        try:
            async with self._pool.filling() as connection:
                bucket = await membership.lock_bucket(connection, bucket_id)
                if bucket is None:
                    return False
                state = await membership.segment_to_fill(connection, bucket_id, segment_id)
                if state is None:
                    return not await membership.forget_segment(
                        connection, bucket_id, segment_id, PEOPLE_FORGOTTEN_AT_ONCE
                    )
                if state.failure is not None or state.is_paused:
                    return False
                if state.is_started and state.filled_to is None:
                    return False
                if not state.is_started:
                    await membership.start_fill(connection, bucket_id, segment_id, state.generation)
                    state = await membership.segment_to_fill(connection, bucket_id, segment_id)
                    assert state is not None  # noqa: S101  # the row was read under this lock a moment ago
                end = await self._fill(connection, bucket, segment_id, state)
        except EvaluationFailed as failed:
            await self._blame(bucket_id, failed)
            return False
        self._ports.signals.changed([bucket.workspace_id])
        self._ports.signals.marked([bucket_id])  # the next tick reckons with the segment's own instants
        return end is not None

    async def _fill(
        self, connection: Connection, bucket: BucketHead, segment_id: int, state: membership.FillState
    ) -> int | None:
        now = max(await self._ports.clock.now(connection), bucket.last_instant)
        after = -1 if state.filled_to is None else state.filled_to
        end = await membership.range_end(connection, bucket.id, after, PEOPLE_A_RANGE)
        plan = await self._plan(connection, bucket)
        differences = await self._evaluation.differences_of_range(
            connection, bucket.id, plan.evaluable, segment_id, after, membership.to_the_end(end), now
        )
        changes = [
            Change(
                list_kind="SEGMENT",
                list_id=segment_id,
                subscriber_id=difference.subscriber_id,
                entered=difference.should_be_member,
                cause=state.fill_cause or "DEFINITION",
                revision=state.revision,
            )
            for difference in differences
        ]
        if changes and state.fill_cause == "REPAIR":
            logger.error(
                "repaired %d memberships of segment %d in bucket %d", len(changes), segment_id, bucket.id
            )
        next_sequence = await membership.apply(connection, bucket, changes, now)
        await membership.leave_fill(
            connection, bucket.id, segment_id, filled_to=end, changes=changes, now=now
        )
        await membership.advance_bucket(connection, bucket.id, next_sequence=next_sequence, now=now)
        return end

    async def _plan(self, connection: Connection, bucket: BucketHead) -> Plan:
        segments = await membership.tick_segments(connection, bucket)
        return await self._plans.plan(connection, bucket.workspace_id, segments)

    async def _blame(self, bucket_id: int, failed: EvaluationFailed) -> None:
        """Find which segments cannot be evaluated, by halves, and set them FAILED, so that the others go on."""
        waiting = [tuple(failed.segment_ids)]
        while waiting:
            suspects = waiting.pop()
            reason = await self._try(bucket_id, failed, suspects)
            if reason is None:
                continue
            if len(suspects) == 1:
                logger.error("segment %d cannot be evaluated: %s", suspects[0], reason)
                async with self._ports.database.transaction() as transaction:
                    await definitions.fail_segment(transaction.connection, suspects[0], reason)
                continue
            half = len(suspects) // 2
            waiting += [suspects[:half], suspects[half:]]

    async def _try(self, bucket_id: int, failed: EvaluationFailed, suspects: tuple[int, ...]) -> str | None:
        """The reason why these segments cannot be evaluated together, if they cannot."""
        try:
            async with self._pool.filling() as connection:
                await failed.again(self._evaluation, connection, bucket_id, suspects)
        except EvaluationFailed as again:
            return again.reason
        return None
