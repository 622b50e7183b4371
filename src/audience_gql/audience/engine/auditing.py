"""Compares memberships with the raw facts, and repairs what differs: for a recompute everybody, for the auditor a random slice.

Nothing is locked while it looks. In one snapshot, a bucket's members are those of its last tick's instant, but for people whom a
visible mark says to be looked at again. Only what differs then is looked at under the lock, and is an error of ours.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.engine.verdicts import Verdicts
from audience_gql.audience.ports import Ports
from audience_gql.storage.database import Connection
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.evaluation import EvaluationFailed
from audience_gql.storage.engine.membership import BucketHead, FillState
from audience_gql.storage.engine.tick_pool import TickPool

_ATTEMPTS: Final = 300
"""More than the largest crowd has slices."""
_NAMED_IN_LOG: Final = 10

logger = logging.getLogger(__name__)

TickUnderLock = Callable[[Connection, BucketHead], Awaitable[BucketHead]]
"""A tick inside the transaction under way; the bucket as it leaves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """How many people were wrongly out and wrongly in."""

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
        """Set right one segment's membership of everybody with an id in (after, upto].

        None when it has none to speak of: it waits for its fill, is paused, failed or deleted.
        """
        try:
            for _ in range(_ATTEMPTS):
                async with self._pool.looking() as connection:
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
        """Who is not as the facts say, and nothing says that a tick will look; None where membership means nothing yet."""
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
        """A fill moves a bucket's time on without looking at what became due meanwhile, and a crowd is marked tick by tick."""
        async with self._pool.transaction() as connection:
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
        """Look again under the lock, after a tick: what differs then is written, and told with the evidence.

        None when the tick has not brought the bucket up to date.
        """
        nothing = Repaired(entered=0, left=0)
        async with self._pool.transaction() as connection:
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
                connection, bucket_id, next_sequence=next_sequence, now=bucket.last_instant
            )
        self._ports.signals.changed([bucket.workspace_id])
        _tell(bucket, segment_id, state, entering, leaving)
        return Repaired(entered=len(entering), left=len(leaving))


def _never_up_to_date(bucket_id: int) -> Exception:
    return TimeoutError(f"bucket {bucket_id} is never up to date")


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
