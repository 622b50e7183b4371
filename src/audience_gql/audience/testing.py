"""Stand-ins for the ports: a clock that stands still until it is moved, signals within one process, jobs that are only noted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from audience_gql.audience.wakeups import Listener
from audience_gql.storage.database import Connection


class SimulatedClock:
    """The time that the test says it is."""

    def __init__(self, now: datetime) -> None:
        self.instant = now

    async def now(self, connection: Connection) -> datetime:  # noqa: ARG002  # the port's
        return self.instant

    def at(self, database_time: datetime) -> datetime:  # noqa: ARG002  # the port's
        return self.instant

    def advance(self, by: timedelta) -> datetime:
        self.instant += by
        return self.instant


class MemorySignals:
    """Signals for tests that live in one process; held to the same conformance suite as the real ones."""

    def __init__(self) -> None:
        self._marks: set[Listener] = set()
        self._changes: dict[int, set[Listener]] = {}

    def marked(self, bucket_ids: Iterable[int]) -> None:
        named = tuple(bucket_ids)
        for listener in self._marks:
            listener.wake(named)

    def changed(self, workspace_ids: Iterable[int]) -> None:
        for workspace_id in workspace_ids:
            for listener in self._changes.get(workspace_id, ()):
                listener.wake((workspace_id,))

    async def is_reachable(self) -> bool:
        return True

    @asynccontextmanager
    async def marks(self) -> AsyncIterator[Listener]:
        listener = Listener()
        listener.wake(())
        self._marks.add(listener)
        try:
            yield listener
        finally:
            self._marks.discard(listener)

    @asynccontextmanager
    async def changes(self, workspace_id: int) -> AsyncIterator[Listener]:
        listener = Listener()
        listener.wake(())
        self._changes.setdefault(workspace_id, set()).add(listener)
        try:
            yield listener
        finally:
            self._changes[workspace_id].discard(listener)

    async def close(self) -> None:
        """Nothing to close; the real ones have."""


class NotedJobs:
    """Jobs that nobody works off; a test looks at what was asked for."""

    def __init__(self) -> None:
        self.fills: list[int] = []
        self.clearings: list[int] = []
        self.imports: list[int] = []

    def fill(self, segment_ids: Iterable[int]) -> None:
        self.fills.extend(segment_ids)

    def clear(self, workspace_id: int) -> None:
        self.clearings.append(workspace_id)

    def run_import(self, import_id: int) -> None:
        self.imports.append(import_id)
