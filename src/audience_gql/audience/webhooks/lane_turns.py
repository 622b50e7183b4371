"""Which lane is sent next: endpoints take turns, and one that fails has few places. It does not know what sending is."""

from __future__ import annotations

from collections import Counter, OrderedDict

from audience_gql.storage.acting.deliveries import Lane


class LaneTurns:
    """The lanes that wait, and a fixed number of places for those that are being sent.

    Endpoints whose last attempt failed have one place each, and half of all places together: so many receivers that never answer
    leave the other half to the rest.
    """

    def __init__(self, places: int, *, an_endpoint: int) -> None:
        self._places = places
        self._an_endpoint = an_endpoint
        self._waiting: OrderedDict[int, OrderedDict[Lane, None]] = OrderedDict()
        """By endpoint, in the order of their turns."""
        self._running: dict[Lane, bool] = {}
        """The lanes that have a place, and whether their endpoint was failing when they got it."""
        self._again: set[Lane] = set()
        self._used: Counter[int] = Counter()
        self._failing: set[int] = set()

    def want(self, lane: Lane) -> None:
        """Request a place for a lane. One that has a place already gets another turn afterwards."""
        if lane in self._running:
            self._again.add(lane)
        else:
            self._waiting.setdefault(lane.endpoint_id, OrderedDict())[lane] = None

    def start(self) -> Lane | None:
        """The lane to send now, which has a place from here on; None when nobody waits who may have one."""
        if len(self._running) >= self._places:
            return None
        endpoint_id = next(filter(self._may_start, self._waiting), None)
        if endpoint_id is None:
            return None
        line = self._waiting.pop(endpoint_id)
        lane, _ = line.popitem(last=False)
        if line:
            self._waiting[endpoint_id] = line  # at the end of the round
        self._running[lane] = endpoint_id in self._failing
        self._used[endpoint_id] += 1
        return lane

    def finish(self, lane: Lane, *, is_failing: bool | None) -> None:
        """Free the place of a lane. `is_failing` says whether its last attempt failed; None if there was none."""
        del self._running[lane]
        self._used[lane.endpoint_id] -= 1
        if not self._used[lane.endpoint_id]:
            del self._used[lane.endpoint_id]
        if is_failing is not None:
            (self._failing.add if is_failing else self._failing.discard)(lane.endpoint_id)
        if lane in self._again:
            self._again.discard(lane)
            self.want(lane)

    def _may_start(self, endpoint_id: int) -> bool:
        if endpoint_id in self._failing:
            return not self._used[endpoint_id] and sum(self._running.values()) < self._places // 2
        return self._used[endpoint_id] < self._an_endpoint
