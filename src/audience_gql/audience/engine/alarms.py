"""The instant at which each bucket's next tick is due, earliest first."""

from __future__ import annotations

import heapq


class Alarms:
    """At most one alarm per bucket. Instants are seconds of one clock that the caller chooses."""

    def __init__(self) -> None:
        self._at: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, bucket_id: int, at: float) -> None:
        """Set the bucket's alarm, in place of an earlier one."""
        if self._at.get(bucket_id) != at:
            self._at[bucket_id] = at
            heapq.heappush(self._heap, (at, bucket_id))

    def bring_forward(self, bucket_id: int, at: float) -> None:
        """Set the bucket's alarm, unless it has an earlier one."""
        if at < self._at.get(bucket_id, float("inf")):
            self.set(bucket_id, at)

    def clear(self, bucket_id: int) -> None:
        self._at.pop(bucket_id, None)

    def next_at(self) -> float | None:
        """The earliest instant; None without alarms."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # it was cleared, or set to another instant
        return self._heap[0][0] if self._heap else None

    def ring(self, now: float) -> list[int]:
        """The buckets whose instant has come. Clears their alarms."""
        rung = []
        while (at := self.next_at()) is not None and at <= now:
            _, bucket_id = heapq.heappop(self._heap)
            del self._at[bucket_id]
            rung.append(bucket_id)
        return rung
