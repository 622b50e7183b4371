"""Where calendar periods move people: no crossing is missed, and none is due too late."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from audience_gql.conditions.base import CalendarEdge
from audience_gql.conditions.calendar import LocalCalendar
from audience_gql.storage.engine import calendar_edges
from tests.audience.test_simulated_clock import HOME, ZONES

_NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
_HOUR = timedelta(hours=1)


def random_edge(chance: Random) -> CalendarEdge:
    first = chance.choice([1, 1, 2, 3])
    return CalendarEdge(
        ref=1,
        period=chance.choice(["day", "day", "week", "month", "quarter"]),
        first=first,
        last=chance.choice([first - 1, 0]),
        week_start=chance.choice(["MONDAY", "SATURDAY", "SUNDAY"]),
    )


def turns(edge: CalendarEdge, occurred_at: datetime, zone: str) -> list[datetime]:
    """When an event of somebody who lives there crosses the edge."""
    calendar = LocalCalendar(zone=zone, week_start=edge.week_start)
    return [
        calendar.start_of(edge.period, occurred_at, moved=moved)
        for moved in range(edge.last + 1, edge.first + 1)
    ]


def test_no_event_crosses_before_it_is_due() -> None:
    chance = Random(1)
    ahead = 0
    for _ in range(1_000):
        edge, after = random_edge(chance), _NOON + chance.randrange(100) * _HOUR
        events = sorted(
            (
                after - chance.randrange(-24, 24 * chance.choice([3, 60, 300])) * _HOUR,
                chance.choice(ZONES) or HOME,
            )
            for _ in range(4)
        )
        truth = [at for occurred_at, zone in events for at in turns(edge, occurred_at, zone) if at > after]
        found = [at for at, _ in events if at > calendar_edges.search_from(edge, after)]

        due = calendar_edges.next_crossing_from(edge, found[0], after) if found else None
        by_marks = [calendar_edges.next_crossing(edge, at, after) for at, _ in events]

        if truth:
            ahead += 1
            assert due is not None
            assert after < due <= min(truth)
            assert after < min(at for at in by_marks if at is not None) <= min(truth)
    assert ahead > 100


@pytest.mark.parametrize("length", [_HOUR, 20 * _HOUR, 80 * _HOUR, 700 * _HOUR])
def test_everybody_who_crosses_is_in_a_window(length: timedelta) -> None:
    chance = Random(str(length))
    crossings = 0
    for _ in range(150):
        edge, after = random_edge(chance), _NOON + chance.randrange(100) * _HOUR
        occurred_at, zone = (
            after - chance.randrange(24 * chance.choice([2, 70])) * _HOUR,
            chance.choice(ZONES) or HOME,
        )
        crosses = any(after < at <= after + length for at in turns(edge, occurred_at, zone))

        windows = [
            (first, end)
            for found, zones in calendar_edges.windows([edge], after, after + length)
            if zones is None or zone in zones
            for _, first, end in found
        ]

        crossings += crosses
        assert not crosses or any(first <= occurred_at < end for first, end in windows)
    assert crossings > 0


def test_a_skipped_day_ends_with_the_day_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    edge = CalendarEdge(ref=1, period="day", first=1, last=0, week_start="MONDAY")
    skip = datetime(2011, 12, 30, 10, tzinfo=UTC)  # from 29 to 31 December in Samoa
    begun = [
        (date(2011, 12, 31), ("Pacific/Apia",))
    ]  # without the zones where that day begins at the same instant
    monkeypatch.setattr(calendar_edges, "days_beginning", lambda *_: begun)

    windows = [
        (first, end)
        for found, zones in calendar_edges.windows([edge], skip - _HOUR, skip)
        if zones == ("Pacific/Apia",)
        for _, first, end in found
    ]

    assert any(first <= skip - _HOUR < end for first, end in windows)
