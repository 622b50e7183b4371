"""Which bucket is ticked next: live changes before bulk ones, and within either every workspace in its turn.

It must not know what a tick is; it only orders buckets, and remembers which of them are under way.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import IntEnum


class Urgency(IntEnum):
    """How soon a bucket is wanted."""

    LIVE = 0
    """Somebody changed something just now, or an instant has come."""
    BULK = 1
    """An import, or a crowd that the clock moves at once: it may wait for the others, and never starves."""


class Schedule:
    """Buckets that want a tick, shared out over so many slots.

    While both wait, neither live nor bulk takes all slots: one is kept for the other. One slot serves live first.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._spare = 1 if slots > 1 else 0
        self._turns = {urgency: _Turns() for urgency in Urgency}
        self._running: dict[int, Urgency] = {}
        self._again: dict[int, tuple[int, Urgency]] = {}

    def want(self, bucket_id: int, workspace_id: int, urgency: Urgency) -> None:
        """Have a bucket ticked; one that is under way, once more after. Asked twice, the more urgent counts."""
        if bucket_id in self._running:
            _, before = self._again.get(bucket_id, (workspace_id, urgency))
            self._again[bucket_id] = workspace_id, min(before, urgency)
        elif urgency is Urgency.LIVE:
            self._turns[Urgency.BULK].discard(bucket_id, workspace_id)
            self._turns[Urgency.LIVE].add(bucket_id, workspace_id)
        elif not self._turns[Urgency.LIVE].has(bucket_id, workspace_id):
            self._turns[Urgency.BULK].add(bucket_id, workspace_id)

    def start(self) -> int | None:
        """The bucket to tick now, which counts as under way from here on; None when there is none, or no slot."""
        for urgency, other in ((Urgency.LIVE, Urgency.BULK), (Urgency.BULK, Urgency.LIVE)):
            is_kept = self._is_kept_for(other)
            if self._turns[urgency] and self._free > (self._spare if is_kept else 0):
                bucket_id = self._turns[urgency].take()
                self._running[bucket_id] = urgency
                self._free -= 1
                return bucket_id
        return None

    def finish(self, bucket_id: int) -> None:
        """A tick has ended."""
        del self._running[bucket_id]
        self._free += 1
        again = self._again.pop(bucket_id, None)
        if again is not None:
            self.want(bucket_id, *again)

    def _is_kept_for(self, urgency: Urgency) -> bool:
        """Whether a slot must stay free for these. Bulk ones only ask for it when they wait; a live one may come any moment."""
        if urgency in self._running.values():
            return False
        return urgency is Urgency.LIVE or bool(self._turns[urgency])


class _Turns:
    """Workspaces in a circle, each with its buckets in a line."""

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
            self._workspaces[workspace_id] = line  # at the end of the circle
        return bucket_id
