"""What the application needs from outside besides Postgres: the time, wake-ups, and a queue of jobs.

The protocols are small on purpose: tests replace them. None of them holds data that may not be lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from audience_gql.storage.database import Connection, Database


class Clock(Protocol):
    """The only source of `now`. In production it is the database's clock, so that all processes agree."""

    async def now(self, connection: Connection) -> datetime:
        """The present, with a time zone. It needs a statement of its own, after the transaction has all locks that it waits for."""
        ...

    def at(self, database_time: datetime) -> datetime:
        """This clock's time if the database's clock has just shown `database_time`."""
        ...


class Wakeups(Protocol):
    """The listening side of a topic."""

    async def wait(self, timeout_seconds: float) -> frozenset[int]:
        """The ids signalled since the last call, as soon as there is one. Empty after the timeout, or if signals may have been lost."""
        ...


class Signals(Protocol):
    """Wake-ups between processes. A lost signal costs latency, never a membership, because listeners also poll."""

    def marked(self, bucket_ids: Iterable[int]) -> None:
        """Signal that facts in these buckets were committed. Returns at once, and never fails."""
        ...

    def changed(self, workspace_ids: Iterable[int]) -> None:
        """Signal that the membership log of these workspaces has grown or a segment has changed. Returns at once, and never fails."""
        ...

    async def is_reachable(self) -> bool:
        """Whether the service that carries the signals answers."""
        ...

    def marks(self) -> AbstractAsyncContextManager[Wakeups]:
        """Listen for buckets with new marks."""
        ...

    def changes(self, workspace_id: int) -> AbstractAsyncContextManager[Wakeups]:
        """Listen for changes in one workspace: a longer log or changed segments."""
        ...


class Jobs(Protocol):
    """Work for the worker. If a job is lost, the worker's own sweep finds the work."""

    def fill(self, segment_ids: Iterable[int]) -> None:
        """Request a fill or recompute of these segments, which wait in the queue of fills. Returns at once, and never fails."""
        ...

    def clear(self, workspace_id: int) -> None:
        """Request the clearing of what this workspace has deleted. Returns at once, and never fails."""
        ...

    def run_import(self, import_id: int) -> None:
        """Request that the rows of this import are written. Returns at once, and never fails."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything a use case needs, composed in app.py and worker.py."""

    database: Database
    clock: Clock
    signals: Signals
    jobs: Jobs
