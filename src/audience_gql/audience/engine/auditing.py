"""Compares memberships with the raw facts and repairs differences: everybody for a recompute, a random slice for the auditor.

It looks without a lock. In one snapshot, the membership of everybody without a visible mark is that of the bucket's last tick. Only people
who differ are evaluated again under the lock. A difference that remains is a bug in this product, and is logged as an error.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.engine.verdicts import Verdicts
from audience_gql.audience.ports import Ports
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.evaluation import EvaluationFailed
from audience_gql.storage.engine.membership import BucketHead, FillState
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres.database import Connection

_ATTEMPTS: Final = 300
"""More than the number of slices in the largest crowd."""
_NAMED_IN_LOG: Final = 10

logger = logging.getLogger(__name__)

TickUnderLock = Callable[[Connection, BucketHead], Awaitable[BucketHead]]
"""Ticks inside the caller's transaction. Returns the bucket's state after the tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """How many people a repair put in and took out."""

    entered: int
    left: int


class Auditing:
    """The audits of one worker process."""

    def __init__(self, ports: Ports, pool: TickPool, verdicts: Verdicts, tick: TickUnderLock) -> None:
        self._ports = ports
        self._pool = pool
        self._verdicts = verdicts
        self._tick = tick

    async def audit(self, bucket_id: int, segment_id: int, *, after: int, upto: int) -> Repaired | None:
        """Repair one segment's membership of everybody with an id in (after, upto].

        Returns None when the segment's membership is not maintained: it waits for its fill, or is paused, failed or deleted.
        """
        try:
            for _ in range(_ATTEMPTS):
                async with self._pool.looking(bucket_id) as connection:
                    bucket = await membership.read_bucket(connection, bucket_id)
                    if bucket is None:
                        return None
                    if bucket.is_up_to_date:
                        suspects = await self._suspects(connection, bucket, segment_id, after, upto)
                        break
                await self._bring_up_to_date(bucket_id)
            else:
                raise _never_up_to_date(bucket_id)
            if suspects is None:
                return None
            return await self._repair(bucket_id, segment_id, suspects)
        except EvaluationFailed as failed:
            await self._verdicts.blame(bucket_id, failed)
            return None

    async def _suspects(
        self, connection: Connection, bucket: BucketHead, segment_id: int, after: int, upto: int
    ) -> set[int] | None:
        """The people whose membership differs from the facts and who have no mark; None when the segment's membership is not maintained."""
        state = await membership.segment_to_fill(connection, bucket.id, segment_id)
        plan = await self._verdicts.plan(connection, bucket)
        if state is None or state.is_filling or segment_id not in plan.evaluable.conditions:
            return None
        found = await self._verdicts.evaluation.differences_of_range(
            connection, bucket.id, plan.evaluable, segment_id, after, upto, bucket.last_instant
        )
        differing = {*found.entering, *found.leaving}
        return differing - await membership.marked_people(connection, bucket.id, differing)

    async def _bring_up_to_date(self, bucket_id: int) -> None:
        """Tick the bucket: a fill advances its time without looking at what became due, and a crowd takes several ticks to mark."""
        async with self._pool.transaction(bucket_id) as connection:
            bucket = await membership.lock_bucket(connection, bucket_id)
            if bucket is None:
                return
            await self._tick(connection, bucket)
        self._ports.signals.changed([bucket.workspace_id])

    async def _repair(self, bucket_id: int, segment_id: int, suspects: Collection[int]) -> Repaired:
        if not suspects:
            return Repaired(entered=0, left=0)
        for _ in range(_ATTEMPTS):
            repaired = await self._repair_under_lock(bucket_id, segment_id, suspects)
            if repaired is not None:
                return repaired
        raise _never_up_to_date(bucket_id)

    async def _repair_under_lock(
        self, bucket_id: int, segment_id: int, suspects: Collection[int]
    ) -> Repaired | None:
        """Evaluate again under the lock, after a tick. Write the remaining differences and log them with their evidence.

        Returns None when the tick did not bring the bucket up to date.
        """
        nothing = Repaired(entered=0, left=0)
        async with self._pool.transaction(bucket_id) as connection:
            bucket = await membership.lock_bucket(connection, bucket_id)
            if bucket is None:
                return nothing
            bucket = await self._tick(connection, bucket)
            if not bucket.is_up_to_date:
                return None
            state = await membership.segment_to_fill(connection, bucket_id, segment_id)
            plan = await self._verdicts.plan(connection, bucket)
            if state is None or state.is_filling or segment_id not in plan.evaluable.conditions:
                return nothing
            people = set(suspects) - await membership.marked_people(connection, bucket_id, suspects)
            differences = await self._verdicts.evaluation.differences_of_people(
                connection, bucket_id, plan.evaluable.only([segment_id]), people, bucket.last_instant
            )
            entering = [person for (_, person), should_be in differences.items() if should_be]
            leaving = [person for (_, person), should_be in differences.items() if not should_be]
            next_sequence = await membership.apply_to_segment(
                connection,
                bucket,
                segment_id,
                entering=entering,
                leaving=leaving,
                cause="REPAIR",
                revision=state.revision,
                now=bucket.last_instant,
            )
            await membership.advance_bucket(
                connection, bucket, next_sequence=next_sequence, now=bucket.last_instant
            )
        self._ports.signals.changed([bucket.workspace_id])
        _tell(bucket, segment_id, state, entering, leaving)
        return Repaired(entered=len(entering), left=len(leaving))


def _never_up_to_date(bucket_id: int) -> Exception:
    return TimeoutError(f"bucket {bucket_id} was not up to date after {_ATTEMPTS} ticks")


def _tell(
    bucket: BucketHead, segment_id: int, state: FillState, entering: Collection[int], leaving: Collection[int]
) -> None:
    if entering or leaving:
        logger.error(
            "repaired segment %d (revision %d) in bucket %d as of %s: %d were missing (%s), %d were too many (%s)",
            segment_id,
            state.revision,
            bucket.id,
            bucket.last_instant.isoformat(),
            len(entering),
            ", ".join(map(str, sorted(entering)[:_NAMED_IN_LOG])),
            len(leaving),
            ", ".join(map(str, sorted(leaving)[:_NAMED_IN_LOG])),
        )
