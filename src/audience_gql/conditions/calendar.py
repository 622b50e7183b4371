"""Days as people live them: when a day begins in a time zone, which day it is there now, when anniversaries fall.

A local day begins once: at its first instant, be that 01:00 after a change of clocks, and is not left again
when the clocks are set back across midnight. Zones come from the IANA database that Python finds.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from threading import Lock
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from audience_gql.conditions.zones import zone_named

ONE_DAY: Final = timedelta(days=1)
LEAP_YEAR: Final = 2000
"""The year under which the month and day of an anniversary are kept."""

_LONGEST_SKIP: Final = timedelta(hours=30)
"""No change of clocks has ever skipped more: Samoa left out a whole day."""
_ERAS_KEPT: Final = 64


@lru_cache(maxsize=16_384)
def day_start(day: date, zone: str) -> datetime:
    """The first instant of a day in a zone; of the next one that there was, where the day itself was skipped."""
    info = ZoneInfo(zone)
    # Of a midnight that comes twice, `fold=0` is the first; of one that was skipped, it lies behind the change.
    start = datetime.combine(day, time(), info).astimezone(UTC)
    if start.astimezone(info).replace(tzinfo=None) == datetime.combine(day, time()):
        return start
    return _first_second_of(day, info, start - _LONGEST_SKIP, start + _LONGEST_SKIP)


def zone_of(zone: str | None, default_zone: str) -> str:
    """The zone that counts for somebody with this one, or without one."""
    return zone if zone is not None and zone in _zones() else default_zone


def local_day(now: datetime, zone: str | None, default_zone: str) -> date:
    """The day that it is at `now`, for somebody with this zone, or without one."""
    return _local_day(now, zone_of(zone, default_zone))


def days_elsewhere(now: datetime, default_zone: str) -> Mapping[str, date]:
    """The zones in which it is another day than in the default one."""
    return _days_elsewhere(_era(now), zone_of(None, default_zone))


def days_elsewhere_json(now: datetime, default_zone: str) -> str:
    """The same as a JSON object of ISO dates. The text is made once for as long as these days last."""
    return _days_elsewhere_json(_era(now), zone_of(None, default_zone))


def days_beginning(after: datetime, upto: datetime) -> Iterator[tuple[date, tuple[str, ...]]]:
    """Which days begin in (after, upto], each with the zones where it does. Meant for short stretches."""
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
    """The first instant after `after` at which the day begins anywhere; None when it has begun everywhere."""
    starts = _beginnings(day)
    following = bisect_right(starts, after)
    return starts[following] if following < len(starts) else None


def first_today(now: datetime) -> date:
    """The day where it is the earliest of all days: whatever began up to it, has begun everywhere."""
    return min(_era(now).days.values())


def anniversary(day: date, year: int) -> date:
    """When the day is celebrated in a year: as it is, 29 February on 1 March where there is none."""
    return date(year, day.month, 1) + timedelta(days=day.day - 1)


def next_anniversary(day: date, on_or_after: date) -> date:
    this_year = anniversary(day, on_or_after.year)
    return this_year if this_year >= on_or_after else anniversary(day, on_or_after.year + 1)


def yearly(day: date) -> date:
    """The month and day alone."""
    return day.replace(year=LEAP_YEAR)


def celebrated_on(day: date) -> tuple[date, ...]:
    """The months and days that are celebrated on this day."""
    leap_day = date(LEAP_YEAR, 2, 29)
    if anniversary(leap_day, day.year) == day and day.month != leap_day.month:
        return leap_day, yearly(day)
    return (yearly(day),)


def age_on(today: date, birthday: date) -> int | None:
    """Years completed; None before the birth."""
    if today < birthday:
        return None
    return today.year - birthday.year - (anniversary(birthday, today.year) > today)


@dataclass(frozen=True, slots=True, eq=False)
class _Era:
    """A stretch of time in which no day begins anywhere."""

    start: datetime
    end: datetime
    days: Mapping[str, date]
    ends: Mapping[str, datetime]
    """When the next day begins, by zone."""


_eras: list[_Era] = []  # those asked for lately, in order of time; guarded by the lock
_eras_lock = Lock()


def _era(now: datetime) -> _Era:
    with _eras_lock:
        position = bisect_right(_eras, now, key=lambda era: era.start) - 1
        if position >= 0 and now < _eras[position].end:
            return _eras[position]
        era = _era_around(now)
        if len(_eras) == _ERAS_KEPT:
            _eras.pop(0)
        _eras.insert(bisect_right(_eras, era.start, key=lambda known: known.start), era)
        return era


@lru_cache(maxsize=256)
def _days_elsewhere(era: _Era, default_zone: str) -> Mapping[str, date]:
    here = era.days[default_zone]
    return {zone: day for zone, day in era.days.items() if day != here}


@lru_cache(maxsize=256)
def _days_elsewhere_json(era: _Era, default_zone: str) -> str:
    return json.dumps({zone: str(day) for zone, day in _days_elsewhere(era, default_zone).items()})


def _era_around(now: datetime) -> _Era:
    days = {zone: _local_day(now, zone) for zone in _zones()}
    ends = {zone: day_start(day + ONE_DAY, zone) for zone, day in days.items()}
    start = max(day_start(day, zone) for zone, day in days.items())
    return _Era(start=start, end=min(ends.values()), days=days, ends=ends)


def _following(era: _Era) -> _Era:
    """The era that begins where this one ends: for most zones the day goes on."""
    begun = {zone: _local_day(era.end, zone) for zone, end in era.ends.items() if end == era.end}
    ends = {**era.ends, **{zone: day_start(day + ONE_DAY, zone) for zone, day in begun.items()}}
    return _Era(start=era.end, end=min(ends.values()), days={**era.days, **begun}, ends=ends)


@lru_cache(maxsize=1_024)
def _beginnings(day: date) -> tuple[datetime, ...]:
    """When the day begins somewhere, in order: a tick asks several times, and there are hundreds of zones."""
    return tuple(sorted({day_start(day, zone) for zone in _zones()}))


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(name for name in available_timezones() if zone_named(name) is not None)


def _first_second_of(day: date, info: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Clocks change at whole seconds; the day begins at the first of them that belongs to it or to a later day."""
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, info).date() >= day:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)


def _local_day(now: datetime, zone: str) -> date:
    day = now.astimezone(ZoneInfo(zone)).date()
    return day + ONE_DAY if day_start(day + ONE_DAY, zone) <= now else day
