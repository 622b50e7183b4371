"""The current state of segments for the clients that watch them: one reader per workspace, however many watchers.

It reports what segments are now. The single changes are the feed's job.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Final

from audience_gql.audience.failures import NotFound
from audience_gql.audience.ports import Ports
from audience_gql.audience.tasks import end
from audience_gql.audience.wakeups import Listener
from audience_gql.storage.postgres.database import UNREACHABLE
from audience_gql.storage.reads import batches
from audience_gql.storage.reads.batches import WatchedSegment

_AWAY_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 60.0


class SegmentWatch:
    """The segment watchers of one process."""

    def __init__(self, ports: Ports, *, pause_seconds: float = 1.0, poll_seconds: float = 5.0) -> None:
        """`pause_seconds` is the shortest time between two reads of a workspace, and between two reports of a segment."""
        self._ports = ports
        self._pause_seconds = pause_seconds
        self._poll_seconds = poll_seconds
        self._watches: dict[int, _WorkspaceWatch] = {}

    async def follow(
        self, workspace_id: int, segment_ids: Collection[int]
    ) -> AsyncGenerator[WatchedSegment, None]:
        """Each of these segments at once, and again after its size, state or definition changed. It ends when all are deleted.

        While Postgres is away, it waits. Raises NotFound with the position of the first id that does not exist.
        """
        async with self._watch(workspace_id) as watch, watch.watching(segment_ids) as listener:
            await watch.read()
            for place, segment_id in enumerate(segment_ids):
                if segment_id not in watch.found:
                    raise NotFound("there is no segment with this id", ("ids", place))
            sent: dict[int, WatchedSegment] = {}
            while found := watch.of(segment_ids):
                for segment_id, watched in found.items():
                    if sent.get(segment_id) != watched:
                        sent[segment_id] = watched
                        yield watched
                await asyncio.sleep(self._pause_seconds)
                await listener.wait(_PATIENCE_SECONDS)
                watch.check()

    @asynccontextmanager
    async def _watch(self, workspace_id: int) -> AsyncIterator[_WorkspaceWatch]:
        """The workspace's reader. The first watcher starts it, and the last one ends it."""
        watch = self._watches.get(workspace_id)
        if watch is None:
            watch = self._watches[workspace_id] = _WorkspaceWatch(self._ports, workspace_id)
            watch.task = asyncio.create_task(
                watch.run(self._pause_seconds, self._poll_seconds), name="segment watch"
            )
        watch.watchers += 1
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                del self._watches[workspace_id]
                await watch.close()


class _WorkspaceWatch:
    """The reader of one workspace's watched segments, and what it has read."""

    task: asyncio.Task[None]

    def __init__(self, ports: Ports, workspace_id: int) -> None:
        self._ports = ports
        self._workspace_id = workspace_id
        self._watching: dict[Listener, Collection[int]] = {}
        self._reading = asyncio.Lock()
        self.watchers = 0
        self.found: dict[int, WatchedSegment] = {}

    def of(self, segment_ids: Collection[int]) -> dict[int, WatchedSegment]:
        return {id_: self.found[id_] for id_ in segment_ids if id_ in self.found}

    @asynccontextmanager
    async def watching(self, segment_ids: Collection[int]) -> AsyncIterator[Listener]:
        listener = Listener()
        self._watching[listener] = segment_ids
        try:
            yield listener
        finally:
            del self._watching[listener]

    async def read(self) -> None:
        """Read every watched segment in one statement. Reads do not overlap, so that an older result never replaces a newer one."""
        async with self._reading:
            wanted = sorted({segment_id for ids in self._watching.values() for segment_id in ids})
            while True:
                with suppress(*UNREACHABLE):
                    found = await batches.watched_segments(self._ports.database, self._workspace_id, wanted)
                    if found != self.found:
                        self.found = found
                        self._wake()
                    return
                await asyncio.sleep(_AWAY_SECONDS)

    async def run(self, pause_seconds: float, poll_seconds: float) -> None:
        """Read after each signal of the workspace, and every `poll_seconds`."""
        try:
            async with self._ports.signals.changes(self._workspace_id) as wakeups:
                while True:
                    await wakeups.wait(poll_seconds)
                    await self.read()
                    await asyncio.sleep(pause_seconds)
        finally:
            self._wake()

    def check(self) -> None:
        """Raise the error that ended the reader, if it has ended."""
        if self.task.done():
            self.task.result()

    async def close(self) -> None:
        await end(self.task)

    def _wake(self) -> None:
        for listener in self._watching:
            listener.wake(())
