"""Finds the members of a segment that is new or edited: in ranges of people, each a transaction of its own under the bucket's lock.

It may be interrupted at any time, and called again by anybody: what is done is noted with what it did.
"""

from __future__ import annotations

import time
from typing import Final

from audience_gql.audience.engine.affected import Plan
from audience_gql.audience.engine.pace import next_size
from audience_gql.audience.engine.verdicts import Verdicts
from audience_gql.audience.ports import Ports
from audience_gql.storage import retention
from audience_gql.storage.database import Connection
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.evaluation import EvaluationFailed
from audience_gql.storage.engine.membership import BucketHead, FillState
from audience_gql.storage.engine.tick_pool import TickPool

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
        """Work off the ranges that are not filled yet, or what a deleted segment left behind, for so many seconds and one range more.

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
        """One step of a fill. True when there is more to do."""
        try:
            async with self._pool.filling() as connection:
                bucket = await membership.lock_bucket(connection, bucket_id)
                if bucket is None:
                    return False
                state = await membership.segment_to_fill(connection, bucket_id, segment_id)
                if state is None:
                    return not await _forget(connection, bucket_id, segment_id)
                if not state.is_filling:
                    return False
                if not state.is_started:
                    # By itself, so that a plan is never made of what may yet be rolled back.
                    await membership.start_fill(connection, bucket_id, segment_id, state.generation)
                plan = await self._verdicts.plan(connection, bucket) if state.is_started else None
                if plan is None or segment_id not in plan.evaluable.conditions:
                    return True  # only started, or deleted or edited since `state` was read: the next step sees which
                end = await self._fill(connection, bucket, plan, segment_id, state, people)
        except EvaluationFailed as failed:
            await self._verdicts.blame(bucket_id, failed)
            return False
        self._ports.signals.changed([bucket.workspace_id])
        if end is None:
            self._ports.signals.marked([bucket_id])  # the next tick reckons with the segment's own instants
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
        await membership.advance_bucket(connection, bucket.id, next_sequence=next_sequence, now=now)
        return end


async def _forget(connection: Connection, bucket_id: int, segment_id: int) -> bool:
    """Remove a slice of what a deleted segment left behind; True when that was the last."""
    if not await retention.forget_segment(connection, bucket_id, segment_id, _FORGOTTEN_AT_ONCE):
        return False
    return await membership.forget_segment(connection, bucket_id, segment_id, _FORGOTTEN_AT_ONCE)
