"""Ticks buckets when they are signalled, when something is due, and when a sweep finds what no signal told.

It decides nothing about membership; a tick too many costs a millisecond, a tick too few waits for the next sweep.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Collection
from datetime import datetime, timedelta
from typing import Final

from audience_gql.audience.engine.alarms import Alarms
from audience_gql.audience.engine.membership import Membership, Ticked
from audience_gql.audience.engine.schedule import Schedule, Urgency
from audience_gql.audience.engine.sharing import MISSED_AFTER, Share
from audience_gql.audience.ports import Ports
from audience_gql.storage.database import BUSY, UNREACHABLE
from audience_gql.storage.engine import sweeps
from audience_gql.storage.facts import BULK

_BEAT_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.5
_LISTEN_SECONDS: Final = 60.0
_FAILURE_SECONDS: Final = 10.0
_LEAVE_SECONDS: Final = 2.0
_AHEAD: Final = 2
"""A sweep looks ahead to the sweep after the next one."""
_SWEEP_SHARE: Final = 20
"""A sweep that took long is repeated only after so many times as long, however much there is to find."""

logger = logging.getLogger(__name__)


class Ticker:
    """The resident loop of a worker process. Any number of them share the buckets among themselves."""

    def __init__(
        self, ports: Ports, membership: Membership, *, sweep_seconds: float, concurrency: int
    ) -> None:
        self._ports = ports
        self._membership = membership
        self._sweep_seconds = self._pause = sweep_seconds
        self._schedule = Schedule(concurrency)
        self._alarms = Alarms()
        self._alarms_changed = asyncio.Event()
        self._workspaces: dict[int, int] = {}
        """By bucket; buckets never move."""
        self._running: set[asyncio.Task[None]] = set()
        self._ahead_seconds = 0.0
        """How far the database's clock is ahead of ours."""
        self._worker_id: int | None = None
        self._started_at: datetime | None = None
        self._share = Share(0)
        self._share_changed = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        loops = [
            asyncio.create_task(loop, name=name)
            for name, loop in (
                ("listen", self._listen()),
                ("timer", self._ring_alarms()),
                ("sweep", self._sweep_for_ever()),
                ("beat", self._beat_for_ever()),
            )
        ]
        try:
            await asyncio.gather(*loops)
        finally:
            tasks = [*loops, *self._running]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._retire()

    # ---- what wants a tick

    async def _listen(self) -> None:
        async with self._ports.signals.marks() as wakeups:
            while True:
                named = await wakeups.wait(_LISTEN_SECONDS)
                own = [bucket_id for bucket_id in named if self._share.has(bucket_id)]
                await self._while_reachable("signals", self._want_live(own))

    async def _want_live(self, bucket_ids: Collection[int]) -> None:
        unknown = [bucket_id for bucket_id in bucket_ids if bucket_id not in self._workspaces]
        if unknown:
            async with self._ports.database.acquire() as connection:
                self._workspaces |= await sweeps.workspaces_of(connection, unknown)
        for bucket_id in bucket_ids:
            self._want(bucket_id, Urgency.LIVE)

    async def _ring_alarms(self) -> None:
        """Want each bucket at its instant."""
        while True:
            now = time.time()
            for bucket_id in self._alarms.ring(now):
                self._want(bucket_id, Urgency.LIVE)
            first = self._alarms.next_at() or now + _LISTEN_SECONDS
            self._alarms_changed.clear()
            try:
                async with asyncio.timeout(max(first - now, 0.001)):
                    await self._alarms_changed.wait()
            except TimeoutError:
                continue

    async def _sweep_for_ever(self) -> None:
        while True:
            begun = time.monotonic()
            await self._while_reachable("sweep", self._sweep())
            self._pause = max(self._sweep_seconds, _SWEEP_SHARE * (time.monotonic() - begun))
            self._share_changed.clear()
            try:
                async with asyncio.timeout(self._pause):
                    await self._share_changed.wait()
            except TimeoutError:
                continue

    async def _sweep(self) -> None:
        async with self._ports.database.acquire() as connection:
            now = await self._ports.clock.now(connection)
            self._ahead_seconds = now.timestamp() - time.time()
            upto = now + timedelta(seconds=_AHEAD * self._pause)
            found = await sweeps.pending_buckets(connection, upto)
        for pending in found:
            if self._share.has(pending.bucket_id):
                self._workspaces[pending.bucket_id] = pending.workspace_id
                if pending.due_at is None:
                    self._want(pending.bucket_id, Urgency.BULK if pending.lane == BULK else Urgency.LIVE)
                else:
                    self._wake_at(pending.bucket_id, pending.due_at)

    # ---- ticking

    def _want(self, bucket_id: int, urgency: Urgency) -> None:
        workspace_id = self._workspaces.get(bucket_id)
        if workspace_id is not None:  # else it is gone
            self._alarms.clear(bucket_id)
            self._schedule.want(bucket_id, workspace_id, urgency)
            self._start()

    def _start(self) -> None:
        """Begin as many ticks as there are slots for."""
        while (bucket_id := self._schedule.start()) is not None:
            task = asyncio.create_task(self._tick(bucket_id), name=f"tick {bucket_id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _tick(self, bucket_id: int) -> None:
        ticked: Ticked | None = None
        try:
            ticked = await self._membership.tick(bucket_id)
        except (*UNREACHABLE, *BUSY) as error:
            logger.warning("tick of bucket %d put off: %s", bucket_id, error)
            self._set_alarm(bucket_id, time.time() + _RETRY_SECONDS)
        except Exception:  # the worker's edge: one bucket's bug must not stop the others
            logger.exception("tick of bucket %d failed", bucket_id)
            self._set_alarm(bucket_id, time.time() + _FAILURE_SECONDS)
        finally:
            self._schedule.finish(bucket_id)
        if ticked is not None:
            self._see_to_the_next(bucket_id, ticked)
        self._start()

    def _see_to_the_next(self, bucket_id: int, ticked: Ticked) -> None:
        """What is due already is a part of what is left, and as urgent as that."""
        if ticked.left is not None:
            self._want(bucket_id, ticked.left)
        if ticked.next_due_at is not None and ticked.next_due_at > ticked.now:
            self._wake_at(bucket_id, ticked.next_due_at)

    def _wake_at(self, bucket_id: int, due_at: datetime) -> None:
        """What lies beyond the next sweeps, they will find; so alarms are as few as what is about to happen."""
        at = due_at.timestamp() - self._ahead_seconds
        if at <= time.time() + _AHEAD * self._pause:
            self._set_alarm(bucket_id, at)

    def _set_alarm(self, bucket_id: int, at: float) -> None:
        self._alarms.set(bucket_id, at)
        self._alarms_changed.set()

    # ---- who else is there

    async def _beat_for_ever(self) -> None:
        while True:
            await self._while_reachable("beat", self._beat())
            await asyncio.sleep(_BEAT_SECONDS)

    async def _beat(self) -> None:
        async with self._ports.database.acquire() as connection:
            now = await self._ports.clock.now(connection)
            if self._worker_id is None:
                self._worker_id = await self._ports.database.ids.one(connection)
                self._started_at = now
            alive = await sweeps.beat(
                connection, self._worker_id, self._started_at or now, now, missed_after=MISSED_AFTER
            )
            share = Share(self._worker_id, alive)
        if share != self._share:
            self._share = share
            self._share_changed.set()  # look at once for what is ours by now

    async def _retire(self) -> None:
        if self._worker_id is None:
            return
        try:
            async with asyncio.timeout(_LEAVE_SECONDS), self._ports.database.acquire() as connection:
                await sweeps.retire(connection, self._worker_id)
        except UNREACHABLE as error:
            logger.warning("others will miss this worker only later: %s", error)

    async def _while_reachable(self, what: str, work: Awaitable[None]) -> None:
        """Do it, unless Postgres is away or busy: then there is a next time."""
        try:
            await work
        except (*UNREACHABLE, *BUSY) as error:
            logger.warning("%s put off: %s", what, error)
