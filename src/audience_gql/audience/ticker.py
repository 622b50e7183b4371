"""Ticks buckets when they are signalled, when something is due, and when a sweep finds what no signal told.

It decides nothing about membership; a tick too many costs a millisecond, a tick too few waits for the next sweep.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from audience_gql.audience.membership import Membership
from audience_gql.audience.ports import Ports
from audience_gql.storage import sweeps
from audience_gql.storage.database import BUSY, UNREACHABLE

_BEAT_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 0.5
_LISTEN_SECONDS: Final = 60.0
_FAILURE_SECONDS: Final = 10.0

logger = logging.getLogger(__name__)


class Ticker:
    """The resident loop of a worker process."""

    def __init__(
        self, ports: Ports, membership: Membership, *, sweep_seconds: float, concurrency: int
    ) -> None:
        self._ports = ports
        self._membership = membership
        self._sweep_seconds = sweep_seconds
        self._slots = asyncio.Semaphore(concurrency)
        self._wanted: set[int] = set()
        self._due: dict[int, float] = {}
        """When a bucket's next instant comes, by this process' clock."""
        self._due_changed = asyncio.Event()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._ahead_seconds = 0.0
        """How far the database's clock is ahead of ours."""

    async def run(self) -> None:
        """Until cancelled."""
        loops = [
            asyncio.create_task(loop, name=name)
            for name, loop in (
                ("listen", self._listen()),
                ("timer", self._fire_due()),
                ("sweep", self._sweep_for_ever()),
            )
        ]
        try:
            await asyncio.gather(*loops)
        finally:
            tasks = [*loops, *self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        async with self._ports.signals.marks() as wakeups:
            while True:
                self._want(await wakeups.wait(_LISTEN_SECONDS))

    async def _fire_due(self) -> None:
        """Want each bucket at its instant."""
        while True:
            now = time.time()
            self._want([bucket_id for bucket_id, at in self._due.items() if at <= now])
            first = min(self._due.values(), default=now + _LISTEN_SECONDS)
            self._due_changed.clear()
            try:
                async with asyncio.timeout(max(first - now, 0.001)):
                    await self._due_changed.wait()
            except TimeoutError:
                continue

    def _want(self, bucket_ids: Iterable[int]) -> None:
        """Tick these; one that is being ticked is ticked again after."""
        for bucket_id in bucket_ids:
            self._due.pop(bucket_id, None)
            self._wanted.add(bucket_id)
            if bucket_id not in self._running:
                task = asyncio.create_task(self._tick_while_wanted(bucket_id), name=f"tick {bucket_id}")
                self._running[bucket_id] = task

    async def _tick_while_wanted(self, bucket_id: int) -> None:
        try:
            while bucket_id in self._wanted:
                async with self._slots:
                    self._wanted.discard(bucket_id)
                    await self._tick(bucket_id)
        finally:
            del self._running[bucket_id]

    async def _tick(self, bucket_id: int) -> None:
        try:
            ticked = await self._membership.tick(bucket_id)
        except (*UNREACHABLE, *BUSY) as error:
            logger.warning("tick of bucket %d put off: %s", bucket_id, error)
            self._set_due(bucket_id, time.time() + _RETRY_SECONDS)
            return
        except Exception:  # the worker's edge: one bucket's bug must not stop the others
            logger.exception("tick of bucket %d failed", bucket_id)
            self._set_due(bucket_id, time.time() + _FAILURE_SECONDS)
            return
        if ticked is None:
            return
        if not ticked.is_drained:
            self._wanted.add(bucket_id)
        self._note_due(bucket_id, ticked.next_due_at)

    async def _sweep_for_ever(self) -> None:
        worker_id: int | None = None
        started_at: datetime | None = None
        beaten_at = 0.0
        while True:
            try:
                async with self._ports.database.acquire() as connection:
                    now = await self._ports.clock.now(connection)
                    self._ahead_seconds = now.timestamp() - time.time()
                    upto = now + timedelta(seconds=2 * self._sweep_seconds)
                    for pending in await sweeps.pending_buckets(connection, upto):
                        if pending.due_at is None:
                            self._want((pending.bucket_id,))
                        else:
                            self._note_due(pending.bucket_id, pending.due_at)
                    if time.monotonic() - beaten_at >= _BEAT_SECONDS:
                        worker_id = worker_id or await self._ports.database.ids.one(connection)
                        started_at = started_at or now
                        await sweeps.beat(connection, worker_id, started_at, now)
                        beaten_at = time.monotonic()
            except UNREACHABLE as error:
                logger.warning("sweep put off: %s", error)
            await asyncio.sleep(self._sweep_seconds)

    def _note_due(self, bucket_id: int, due_at: datetime | None) -> None:
        if due_at is not None:
            self._set_due(bucket_id, due_at.timestamp() - self._ahead_seconds)

    def _set_due(self, bucket_id: int, at: float) -> None:
        self._due[bucket_id] = at
        self._due_changed.set()
