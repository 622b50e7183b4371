"""Days as people live them, against dates looked up by hand: clocks changed at midnight, days left out, leap days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from audience_gql.conditions import calendar
from audience_gql.conditions.calendar import (
    age_on,
    anniversary,
    celebrated_on,
    day_start,
    days_beginning,
    days_elsewhere,
    first_today,
    local_day,
    next_anniversary,
    next_beginning,
)

_MICROSECOND = timedelta(microseconds=1)
_NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "zone", "start"),
    [
        ("2026-03-31", "UTC", "2026-03-31T00:00:00Z"),
        ("2026-03-29", "Europe/Vilnius", "2026-03-28T22:00:00Z"),  # the clocks change at three
        ("2026-03-30", "Europe/Vilnius", "2026-03-29T21:00:00Z"),
        ("2026-03-31", "Pacific/Kiritimati", "2026-03-30T10:00:00Z"),
        ("2026-03-31", "Etc/GMT+12", "2026-03-31T12:00:00Z"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),  # from 00:00 straight to 01:00
        ("2010-11-07", "America/St_Johns", "2010-11-07T02:30:00Z"),  # back at 00:01: midnight comes twice
        ("2011-12-31", "Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"),  # there was no such day
    ],
)
def test_a_day_begins(day: str, zone: str, start: str) -> None:
    assert day_start(date.fromisoformat(day), zone) == datetime.fromisoformat(start)


def test_a_day_is_not_left_again() -> None:
    begun = datetime(
        2010, 11, 7, 2, 30, tzinfo=UTC
    )  # St. John's: 00:00; a minute later it is 23:01 of the day before

    days = [
        local_day(at, "America/St_Johns", "UTC")
        for at in (begun - _MICROSECOND, begun, begun + timedelta(minutes=2), begun + timedelta(hours=2))
    ]

    assert days == [date(2010, 11, 6), date(2010, 11, 7), date(2010, 11, 7), date(2010, 11, 7)]


def test_who_has_no_zone_or_an_unknown_one_lives_in_the_default() -> None:
    assert local_day(_NOON, "Pacific/Kiritimati", "UTC") == date(2026, 4, 1)
    assert local_day(_NOON, None, "Pacific/Kiritimati") == date(2026, 4, 1)
    assert local_day(_NOON, "Mars/Olympus", "Pacific/Kiritimati") == date(2026, 4, 1)


@pytest.mark.parametrize("hours", range(0, 48, 5))
def test_days_elsewhere(hours: int) -> None:
    now = _NOON + timedelta(hours=hours, minutes=hours)
    elsewhere = days_elsewhere(now, "Europe/Vilnius")

    for zone in ("Pacific/Kiritimati", "Etc/GMT+12", "America/New_York", "Asia/Tokyo", "Europe/Vilnius"):
        assert elsewhere.get(zone, local_day(now, None, "Europe/Vilnius")) == local_day(now, zone, "UTC")
    assert first_today(now) == min([*elsewhere.values(), local_day(now, None, "Europe/Vilnius")])


def test_days_beginning_name_each_day_and_zone_once_at_its_instant() -> None:
    begun = [(day, zone) for day, zones in days_beginning(_NOON, _NOON + timedelta(days=1)) for zone in zones]
    exactly = [
        zone
        for _, zones in days_beginning(
            datetime(2026, 3, 31, 21, tzinfo=UTC) - _MICROSECOND, datetime(2026, 3, 31, 21, tzinfo=UTC)
        )
        for zone in zones
    ]

    assert len(begun) == len(set(begun))
    assert {day for day, _ in begun} == {date(2026, 4, 1), date(2026, 4, 2)}
    assert {day for day, zone in begun if zone == "America/New_York"} == {date(2026, 4, 1)}
    assert "Europe/Vilnius" in exactly  # three hours ahead of UTC in summer
    assert "Europe/Warsaw" not in exactly
    assert list(days_beginning(_NOON, _NOON)) == []


def test_next_beginning() -> None:
    assert next_beginning(date(2026, 4, 2), _NOON) == datetime(2026, 4, 1, 10, tzinfo=UTC)  # Kiritimati
    later = datetime(2026, 4, 2, 11, tzinfo=UTC)
    assert next_beginning(date(2026, 4, 2), later) == datetime(2026, 4, 2, 12, tzinfo=UTC)  # Etc/GMT+12
    assert next_beginning(date(2026, 4, 2), datetime(2026, 4, 2, 12, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("day", "year", "celebrated"),
    [
        (date(1996, 2, 29), 2024, date(2024, 2, 29)),
        (date(1996, 2, 29), 2025, date(2025, 3, 1)),
        (date(1996, 2, 29), 2100, date(2100, 3, 1)),
        (date(1990, 12, 31), 2026, date(2026, 12, 31)),
    ],
)
def test_anniversaries(day: date, year: int, celebrated: date) -> None:
    assert anniversary(day, year) == celebrated
    assert day.replace(year=2000) in celebrated_on(celebrated)


def test_only_leap_days_move() -> None:
    assert celebrated_on(date(2025, 3, 1)) == (date(2000, 2, 29), date(2000, 3, 1))
    assert celebrated_on(date(2024, 3, 1)) == (date(2000, 3, 1),)
    assert next_anniversary(date(1996, 2, 29), date(2025, 3, 1)) == date(2025, 3, 1)
    assert next_anniversary(date(1996, 2, 29), date(2025, 3, 2)) == date(2026, 3, 1)


def test_age() -> None:
    leap_day = date(2008, 2, 29)

    assert [age_on(date(2026, 2, 28), leap_day), age_on(date(2026, 3, 1), leap_day)] == [17, 18]
    assert [age_on(date(2028, 2, 28), leap_day), age_on(date(2028, 2, 29), leap_day)] == [19, 20]
    assert [age_on(leap_day, leap_day), age_on(leap_day - timedelta(days=1), leap_day)] == [0, None]


def test_instants_that_are_used_in_turn_stay_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditions that look ahead ask about several instants at every tick, most of them later than now."""
    for minutes in range(0, 3_000, 20):
        days_elsewhere(_NOON + timedelta(days=90, minutes=minutes), "UTC")
    computed, honest = [], calendar._era_around

    def counting(now: datetime) -> calendar._Era:
        computed.append(now)
        return honest(now)

    monkeypatch.setattr(calendar, "_era_around", counting)
    for minutes in range(0, 180, 10):
        for ahead in (timedelta(), timedelta(days=93)):
            days_elsewhere(_NOON + ahead + timedelta(minutes=minutes), "UTC")

    assert 0 < len(computed) <= 10
