"""Remembers the buckets of workspaces for a process on a cluster, so that a write need not ask all machines which there are.

A bucket never leaves its workspace, so only new ones can be missing here. The open bucket may have been closed by another process: people
who are added to it all the same make it a little larger than it should be, and nothing else.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_WORKSPACES: Final = 10_000
"""How many workspaces to remember. The least recently used one is dropped first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceBuckets:
    ids: frozenset[int]
    """All buckets of the workspace."""
    open_id: int
    """The bucket for new people."""


class KnownBuckets:
    """What the connections of one pool know. An answer counts for `kept_seconds`; after that, it counts only while nobody can answer."""

    def __init__(self, *, kept_seconds: float = 10.0) -> None:
        self.kept_seconds = kept_seconds
        self._found: OrderedDict[int, WorkspaceBuckets] = OrderedDict()
        self._stale_at: dict[int, float] = {}

    def find(self, workspace_id: int) -> WorkspaceBuckets | None:
        """What is known, however old it is."""
        found = self._found.get(workspace_id)
        if found is not None:
            self._found.move_to_end(workspace_id)
        return found

    def is_stale(self, workspace_id: int) -> bool:
        return time.monotonic() >= self._stale_at.get(workspace_id, 0.0)

    def remember(self, workspace_id: int, buckets: WorkspaceBuckets) -> None:
        self._found[workspace_id] = buckets
        self.keep(workspace_id, self.kept_seconds)
        if len(self._found) > _WORKSPACES:
            dropped, _ = self._found.popitem(last=False)
            self._stale_at.pop(dropped, None)

    def keep(self, workspace_id: int, seconds: float) -> None:
        """Do not ask again for so long."""
        self._stale_at[workspace_id] = time.monotonic() + seconds

    def forget_open(self, bucket_id: int) -> None:
        """Ask again next time who gets new people, if it is this bucket: this process closes it."""
        for workspace_id, buckets in self._found.items():
            if buckets.open_id == bucket_id:
                self._stale_at.pop(workspace_id, None)
