"""Replaces the ports in tests: a clock that moves only on request, signals within one process, jobs that are only recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from audience_gql.audience.wakeups import Listener
from audience_gql.storage.postgres.database import Connection


class SimulatedClock:
    """A clock that shows the time that the test sets."""

    def __init__(self, now: datetime) -> None:
        self.instant = now

    async def now(self, connection: Connection) -> datetime:  # noqa: ARG002  # the port's parameter
        return self.instant

    def at(self, database_time: datetime) -> datetime:  # noqa: ARG002  # the port's parameter
        return self.instant

    def advance(self, by: timedelta) -> datetime:
        self.instant += by
        return self.instant


class MemorySignals:
    """Signals within one process. The conformance tests of the real signals also test these."""

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
        """Do nothing. The real signals have connections to close."""


class NotedJobs:
    """Jobs that nobody runs. A test can look at the requests."""

    def __init__(self) -> None:
        self.fills: list[int] = []
        self.clearings: list[int] = []
        self.imports: list[int] = []
        self.exports: list[int] = []

    def fill(self, segment_ids: Iterable[int]) -> None:
        self.fills.extend(segment_ids)

    def clear(self, workspace_id: int) -> None:
        self.clearings.append(workspace_id)

    def run_import(self, import_id: int) -> None:
        self.imports.append(import_id)

    def run_export(self, export_id: int) -> None:
        self.exports.append(export_id)
