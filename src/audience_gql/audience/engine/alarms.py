"""Buckets by the instant at which each wants to be woken: the next one first, however many there are."""

from __future__ import annotations

import heapq


class Alarms:
    """At most one alarm a bucket. Instants are seconds of any one clock."""

    def __init__(self) -> None:
        self._at: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, bucket_id: int, at: float) -> None:
        """Wake this bucket then, instead of whenever it wanted before."""
        if self._at.get(bucket_id) != at:
            self._at[bucket_id] = at
            heapq.heappush(self._heap, (at, bucket_id))

    def clear(self, bucket_id: int) -> None:
        self._at.pop(bucket_id, None)

    def next_at(self) -> float | None:
        """The first instant of all."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # cleared, or set to another instant since
        return self._heap[0][0] if self._heap else None

    def ring(self, now: float) -> list[int]:
        """The buckets whose instant has come; their alarms are cleared."""
        rung = []
        while (at := self.next_at()) is not None and at <= now:
            _, bucket_id = heapq.heappop(self._heap)
            del self._at[bucket_id]
            rung.append(bucket_id)
        return rung
