"""Remembers when somebody last read a segment's members or listened to it, in the background and at most once an hour.

It must never fail or delay a read: what cannot be written now is written with a later read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta
from time import monotonic
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.audience.tasks import end
from audience_gql.storage.insights import advice
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, Transaction

logger = logging.getLogger(__name__)

_EVERY: Final = timedelta(hours=1)
_MOST_REMEMBERED: Final = 100_000
"""How many segments a process remembers. Beyond that it forgets all, which costs a few statements more."""


class SegmentReads:
    """The reads of one process. `every` says how long this process does not look at a segment again after it has noted a read."""

    def __init__(self, ports: Ports, *, every: timedelta = _EVERY) -> None:
        self._ports = ports
        self._every = every.total_seconds()
        self._noted: dict[int, float] = {}
        self._waiting: dict[int, set[int]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    def note(self, workspace_id: int, segment_ids: Collection[int]) -> None:
        """Note that somebody reads these segments now. Unknown ids do no harm. Returns at once, and never fails."""
        now = monotonic()
        fresh = [it for it in segment_ids if now - self._noted.get(it, -self._every) >= self._every]
        if not fresh:
            return
        if len(self._noted) > _MOST_REMEMBERED:
            self._noted.clear()
        self._noted.update(dict.fromkeys(fresh, now))
        self._waiting[workspace_id].update(fresh)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write(), name="segment reads")

    async def settle(self) -> None:
        """Wait until everything noted so far is written, or has failed."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        if self._task is not None:
            await end(self._task)

    async def _write(self) -> None:
        while self._waiting:
            workspace_id, segment_ids = self._waiting.popitem()
            try:
                await self._write_one(workspace_id, segment_ids)
            except (*UNREACHABLE, *BUSY):
                logger.info("the reads of %d segments could not be noted", len(segment_ids))
                for segment_id in segment_ids:
                    self._noted.pop(segment_id, None)

    async def _write_one(self, workspace_id: int, segment_ids: Collection[int]) -> None:
        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            now = await self._ports.clock.now(connection)
            await advice.note_reads(connection, workspace_id, segment_ids, now, before=now - _EVERY)

        await self._ports.database.run(work)
