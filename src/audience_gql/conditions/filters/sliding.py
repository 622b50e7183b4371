"""A window that moves forward over events in order of time, so that later verdicts need not look at all events again.

Only predictions use it. The plain evaluation decides the verdict of now, and this must agree with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Generic, TypeVar

from audience_gql.conditions.filters.interval import End, Interval
from audience_gql.conditions.values import exact_sum

T = TypeVar("T")


class SlidingWindow:
    """Says which of `times` are in an interval at a given instant. `times` must ascend."""

    def __init__(self, times: Sequence[datetime], interval: Interval) -> None:
        self._times = times
        self._interval = interval

    def range_at(self, now: datetime) -> tuple[int, int]:
        """The first position and the one after the last. Times after `now` never count."""
        first, end = 0, bisect_right(self._times, now)
        if self._interval.start is not None:
            side = bisect_right if self._interval.start_is == ">" else bisect_left
            first = side(self._times, _instant(self._interval.start, now))
        if self._interval.end is not None:
            side = bisect_right if self._interval.end_is == "<=" else bisect_left
            end = min(end, side(self._times, _instant(self._interval.end, now)))
        return first, max(first, end)

    def turns(self, after: datetime) -> Iterator[datetime]:
        """The instants after `after` at which a time enters or leaves the interval, in any order."""
        for offset in {timedelta(), *self._interval.offsets()}:
            start = bisect_right(self._times, after - offset)
            yield from (time + offset for time in self._times[start:])


class Running(ABC, Generic[T]):
    """An aggregate over a range of positions that moves forward: values are added at its end and removed at its start."""

    def __init__(self, values: Sequence[T | None]) -> None:
        self._values = values
        self._first = self._end = 0

    def move(self, first: int, end: int) -> None:
        """Move to the positions from `first` to before `end`. Neither may decrease. Values that are None do not count."""
        for value in self._values[self._end : end]:
            if value is not None:
                self._add(value)
        for value in self._values[self._first : first]:
            if value is not None:
                self._take(value)
        self._first, self._end = first, end

    def asking(self, verdict: Callable[[], bool]) -> Callable[[int, int], bool]:
        """A function that moves to the given positions and then returns `verdict()`."""

        def holds(first: int, end: int) -> bool:
            self.move(first, end)
            return verdict()

        return holds

    @abstractmethod
    def _add(self, value: T) -> None: ...

    @abstractmethod
    def _take(self, value: T) -> None: ...


class RunningTotal(Running[Decimal]):
    """The exact sum of the numbers, and how many there are."""

    def __init__(self, values: Sequence[Decimal | None]) -> None:
        super().__init__(values)
        self.total = Decimal(0)
        self.count = 0

    def _add(self, value: Decimal) -> None:
        self.total = exact_sum((self.total, value))
        self.count += 1

    def _take(self, value: Decimal) -> None:
        self.total = exact_sum((self.total, value.copy_negate()))
        self.count -= 1


class RunningExtremes(Running[Decimal]):
    """The least and the greatest number.

    It keeps only numbers that can still become one of them: a later, more extreme number removes the earlier ones.
    """

    def __init__(self, values: Sequence[Decimal | None]) -> None:
        super().__init__(values)
        self._ascending: deque[Decimal] = deque()
        self._descending: deque[Decimal] = deque()

    @property
    def both(self) -> Sequence[Decimal]:
        """The least and the greatest; empty without numbers."""
        return (self._ascending[0], self._descending[0]) if self._ascending else ()

    def _add(self, value: Decimal) -> None:
        while self._ascending and self._ascending[-1] > value:
            self._ascending.pop()
        while self._descending and self._descending[-1] < value:
            self._descending.pop()
        self._ascending.append(value)
        self._descending.append(value)

    def _take(self, value: Decimal) -> None:
        for kept in (self._ascending, self._descending):
            if kept[0] == value:
                kept.popleft()


class RunningVariety(Running[Hashable]):
    """How many different values there are."""

    def __init__(self, values: Sequence[Hashable | None]) -> None:
        super().__init__(values)
        self._counts: Counter[Hashable] = Counter()

    @property
    def count(self) -> int:
        return len(self._counts)

    def _add(self, value: Hashable) -> None:
        self._counts[value] += 1

    def _take(self, value: Hashable) -> None:
        self._counts[value] -= 1
        if not self._counts[value]:
            del self._counts[value]


def first_turn(
    turns: Iterable[datetime], now: datetime, holds_at: Callable[[datetime], bool]
) -> datetime | None:
    """The first of these instants at which the verdict differs from now's; None if there is none. Calls `holds_at` in order of time."""
    verdict = holds_at(now)
    return next((at for at in sorted(set(turns)) if holds_at(at) is not verdict), None)


def _instant(end: End, now: datetime) -> datetime:
    return now - end if isinstance(end, timedelta) else end
