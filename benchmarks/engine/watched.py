"""Listens to membership changes as a client would: the signal wakes it, it reads the log and notes when it saw each change.

That is slightly later than the commit itself, by the signal and the read, so the measured delays are never too small.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from audience_gql.audience.ports import Ports

_LOOK_SECONDS = 1.0

_NEW_CHANGES = """
SELECT c.bucket_id, c.sequence, c.list_id, c.subscriber_id, c.entered, c.occurred_at
FROM unnest($1::bigint[], $2::bigint[]) AS b (id, after)
CROSS JOIN LATERAL (
  SELECT m.bucket_id, m.sequence, m.list_id, m.subscriber_id, m.entered, m.occurred_at FROM membership_changes m
  WHERE m.bucket_id = b.id AND m.sequence > b.after ORDER BY m.sequence LIMIT 5000) c
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """When a reader saw a change, by the machine's clock, and the change's instant in the log."""

    at: float
    occurred_at: datetime


@dataclass(slots=True)
class Watch:
    """The changes of some segments until now, by (segment, person, whether the person entered)."""

    seen: dict[tuple[int, int, bool], Seen] = field(default_factory=dict)
    listener: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        return len(self.seen)

    async def until(self, is_reached: Callable[[], bool], *, seconds: float) -> bool:
        """Wait until `is_reached` is true; False after a timeout. Raises the exception that ended the listening, if any."""
        deadline = time.monotonic() + seconds
        while not is_reached():
            if self.listener is not None and self.listener.done():
                self.listener.result()
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True


@asynccontextmanager
async def watching(
    ports: Ports, workspace_id: int, bucket_ids: Collection[int], segment_ids: Collection[int]
) -> AsyncIterator[Watch]:
    """Listen to these segments from now on."""
    watch, ready = Watch(), asyncio.Event()
    task = watch.listener = asyncio.create_task(
        _listen(ports, workspace_id, bucket_ids, frozenset(segment_ids), watch, ready)
    )
    try:
        await asyncio.wait({task, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _listen(
    ports: Ports,
    workspace_id: int,
    bucket_ids: Collection[int],
    segment_ids: frozenset[int],
    watch: Watch,
    ready: asyncio.Event,
) -> None:
    async with ports.signals.changes(workspace_id) as wakeups:
        rows = await ports.database.fetch(
            "SELECT id, next_sequence - 1 AS last FROM buckets WHERE id = ANY($1::bigint[])", list(bucket_ids)
        )
        last = {row["id"]: row["last"] for row in rows}
        ready.set()
        while True:
            await wakeups.wait(_LOOK_SECONDS)
            while await _read(ports, last, segment_ids, watch):
                pass


async def _read(ports: Ports, last: dict[int, int], segment_ids: frozenset[int], watch: Watch) -> bool:
    """Note new changes. Returns whether there were any."""
    rows = await ports.database.fetch(_NEW_CHANGES, list(last), list(last.values()))
    now = time.time()
    for row in rows:
        last[row["bucket_id"]] = max(last[row["bucket_id"]], row["sequence"])
        if row["list_id"] in segment_ids:
            key = (row["list_id"], row["subscriber_id"], row["entered"])
            watch.seen[key] = Seen(at=now, occurred_at=row["occurred_at"])
    return bool(rows)
