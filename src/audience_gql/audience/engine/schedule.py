"""Which bucket is ticked next: live changes before bulk changes, and within each urgency the workspaces take turns.

It does not know what a tick is. It only orders buckets and remembers which ones are running.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import IntEnum


class Urgency(IntEnum):
    """How soon a bucket needs a tick."""

    LIVE = 0
    """A caller has just changed a fact, or an instant has come."""
    BULK = 1
    """An import, or a crowd that the clock moves at once. It waits for live buckets but never starves."""


class Schedule:
    """The buckets that need a tick, and a fixed number of slots for them.

    While both urgencies wait, neither takes all slots: one is kept for the other. A single slot serves live buckets first.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._spare = 1 if slots > 1 else 0
        self._turns = {urgency: _Turns() for urgency in Urgency}
        self._running: dict[int, Urgency] = {}
        self._again: dict[int, tuple[int, Urgency]] = {}

    def want(self, bucket_id: int, workspace_id: int, urgency: Urgency) -> None:
        """Request a tick of a bucket. A running bucket is ticked once more afterwards. Of two requests, the more urgent one counts."""
        if bucket_id in self._running:
            _, before = self._again.get(bucket_id, (workspace_id, urgency))
            self._again[bucket_id] = workspace_id, min(before, urgency)
        elif urgency is Urgency.LIVE:
            self._turns[Urgency.BULK].discard(bucket_id, workspace_id)
            self._turns[Urgency.LIVE].add(bucket_id, workspace_id)
        elif not self._turns[Urgency.LIVE].has(bucket_id, workspace_id):
            self._turns[Urgency.BULK].add(bucket_id, workspace_id)

    def start(self) -> int | None:
        """The bucket to tick now, which counts as running from here on; None when no bucket waits or no slot is free."""
        for urgency, other in ((Urgency.LIVE, Urgency.BULK), (Urgency.BULK, Urgency.LIVE)):
            is_kept = self._is_kept_for(other)
            if self._turns[urgency] and self._free > (self._spare if is_kept else 0):
                bucket_id = self._turns[urgency].take()
                self._running[bucket_id] = urgency
                self._free -= 1
                return bucket_id
        return None

    def finish(self, bucket_id: int) -> None:
        """Free the slot of a bucket whose tick has ended."""
        del self._running[bucket_id]
        self._free += 1
        again = self._again.pop(bucket_id, None)
        if again is not None:
            self.want(bucket_id, *again)

    def _is_kept_for(self, urgency: Urgency) -> bool:
        """Whether a slot must stay free for this urgency: for bulk only while a bulk bucket waits, for live always."""
        if urgency in self._running.values():
            return False
        return urgency is Urgency.LIVE or bool(self._turns[urgency])


class _Turns:
    """Workspaces in round-robin order, each with a queue of its buckets."""

    def __init__(self) -> None:
        self._workspaces: OrderedDict[int, OrderedDict[int, None]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._workspaces)

    def has(self, bucket_id: int, workspace_id: int) -> bool:
        return bucket_id in self._workspaces.get(workspace_id, ())

    def add(self, bucket_id: int, workspace_id: int) -> None:
        self._workspaces.setdefault(workspace_id, OrderedDict())[bucket_id] = None

    def discard(self, bucket_id: int, workspace_id: int) -> None:
        line = self._workspaces.get(workspace_id)
        if line is not None:
            line.pop(bucket_id, None)
            if not line:
                del self._workspaces[workspace_id]

    def take(self) -> int:
        workspace_id, line = self._workspaces.popitem(last=False)
        bucket_id, _ = line.popitem(last=False)
        if line:
            self._workspaces[workspace_id] = line  # at the end of the round
        return bucket_id
