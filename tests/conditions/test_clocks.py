"""The clocks that SQL reads say the same days as the calendar, in all zones: around every change of clocks, and at random instants."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from random import Random

import pytest

from audience_gql.conditions.calendar import LocalCalendar, day_start
from audience_gql.conditions.clocks import Stretch, clock_of, clocks
from audience_gql.conditions.periods import Period, WeekStart, period_start

_HOURS = (-30, -20, -2, -1, 0, 1, 2, 20, 30)
_FIRST = datetime(1850, 1, 1, tzinfo=UTC)
_MOST = 40
"""Instants tried in each zone."""
_HARD = ["Pacific/Apia", "Australia/Lord_Howe", "Africa/Casablanca", "Africa/Cairo", "Asia/Beirut", "America/Havana", "America/Santiago", "Pacific/Kwajalein", "Asia/Gaza"]  # fmt: skip


def day_of(clock: Sequence[Stretch], at: datetime) -> date:
    """As sql/days.py computes it."""
    stretch = clock[max(bisect_right(clock, at, key=lambda each: each.start), 1) - 1]
    return (stretch.reading + (at - stretch.start)).date()


def start_of(clock: Sequence[Stretch], day: date) -> datetime:
    """As sql/days.py computes it."""
    midnight = datetime.combine(day, time())
    place = bisect_right(clock, midnight, key=lambda each: each.reading)
    start = clock[place - 1].start + (midnight - clock[place - 1].reading)
    return min(start, clock[place].start) if place < len(clock) else start


def instants(clock: Sequence[Stretch], chance: Random) -> Iterator[datetime]:
    for stretch in clock:
        for hours in _HOURS:
            yield stretch.start + timedelta(hours=hours, microseconds=chance.choice([-1, 0, 1]))
    for _ in range(_MOST):
        yield datetime(1900, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(199 * 365 * 86_400))


def wrong(zone: str, clock: Sequence[Stretch], tried: Sequence[datetime]) -> list[object]:
    found: list[object] = []
    calendar = LocalCalendar(zone=zone, week_start="MONDAY")
    for at in tried:
        day = calendar.day_of(at)
        found += [(zone, at, day)] * (day_of(clock, at) != day)
        for each in (day, day + timedelta(days=1)):
            found += [(zone, each)] * (start_of(clock, each) != day_start(each, zone))
    return found


def test_every_clock_says_the_days_of_the_calendar() -> None:
    chance = Random(20260331)

    for zone, clock in clocks():
        assert all(one.start < other.start and one.reading < other.reading for one, other in pairwise(clock))
        possible = [at for at in instants(clock, chance) if at > _FIRST]
        assert wrong(zone, clock, chance.sample(possible, min(len(possible), _MOST))) == []


@pytest.mark.parametrize("zone", _HARD)
def test_days_begin_once_where_clocks_are_changed_at_midnight(zone: str) -> None:
    clock = clock_of(zone)

    assert wrong(zone, clock, [at for at in instants(clock, Random(1)) if at > _FIRST]) == []


@pytest.mark.parametrize(
    ("day", "period", "week_start", "moved", "start"),
    [
        ("2026-03-31", "day", "MONDAY", -1, "2026-03-30"),
        ("2026-03-31", "week", "MONDAY", 0, "2026-03-30"),
        ("2026-03-29", "week", "MONDAY", 0, "2026-03-23"),
        ("2026-03-29", "week", "SUNDAY", 0, "2026-03-29"),
        ("2026-03-28", "week", "SUNDAY", 0, "2026-03-22"),
        ("2026-03-28", "week", "SATURDAY", -1, "2026-03-21"),
        ("2026-03-31", "month", "MONDAY", -1, "2026-02-01"),
        ("2026-01-31", "month", "MONDAY", -13, "2024-12-01"),
        ("2026-12-31", "month", "MONDAY", 1, "2027-01-01"),
        ("2026-03-31", "quarter", "MONDAY", -1, "2025-10-01"),
        ("2026-06-30", "quarter", "MONDAY", 0, "2026-04-01"),
        ("2026-06-30", "year", "MONDAY", -1, "2025-01-01"),
    ],
)
def test_a_period_begins(day: str, period: Period, week_start: WeekStart, moved: int, start: str) -> None:
    assert period_start(date.fromisoformat(day), period, week_start, moved=moved) == date.fromisoformat(start)
