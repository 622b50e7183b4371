"""Lets automations act in the buckets of this worker: after a tick that concerns them, at the end of a hold, and when a sweep finds more.

It decides nothing about runs. An unnecessary look costs a millisecond, and a missing one waits for the next sweep.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias

from audience_gql.audience.acting.actor import Actor
from audience_gql.audience.engine.membership import Ticked
from audience_gql.audience.engine.schedule import Schedule, Urgency
from audience_gql.audience.ports import Ports
from audience_gql.audience.tasks import end
from audience_gql.storage.acting import automations, runs
from audience_gql.storage.engine import sweeps
from audience_gql.storage.engine.membership import ListKind
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE
from audience_gql.telemetry import traces
from audience_gql.telemetry.ids import WORK, named_ids
from audience_gql.telemetry.metrics import ACTING_DURATION

BUCKETS_AT_A_TIME: Final = 3
SWEEP_SECONDS: Final = 2.0
_AHEAD: Final = 3
"""How many pauses between sweeps a sweep looks ahead."""

_Lists: TypeAlias = frozenset[tuple[ListKind, int]]

_TRACES_KEPT: Final = 8
"""How many ticks before the latest one a look is linked to."""

logger = logging.getLogger(__name__)


class WakesBuckets(Protocol):
    """What the dispatcher needs of the ticker."""

    def is_own(self, bucket_id: int) -> bool: ...

    def wake_at(self, bucket_id: int, due_at: datetime) -> None:
        """Request a tick of the bucket at this instant, unless one comes sooner."""
        ...


class Dispatcher:
    """The acting of one worker process. It keeps in memory what it has read, and may be lost at any time."""

    def __init__(self, ports: Ports, actor: Actor, *, sweep_seconds: float = SWEEP_SECONDS) -> None:
        self._ports = ports
        self._actor = actor
        self._sweep_seconds = sweep_seconds
        self._schedule = Schedule(BUCKETS_AT_A_TIME)
        self._ticker: WakesBuckets | None = None
        self._triggers: dict[int, tuple[int, _Lists]] = {}
        """By workspace, the lists that start automations, and the version of the definitions under which they were read."""
        self._changed: dict[int, tuple[int, set[tuple[ListKind, int]]]] = {}
        """By bucket that waits because the triggers are unknown: the version that was seen, and the lists that changed."""
        self._traces: dict[int, tuple[str, ...]] = {}
        """By bucket, the traces of the ticks since the last look."""
        self._due: dict[int, datetime] = {}
        """By bucket, when its first hold ends."""
        self._workspaces: dict[int, int] = {}
        self._running: set[asyncio.Task[None]] = set()

    def attend(self, ticker: WakesBuckets) -> Callable[[int, int, Ticked], None]:
        """Work for this ticker. Returns the function that it calls after each of its ticks."""
        self._ticker = ticker
        return self._ticked

    async def run(self) -> None:
        """Sweep every few seconds. Run until cancelled."""
        try:
            while True:
                try:
                    await self.sweep()
                except (*UNREACHABLE, *BUSY) as error:
                    logger.warning("the sweep for automations was postponed: %s", error)
                await asyncio.sleep(self._sweep_seconds)
        finally:
            await end(*self._running)

    async def sweep(self) -> None:
        """Find the buckets with work that no tick told of, and the holds that end soon."""
        async with self._ports.database.acquire() as connection:
            if not await automations.have_been_made(connection):
                return  # most installations never make one, and every sweep counts there
            now = await self._ports.clock.now(connection)
            waiting = set(await runs.buckets_with_work(connection))
            due = await runs.ending_holds(connection, now + timedelta(seconds=_AHEAD * self._sweep_seconds))
            unknown = (waiting | due.keys()) - self._workspaces.keys()
            self._workspaces |= await sweeps.workspaces_of(connection, unknown)
        for bucket_id in self._own(waiting):
            self._want(bucket_id, self._workspaces[bucket_id])
        for bucket_id in self._own(due):
            self._set_due(bucket_id, due[bucket_id])

    def _own(self, bucket_ids: Iterable[int]) -> list[int]:
        own = self._ticker.is_own if self._ticker is not None else (lambda _: False)
        return [bucket_id for bucket_id in bucket_ids if own(bucket_id) and bucket_id in self._workspaces]

    def _ticked(self, bucket_id: int, workspace_id: int, ticked: Ticked) -> None:
        """Act if the tick changed a list that starts automations, or if a hold may have ended with it."""
        if ticked.trace is not None:
            self._traces[bucket_id] = (*self._traces.get(bucket_id, ())[-_TRACES_KEPT:], ticked.trace)
        known = self._triggers.get(workspace_id)
        due_at = self._due.get(bucket_id)
        if due_at is not None and due_at > ticked.now:
            self._set_due(bucket_id, due_at)  # the tick has replaced the alarm
        is_due = due_at is not None and due_at <= ticked.now
        is_new = known is None or known[0] != ticked.definitions_version
        if not is_new and known is not None and (is_due or not known[1].isdisjoint(ticked.lists)):
            self._want(bucket_id, workspace_id)
        elif is_due or is_new:
            _, lists = self._changed.get(bucket_id, (0, set()))
            self._changed[bucket_id] = ticked.definitions_version, lists | ticked.lists
            self._want(bucket_id, workspace_id)

    def _want(self, bucket_id: int, workspace_id: int) -> None:
        self._workspaces[bucket_id] = workspace_id
        self._schedule.want(bucket_id, workspace_id, Urgency.LIVE)
        self._start()

    def _start(self) -> None:
        """Start looks until all slots are in use."""
        while (bucket_id := self._schedule.start()) is not None:
            task = asyncio.create_task(self._look(bucket_id), name=f"act {bucket_id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _look(self, bucket_id: int) -> None:
        begun, outcome = time.monotonic(), "postponed"
        traced = self._traces.pop(bucket_id, ())
        WORK.set({"workspace_id": self._workspaces[bucket_id], "bucket_id": bucket_id})
        try:
            if traced and traces.current is not None:
                with traces.current.following("act", traced, named_ids(WORK.get()), is_child=True):
                    await self._act(bucket_id)
            else:
                await self._act(bucket_id)
            outcome = "done"
        except (*UNREACHABLE, *BUSY) as error:
            logger.warning("automations in bucket %d wait: %s", bucket_id, error)
        except Exception:  # the worker's edge: a bug in one bucket must not stop the others
            outcome = "failed"
            logger.exception("automations in bucket %d failed", bucket_id)
        finally:
            self._schedule.finish(bucket_id)
            ACTING_DURATION.labels(outcome).observe(time.monotonic() - begun)
        self._start()

    async def _act(self, bucket_id: int) -> None:
        workspace_id = self._workspaces[bucket_id]
        version, _ = self._changed.pop(bucket_id, (None, set()))
        if version is not None:
            async with self._ports.database.acquire() as connection:
                lists = await automations.trigger_lists(connection, workspace_id)
            self._triggers[workspace_id] = version, lists
            if not lists:
                self._due.pop(bucket_id, None)
                return
        await self._actor.act(bucket_id)
        async with self._ports.database.acquire() as connection:
            due_at = await runs.next_due(connection, bucket_id)
        if due_at is None:
            self._due.pop(bucket_id, None)
        else:
            self._set_due(bucket_id, due_at)

    def _set_due(self, bucket_id: int, due_at: datetime) -> None:
        self._due[bucket_id] = due_at
        if self._ticker is not None:
            self._ticker.wake_at(bucket_id, due_at)
