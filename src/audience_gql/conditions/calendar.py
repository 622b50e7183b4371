"""Calendar days in time zones: when a day begins, which day it is, and when anniversaries are.

A local day begins once, at its first instant. If a change of clocks skips midnight, that may be 01:00. If clocks are set back
across midnight, the previous day does not return. Zones come from the IANA database that Python finds.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from threading import Lock
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from audience_gql.conditions.periods import Period, WeekStart, period_start
from audience_gql.conditions.zones import zone_named

ONE_DAY: Final = timedelta(days=1)
LEAP_YEAR: Final = 2000
"""The year in which the month and day of an anniversary are stored."""

_LONGEST_SKIP: Final = timedelta(hours=30)
"""No change of clocks has ever skipped more time. Samoa skipped a whole day."""
_ERAS_KEPT: Final = 64


@lru_cache(maxsize=16_384)
def day_start(day: date, zone: str) -> datetime:
    """The first instant of a day in a zone. If the zone skipped the day, the first instant of the next day there."""
    info = _zone_info(zone)
    # If midnight comes twice, `fold=0` is the first one. If midnight was skipped, it is an instant after the change.
    start = datetime.combine(day, time(), info).astimezone(UTC)
    if start.astimezone(info).replace(tzinfo=None) == datetime.combine(day, time()):
        return start
    return _first_second_of(day, info, start - _LONGEST_SKIP, start + _LONGEST_SKIP)


def zone_of(zone: str | None, default_zone: str) -> str:
    """The zone that applies to a person: their own, or the default zone if theirs is missing or unknown."""
    return zone if zone is not None and zone in known_zones() else default_zone


def local_day(now: datetime, zone: str | None, default_zone: str) -> date:
    """The date at `now` for a person with this zone or without one."""
    return _local_day(now, zone_of(zone, default_zone))


def days_elsewhere(now: datetime, default_zone: str) -> Mapping[str, date]:
    """The zones whose date differs from the default zone's, each with its date."""
    return _days_elsewhere(_era(now), zone_of(None, default_zone))


def days_elsewhere_json(now: datetime, default_zone: str) -> str:
    """The same as a JSON object of ISO dates. The text is cached as long as these dates last."""
    return _days_elsewhere_json(_era(now), zone_of(None, default_zone))


def periods_elsewhere_json(
    now: datetime, default_zone: str, period: Period, week_start: WeekStart, moved: int
) -> str:
    """A JSON object of the zones whose present period begins on another day than the default zone's, each with that day.

    With `moved`, it is about the period so many periods later. The text is cached as long as these days last.
    """
    return _periods_elsewhere_json(_era(now), zone_of(None, default_zone), period, week_start, moved)


def days_beginning(after: datetime, upto: datetime) -> Iterator[tuple[date, tuple[str, ...]]]:
    """The days that begin in (after, upto], each with the zones where it begins. Meant for short periods."""
    era = _era(after)
    while era.end <= upto:
        following = _following(era)
        begun: dict[date, list[str]] = {}
        for zone, day in following.days.items():
            if day != era.days[zone]:
                begun.setdefault(day, []).append(zone)
        for day, zones in sorted(begun.items()):
            yield day, tuple(zones)
        era = following


def next_beginning(day: date, after: datetime) -> datetime | None:
    """The first instant after `after` at which the day begins in any zone. None if it has begun in all zones."""
    starts = _beginnings(day)
    following = bisect_right(starts, after)
    return starts[following] if following < len(starts) else None


def first_today(now: datetime) -> date:
    """The earliest of all zones' dates. This day and all days before it have begun in every zone."""
    return min(_era(now).days.values())


def anniversary(day: date, year: int) -> date:
    """The anniversary of a day in a year. For 29 February it is 1 March in years without that day."""
    return date(year, day.month, 1) + timedelta(days=day.day - 1)


def next_anniversary(day: date, on_or_after: date) -> date:
    this_year = anniversary(day, on_or_after.year)
    return this_year if this_year >= on_or_after else anniversary(day, on_or_after.year + 1)


def yearly(day: date) -> date:
    """The same month and day in LEAP_YEAR."""
    return day.replace(year=LEAP_YEAR)


def celebrated_on(day: date) -> tuple[date, ...]:
    """The months and days, in LEAP_YEAR, whose anniversary is this day."""
    leap_day = date(LEAP_YEAR, 2, 29)
    if anniversary(leap_day, day.year) == day and day.month != leap_day.month:
        return leap_day, yearly(day)
    return (yearly(day),)


def age_on(today: date, birthday: date) -> int | None:
    """The age in completed years. None before the birth."""
    if today < birthday:
        return None
    return today.year - birthday.year - (anniversary(birthday, today.year) > today)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCalendar:
    """The calendar of a place: its zone, and the day on which weeks begin."""

    zone: str
    week_start: WeekStart

    def day_of(self, instant: datetime) -> date:
        return _local_day(instant, self.zone)

    def start_of(self, period: Period, instant: datetime, *, moved: int = 0) -> datetime:
        """When the period of an instant begins, or one that is `moved` periods later (earlier, if negative)."""
        return day_start(self.period_of(period, instant, moved=moved), self.zone)

    def period_of(self, period: Period, instant: datetime, *, moved: int = 0) -> date:
        """The first day of such a period."""
        return period_start(self.day_of(instant), period, self.week_start, moved=moved)


@dataclass(frozen=True, slots=True, eq=False)
class _Era:
    """A period in which no day begins in any zone."""

    start: datetime
    end: datetime
    days: Mapping[str, date]
    ends: Mapping[str, datetime]
    """When the next day begins, by zone."""


_eras: list[_Era] = []  # a cache, in order of time; guarded by the lock
_eras_used: OrderedDict[_Era, None] = OrderedDict()  # the same, the least recently used first
_eras_lock = Lock()


def _era(now: datetime) -> _Era:
    with _eras_lock:
        position = bisect_right(_eras, now, key=lambda era: era.start) - 1
        if position >= 0 and now < _eras[position].end:
            _eras_used.move_to_end(_eras[position])
            return _eras[position]
        era = _era_around(now)
        if len(_eras) == _ERAS_KEPT:  # not the oldest: conditions that look ahead use several in turn
            _eras.remove(_eras_used.popitem(last=False)[0])
        _eras.insert(bisect_right(_eras, era.start, key=lambda known: known.start), era)
        _eras_used[era] = None
        return era


@lru_cache(maxsize=256)
def _days_elsewhere(era: _Era, default_zone: str) -> Mapping[str, date]:
    here = era.days[default_zone]
    return {zone: day for zone, day in era.days.items() if day != here}


@lru_cache(maxsize=256)
def _days_elsewhere_json(era: _Era, default_zone: str) -> str:
    return json.dumps({zone: str(day) for zone, day in _days_elsewhere(era, default_zone).items()})


@lru_cache(maxsize=1_024)
def _periods_elsewhere_json(
    era: _Era, default_zone: str, period: Period, week_start: WeekStart, moved: int
) -> str:
    here = era.days[default_zone]
    starts = {day: period_start(day, period, week_start, moved=moved) for day in {*era.days.values()}}
    elsewhere = {zone: starts[day] for zone, day in era.days.items() if starts[day] != starts[here]}
    return json.dumps({zone: str(start) for zone, start in elsewhere.items()})


def _era_around(now: datetime) -> _Era:
    days = {zone: _local_day(now, zone) for zone in known_zones()}
    ends = {zone: day_start(day + ONE_DAY, zone) for zone, day in days.items()}
    start = max(day_start(day, zone) for zone, day in days.items())
    return _Era(start=start, end=min(ends.values()), days=days, ends=ends)


def _following(era: _Era) -> _Era:
    """The era that begins where this one ends. In most zones the date stays the same."""
    begun = {zone: _local_day(era.end, zone) for zone, end in era.ends.items() if end == era.end}
    ends = {**era.ends, **{zone: day_start(day + ONE_DAY, zone) for zone, day in begun.items()}}
    return _Era(start=era.end, end=min(ends.values()), days={**era.days, **begun}, ends=ends)


@lru_cache(maxsize=1_024)
def _beginnings(day: date) -> tuple[datetime, ...]:
    """All instants at which the day begins in some zone, in order. Cached: a tick asks several times, and there are hundreds of zones."""
    return tuple(sorted({day_start(day, zone) for zone in known_zones()}))


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """The names of all zones, old names included."""
    return frozenset(name for name in available_timezones() if zone_named(name) is not None)


@cache
def _zone_info(zone: str) -> ZoneInfo:
    """The zone's data. The library keeps only eight zones, and reads the others from their files again."""
    return ZoneInfo(zone)


def _first_second_of(day: date, info: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second that belongs to the day or to a later one. Clocks change only at whole seconds."""
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, info).date() >= day:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)


def _local_day(now: datetime, zone: str) -> date:
    day = now.astimezone(_zone_info(zone)).date()
    return day + ONE_DAY if day_start(day + ONE_DAY, zone) <= now else day
