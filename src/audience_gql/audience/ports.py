"""What the application needs from outside besides Postgres: the time, wake-ups, and a queue of jobs.

Narrow on purpose: tests replace them, and none of them holds anything that matters.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from audience_gql.storage.database import Connection, Database


class Clock(Protocol):
    """The one source of `now`. In production it is the database's, so that all processes agree."""

    async def now(self, connection: Connection) -> datetime:
        """The present, with a zone. Asked by a statement of its own, after any lock that the transaction waits for."""
        ...

    def at(self, database_time: datetime) -> datetime:
        """What this clock says when the database's, read a moment ago, says that."""
        ...


class Wakeups(Protocol):
    """A listener's end of a topic."""

    async def wait(self, timeout_seconds: float) -> frozenset[int]:
        """The ids named since the last call, as soon as there is one; empty after the timeout, or when some may have been lost."""
        ...


class Signals(Protocol):
    """Wake-ups between processes. Losing one costs latency, never a membership: listeners look for themselves now and then."""

    def marked(self, bucket_ids: Iterable[int]) -> None:
        """Facts of these buckets were committed. Returns at once, and never fails."""
        ...

    def changed(self, workspace_ids: Iterable[int]) -> None:
        """The membership log of these workspaces has grown, or a segment is not what it was. Returns at once, and never fails."""
        ...

    async def is_reachable(self) -> bool:
        """Whether the carrier of the signals answers."""
        ...

    def marks(self) -> AbstractAsyncContextManager[Wakeups]:
        """Listen for buckets with marks."""
        ...

    def changes(self, workspace_id: int) -> AbstractAsyncContextManager[Wakeups]:
        """Listen for growth of one workspace's log."""
        ...


class Jobs(Protocol):
    """Work for the worker. A lost job is found again by the worker's own sweep."""

    def fill(self, segment_ids: Iterable[int]) -> None:
        """Have these segments, which wait in the queue of fills, filled or recomputed soon. Returns at once, and never fails."""
        ...

    def clear(self, workspace_id: int) -> None:
        """Have what this workspace deleted cleared soon. Returns at once, and never fails."""
        ...

    def run_import(self, import_id: int) -> None:
        """Have the rows of this import written soon. Returns at once, and never fails."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything a use case needs, composed in app.py and worker.py."""

    database: Database
    clock: Clock
    signals: Signals
    jobs: Jobs
