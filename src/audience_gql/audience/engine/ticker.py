"""Ticks buckets when they are signalled, when something is due, and when a sweep finds work whose signal was lost.

It decides nothing about membership. An unnecessary tick costs a millisecond, and a missing tick waits for the next sweep.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import Final

from audience_gql.audience.engine.alarms import Alarms
from audience_gql.audience.engine.membership import Membership, Ticked
from audience_gql.audience.engine.rounds import Rounds
from audience_gql.audience.engine.schedule import Schedule, Urgency
from audience_gql.audience.engine.sharing import MISSED_AFTER, Share
from audience_gql.audience.ports import Ports
from audience_gql.audience.tasks import end
from audience_gql.storage.engine import sweeps
from audience_gql.storage.people.facts import BULK
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE
from audience_gql.telemetry.ids import WORK
from audience_gql.telemetry.metrics import MEMBERSHIP_CHANGES, TICK_DURATION, TICK_LATENCY

_BEAT_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.5
_LISTEN_SECONDS: Final = 60.0
_FAILURE_SECONDS: Final = 10.0
_LEAVE_SECONDS: Final = 2.0
_AHEAD: Final = 2
"""How many pauses between sweeps a sweep looks ahead: up to the sweep after the next one."""
_SWEEP_SHARE: Final = 20
"""The pause after a sweep is at least this many times as long as the sweep took."""

logger = logging.getLogger(__name__)


class Ticker:
    """The resident loop of a worker process. All workers share the buckets among themselves."""

    def __init__(
        self,
        ports: Ports,
        membership: Membership,
        *,
        sweep_seconds: float,
        concurrency: int,
        job_rounds: Rounds | None = None,
    ) -> None:
        """`job_rounds` are those of the process' other loop; its beat tells of them, for the two may fail apart."""
        self.after_tick: Callable[[int, int, Ticked], None] = lambda *_: None
        """Called after each tick with the bucket's id, its workspace's id and what the tick did."""
        self._ports = ports
        self._membership = membership
        self._sweep_seconds = self._pause = sweep_seconds
        self._job_rounds = job_rounds or Rounds()
        self._schedule = Schedule(concurrency)
        self._alarms = Alarms()
        self._alarms_changed = asyncio.Event()
        self._workspaces: dict[int, int] = {}
        """Workspace ids by bucket id. A bucket never moves to another workspace."""
        self._wanted: dict[int, tuple[float, Urgency]] = {}
        """Since when each waiting bucket needs a tick, for the metrics, and how urgently it did then."""
        self._running: set[asyncio.Task[None]] = set()
        self._ahead_seconds = 0.0
        """How many seconds the database's clock is ahead of this process' clock."""
        self._worker_id: int | None = None
        self._started_at: datetime | None = None
        self._share = Share(0)
        self._share_changed = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled."""
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
            ended, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            for loop in ended:
                loop.result()  # a loop ends only by a bug, which ends the worker
        finally:
            await end(*loops, *self._running)
            await self._retire()

    def is_own(self, bucket_id: int) -> bool:
        """Whether the bucket is in this worker's share, as of its last beat."""
        return self._share.has(bucket_id)

    @property
    def running(self) -> int:
        """How many ticks run."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many buckets wait for a tick. A bucket that is ticked now may wait for the next tick already."""
        return len(self._wanted)

    def wake_at(self, bucket_id: int, due_at: datetime) -> None:
        """Request a tick of the bucket at this instant, unless one comes sooner. Call it again after a tick: a tick sets the alarm anew."""
        at = due_at.timestamp() - self._ahead_seconds
        if bucket_id in self._workspaces and at <= time.time() + _AHEAD * self._pause:
            self._alarms.bring_forward(bucket_id, at)
            self._alarms_changed.set()

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
        """Request a tick of each bucket at the instant of its alarm."""
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
        if workspace_id is not None:  # None when the bucket was deleted
            self._alarms.clear(bucket_id)
            self._schedule.want(bucket_id, workspace_id, urgency)
            self._wanted.setdefault(bucket_id, (time.monotonic(), urgency))
            self._start()

    def _start(self) -> None:
        """Start ticks until all slots are in use."""
        while (bucket_id := self._schedule.start()) is not None:
            task = asyncio.create_task(self._tick(bucket_id), name=f"tick {bucket_id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _tick(self, bucket_id: int) -> None:
        ticked: Ticked | None = None
        begun, outcome = time.monotonic(), "postponed"
        wanted = self._wanted.pop(bucket_id, None)
        WORK.set({"workspace_id": self._workspaces[bucket_id], "bucket_id": bucket_id})
        try:
            ticked = await self._membership.tick(bucket_id)
            outcome = "done"
        except (*UNREACHABLE, *BUSY) as error:
            logger.warning("the tick of bucket %d was postponed: %s", bucket_id, error)
            self._set_alarm(bucket_id, time.time() + _RETRY_SECONDS)
        except Exception:  # the worker's edge: a bug in one bucket must not stop the others
            logger.exception("the tick of bucket %d failed", bucket_id)
            outcome = "failed"
            self._set_alarm(bucket_id, time.time() + _FAILURE_SECONDS)
        finally:
            self._schedule.finish(bucket_id)
            TICK_DURATION.labels(outcome).observe(time.monotonic() - begun)
        if ticked is not None:
            self._measure(ticked, wanted)
            self._plan_next(bucket_id, ticked)
        self._start()

    def _measure(self, ticked: Ticked, wanted: tuple[float, Urgency] | None) -> None:
        MEMBERSHIP_CHANGES.inc(ticked.changes)
        if wanted is not None:
            since, urgency = wanted
            TICK_LATENCY.labels(urgency.name.lower()).observe(time.monotonic() - since)

    def _plan_next(self, bucket_id: int, ticked: Ticked) -> None:
        """Schedule the bucket's next tick. An instant that is already due belongs to the marks that are left, with their urgency."""
        if ticked.remaining is not None:
            self._want(bucket_id, ticked.remaining)
        if ticked.next_due_at is not None and ticked.next_due_at > ticked.now:
            self._wake_at(bucket_id, ticked.next_due_at)
        self.after_tick(bucket_id, self._workspaces[bucket_id], ticked)

    def _wake_at(self, bucket_id: int, due_at: datetime) -> None:
        """Set an alarm, unless the instant is so far ahead that a later sweep will find it. This keeps the number of alarms small."""
        at = due_at.timestamp() - self._ahead_seconds
        if at <= time.time() + _AHEAD * self._pause:
            self._set_alarm(bucket_id, at)

    def _set_alarm(self, bucket_id: int, at: float) -> None:
        self._alarms.set(bucket_id, at)
        self._alarms_changed.set()

    # ---- sharing with other workers

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
            ago = self._job_rounds.ago
            alive = await sweeps.beat(
                connection,
                self._worker_id,
                self._started_at or now,
                now,
                looked_for_jobs_at=None if ago is None else now - ago,
                missed_after=MISSED_AFTER,
            )
            share = Share(self._worker_id, alive)
        if share != self._share:
            self._share = share
            self._share_changed.set()  # sweep at once: this worker may have new buckets

    async def _retire(self) -> None:
        if self._worker_id is None:
            return
        try:
            async with asyncio.timeout(_LEAVE_SECONDS), self._ports.database.acquire() as connection:
                await sweeps.retire(connection, self._worker_id)
        except UNREACHABLE as error:
            logger.warning(
                "this worker could not sign off; others notice its absence after %s: %s", MISSED_AFTER, error
            )

    async def _while_reachable(self, what: str, work: Awaitable[None]) -> None:
        """Await `work`. When Postgres is away or busy, log that and return: the caller's loop tries again."""
        try:
            await work
        except (*UNREACHABLE, *BUSY) as error:
            logger.warning("%s postponed: %s", what, error)
