"""Works off the queue of fills. Workspaces take turns, and new segments go before recomputes.

The queue is a table in Postgres. This module keeps only its order in memory and reads it again at every look, so it may be lost at any time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.engine.schedule import Schedule, Urgency
from audience_gql.audience.engine.table_statistics import TableStatistics
from audience_gql.audience.ports import Ports
from audience_gql.audience.tasks import end
from audience_gql.audience.wakeups import Listener
from audience_gql.storage.engine import fills
from audience_gql.storage.engine.fills import WaitingFill
from audience_gql.storage.people.facts import BULK
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE
from audience_gql.telemetry import traces
from audience_gql.telemetry.ids import WORK, named_ids
from audience_gql.telemetry.metrics import FILL_DURATION

BUCKETS_AT_A_TIME: Final = 3
"""How many buckets are filled at a time: one for each connection for fills, because a fill keeps its connection busy. Recomputes leave one free."""
TURN_SECONDS: Final = 1.0
"""How long a workspace's turn lasts. A longer fill continues in the workspace's next turn."""
_LOOK_SECONDS: Final = 5.0
_SEGMENTS_A_LOOK: Final = 1_000

logger = logging.getLogger(__name__)


class FillQueue:
    """The fills of one worker process, in the buckets for which `is_own` returns True, one segment at a time in each."""

    def __init__(self, ports: Ports, membership: Membership, is_own: Callable[[int], bool]) -> None:
        self._ports = ports
        self._membership = membership
        self._is_own = is_own
        self._statistics = TableStatistics(ports)
        self._schedule = Schedule(BUCKETS_AT_A_TIME)
        self._lines: dict[int, list[WaitingFill]] = {}
        """The fills that wait in each bucket, the next one first."""
        self._running: set[asyncio.Task[None]] = set()
        self._ended: set[WaitingFill] = set()
        """The fills that ended since the last look began. A look may have read them as waiting just before they were committed."""
        self._has_more = False
        """Whether the last look left segments in the table."""
        self._wakeups = Listener()

    async def run(self, wakeups: Listener) -> None:
        """Look for fills after each signal, and every few seconds. Run until cancelled."""
        self._wakeups = wakeups
        try:
            while True:
                try:
                    await self.look()
                except (*UNREACHABLE, *BUSY) as error:
                    logger.warning("the look for fills was postponed: %s", error)
                await wakeups.wait(_LOOK_SECONDS)
        finally:
            await end(*self._running)

    async def look(self) -> None:
        """Read the waiting fills, and start as many as there are slots. A running fill is not started again.

        Facts may have been loaded just before, so the statistics that a fill is planned with come first.
        """
        await self._statistics.gather()
        self._ended.clear()
        async with self._ports.database.acquire() as connection:
            first = await fills.first_segments(connection, _SEGMENTS_A_LOOK)
            idle = await fills.settle(connection, first)
            waiting = [segment.segment_id for segment in first if segment.segment_id not in idle]
            found = await fills.waiting_fills(connection, waiting)
        self._has_more = len(first) == _SEGMENTS_A_LOOK
        self._lines = {}
        for fill in found:
            if self._is_own(fill.bucket_id) and fill not in self._ended:
                self._lines.setdefault(fill.bucket_id, []).append(fill)
        for bucket_id in self._lines:
            self._want(bucket_id)
        self._start()

    async def work_off(self) -> None:
        """Look for fills and run them until none is left that can run now."""
        await self.look()
        while self._running:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            if not self._running and self._has_more:
                await self.look()

    def _want(self, bucket_id: int) -> None:
        first = self._lines[bucket_id][0]
        urgency = Urgency.BULK if first.lane == BULK else Urgency.LIVE
        self._schedule.want(bucket_id, first.workspace_id, urgency)

    def _start(self) -> None:
        """Start fills until all slots are in use."""
        while (bucket_id := self._schedule.start()) is not None:
            task = asyncio.create_task(self._take_turn(bucket_id), name=f"fill {bucket_id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _take_turn(self, bucket_id: int) -> None:
        """Fill the first segment that waits in a bucket. A fill that fails leaves the line, and the next look finds it again."""
        fill = self._lines[bucket_id][0] if bucket_id in self._lines else None
        is_done = True
        if fill is not None:
            WORK.set(
                {"workspace_id": fill.workspace_id, "bucket_id": bucket_id, "segment_id": fill.segment_id}
            )
        begun, outcome = time.monotonic(), "postponed"
        try:
            if fill is not None:
                is_done = await self._fill(fill)
                if is_done:
                    await self._settle(fill)
                    # The next segment, and whoever asks, may read these members.
                    await self._statistics.gather()
            outcome = "done"
        except (*UNREACHABLE, *BUSY) as error:
            logger.warning("a fill in bucket %d was postponed: %s", bucket_id, error)
        except Exception:  # the worker's edge: a bug in one fill must not stop the others
            outcome = "failed"
            logger.exception("a fill in bucket %d failed", bucket_id)
        finally:
            self._schedule.finish(bucket_id)
            FILL_DURATION.labels(outcome).observe(time.monotonic() - begun)
        if is_done and fill is not None:
            self._leave_line(fill)
        if bucket_id in self._lines:
            self._want(bucket_id)
        self._start()
        if self._has_more and not self._lines:
            self._wakeups.wake(())

    async def _fill(self, fill: WaitingFill) -> bool:
        filling = self._membership.fill(fill.bucket_id, fill.segment_id, seconds=TURN_SECONDS)
        if traces.current is None:
            return await filling
        with traces.current.work("fill", named_ids(WORK.get())):
            return await filling

    async def _settle(self, fill: WaitingFill) -> None:
        async with self._ports.database.acquire() as connection:
            await fills.settle(connection, [fill])

    def _leave_line(self, fill: WaitingFill) -> None:
        """Take a fill out of its bucket's line, unless it was wanted once more in the meantime."""
        self._ended.add(fill)
        line = self._lines.get(fill.bucket_id, [])
        if fill in line:
            line.remove(fill)
        if not line:
            self._lines.pop(fill.bucket_id, None)
