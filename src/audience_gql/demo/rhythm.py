"""When the replay repeats each purchase of the log: busy and quiet days stay so, with one purchase per second on average.

It must not know storage, the application or the clock: it yields instants.
"""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count
from operator import itemgetter
from typing import Final, NamedTuple

from audience_gql.demo.cdnow import Purchase, part_of_day

_PURCHASES_A_SECOND: Final = 1.0


class Replayed(NamedTuple):
    """A repeated purchase."""

    at: datetime
    purchase: Purchase
    key: str
    """The key of the event, different in every round. A purchase that is sent twice in a round counts once."""


class Rhythm:
    """The schedule of the replay. It begins with the demo's first start, has one purchase per second, and repeats at its end.

    It depends only on the clock: a demo that was stopped continues at the place of the present instant.
    """

    def __init__(self, log: Iterable[Purchase], first_start: datetime) -> None:
        self._first_start = first_start
        self._notes = sorted(_notes(log), key=itemgetter(0))
        self._seconds = len(self._notes) / _PURCHASES_A_SECOND

    def since(self, instant: datetime) -> Iterator[Replayed]:
        """All repeated purchases from an instant on, without end. Before the first start, there were rounds with negative numbers."""
        first_round, offset = divmod((instant - self._first_start).total_seconds(), self._seconds)
        first_note = bisect_left(self._notes, offset, key=itemgetter(0))
        for number in count(int(first_round)):
            begins = self._first_start + timedelta(seconds=number * self._seconds)
            for offset, purchase in self._notes[first_note:]:
                yield Replayed(
                    begins + timedelta(seconds=offset), purchase, f"replay-{number}-{purchase.line}"
                )
            first_note = 0


def _notes(log: Iterable[Purchase]) -> Iterator[tuple[float, Purchase]]:
    """Each purchase with its second in a round. Each month is scaled to one per second, as the first three had five times the customers."""
    months: dict[tuple[int, int], list[Purchase]] = defaultdict(list)
    for purchase in log:
        months[purchase.day.year, purchase.day.month].append(purchase)
    before = 0
    for year, month in sorted(months):
        purchases = months[year, month]
        days = monthrange(year, month)[1]
        for purchase in purchases:
            passed = (purchase.day.day - 1 + part_of_day(purchase)) / days
            yield (before + passed * len(purchases)) / _PURCHASES_A_SECOND, purchase
        before += len(purchases)
