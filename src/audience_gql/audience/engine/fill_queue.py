"""Works off the queue of fills: a segment in all its buckets, a few buckets at a time, until nothing is left of what was wanted."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.ports import Ports
from audience_gql.storage.database import BUSY, UNREACHABLE
from audience_gql.storage.engine import fills

BUCKETS_AT_A_TIME: Final = 2
"""As many as a worker has connections for fills: each is busy in Postgres all the time."""

logger = logging.getLogger(__name__)


class FillQueue:
    """The fills of one worker process. It may be interrupted anywhere: the queue lies in Postgres."""

    def __init__(self, ports: Ports, membership: Membership) -> None:
        self._ports = ports
        self._membership = membership
        self._slots = asyncio.Semaphore(BUCKETS_AT_A_TIME)
        self._under_way: set[int] = set()

    async def work_off(self, segment_id: int) -> None:
        """Fill, recompute or forget one segment in all its buckets. What cannot be done now stays in the queue."""
        if segment_id in self._under_way:
            return  # what that one does not see any more, the sweep does
        self._under_way.add(segment_id)
        try:
            await self._work_off(segment_id)
        except* (*UNREACHABLE, *BUSY) as errors:
            logger.warning("fill of segment %d put off: %s", segment_id, errors.exceptions[0])
        finally:
            self._under_way.discard(segment_id)

    async def sweep(self) -> None:
        """Ask for every fill whose job was lost."""
        async with self._ports.database.acquire() as connection:
            segment_ids = await fills.segments_to_fill(connection)
        for segment_id in segment_ids:
            self._ports.jobs.fill(segment_id)

    async def _work_off(self, segment_id: int) -> None:
        async with self._ports.database.acquire() as connection:
            ticket = await fills.wanted_ticket(connection, segment_id)
        if ticket is None:
            return
        before: list[int] = []
        while bucket_ids := await self._buckets_to_fill(segment_id):
            if bucket_ids == before:
                return  # something is in the way; the sweep comes back to it
            async with asyncio.TaskGroup() as tasks:
                for bucket_id in bucket_ids:
                    tasks.create_task(self._fill(bucket_id, segment_id))
            before = bucket_ids
        async with self._ports.database.acquire() as connection:
            await fills.settle(connection, segment_id, ticket)

    async def _fill(self, bucket_id: int, segment_id: int) -> None:
        async with self._slots:
            await self._membership.fill(bucket_id, segment_id)

    async def _buckets_to_fill(self, segment_id: int) -> list[int]:
        async with self._ports.database.acquire() as connection:
            return await fills.buckets_to_fill(connection, segment_id)


async def recompute_everything(*, ports: Ports) -> list[int]:
    """Have every membership found again from the raw facts by whoever works off the queue. Returns the segments that are wanted.

    Differences are repaired, and logged as errors.
    """
    async with ports.database.transaction() as transaction:
        connection = transaction.connection
        segment_ids = await fills.all_segment_ids(connection)
        now = await ports.clock.now(connection)
        ticket = await ports.database.ids.one(connection)
        await fills.request_recompute(connection, segment_ids, now=now, ticket=ticket)
    for segment_id in segment_ids:
        ports.jobs.fill(segment_id)
    return segment_ids
