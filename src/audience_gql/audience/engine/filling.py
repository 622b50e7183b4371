"""Finds the members of a new or edited segment, range by range. Each range of people is one transaction under the bucket's lock.

A fill can be interrupted at any time, and any process can continue it: each transaction stores how far the fill has come.
"""

from __future__ import annotations

import time
from typing import Final

from audience_gql.audience.engine.affected import Plan
from audience_gql.audience.engine.pace import next_size
from audience_gql.audience.engine.verdicts import Verdicts
from audience_gql.audience.ports import Ports
from audience_gql.storage import retention
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.evaluation import EvaluationFailed
from audience_gql.storage.engine.membership import BucketHead, FillState
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres.database import Connection

FIRST_RANGE: Final = 20_000
_LEAST: Final = 500
_MOST: Final = 100_000
_FORGOTTEN_AT_ONCE: Final = 20_000


class Filling:
    """The fills of one worker process."""

    def __init__(self, ports: Ports, pool: TickPool, verdicts: Verdicts) -> None:
        self._ports = ports
        self._pool = pool
        self._verdicts = verdicts

    async def fill(self, bucket_id: int, segment_id: int, *, seconds: float) -> bool:
        """Fill the remaining ranges, or clear what a deleted segment left behind. It begins no further range after `seconds`.

        Returns True when nothing is left.
        """
        people = FIRST_RANGE
        until = time.monotonic() + seconds
        while True:
            begun = time.monotonic()
            if not await self._fill_range(bucket_id, segment_id, people):
                return True
            if time.monotonic() >= until:
                return False
            people = next_size(people, time.monotonic() - begun, least=_LEAST, most=_MOST)

    async def _fill_range(self, bucket_id: int, segment_id: int, people: int) -> bool:
        """Do one step of a fill. Returns True if there may be more to do."""
        try:
            async with self._pool.filling(bucket_id) as connection:
                bucket = await membership.lock_bucket(connection, bucket_id)
                if bucket is None:
                    return False
                state = await membership.segment_to_fill(connection, bucket_id, segment_id)
                if state is None:
                    return not await _forget(connection, bucket_id, segment_id)
                if not state.is_filling:
                    return False
                if not state.is_started:
                    # in a transaction of its own, so that no plan includes a start that may be rolled back
                    await membership.start_fill(connection, bucket_id, segment_id, state.generation)
                plan = await self._verdicts.plan(connection, bucket) if state.is_started else None
                if plan is None or segment_id not in plan.evaluable.conditions:
                    return True  # the fill has only started, or the segment was deleted or edited since; the next step finds out
                end = await self._fill(connection, bucket, plan, segment_id, state, people)
        except EvaluationFailed as failed:
            await self._verdicts.blame(bucket_id, failed)
            return False
        self._ports.signals.changed([bucket.workspace_id])
        if end is None:
            self._ports.signals.marked([bucket_id])  # the next tick schedules the segment's instants
        return end is not None

    async def _fill(
        self,
        connection: Connection,
        bucket: BucketHead,
        plan: Plan,
        segment_id: int,
        state: FillState,
        people: int,
    ) -> int | None:
        now = max(await self._ports.clock.now(connection), bucket.last_instant)
        after = -1 if state.filled_to is None else state.filled_to
        end = await membership.range_end(connection, bucket.id, after, people)
        found = await self._verdicts.evaluation.differences_of_range(
            connection, bucket.id, plan.evaluable, segment_id, after, membership.to_the_end(end), now
        )
        next_sequence = await membership.apply_to_segment(
            connection,
            bucket,
            segment_id,
            entering=found.entering,
            leaving=found.leaving,
            cause="DEFINITION",
            revision=state.revision,
            now=now,
        )
        await membership.leave_fill(
            connection,
            bucket.id,
            segment_id,
            filled_to=end,
            entered=len(found.entering),
            left=len(found.leaving),
            now=now,
        )
        await membership.advance_bucket(connection, bucket, next_sequence=next_sequence, now=now)
        return end


async def _forget(connection: Connection, bucket_id: int, segment_id: int) -> bool:
    """Remove a slice of what a deleted segment left behind. Returns True if it was the last."""
    if not await retention.forget_segment(connection, bucket_id, segment_id, _FORGOTTEN_AT_ONCE):
        return False
    return await membership.forget_segment(connection, bucket_id, segment_id, _FORGOTTEN_AT_ONCE)
