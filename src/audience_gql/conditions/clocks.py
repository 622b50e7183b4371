"""The clocks of all zones, written out for SQL, which must not use Postgres' own zones: those may differ, and they lack the rule that a day begins once.

A clock is a list of stretches. Within a stretch, the local time advances evenly. The days of this local time are those of
`calendar.local_day`: where clocks are set back across midnight, the clock stays on the new day. Within a day it may be wrong.
"""

from __future__ import annotations

import struct
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from audience_gql.conditions.calendar import ONE_DAY, known_zones

_FIRST: Final = datetime(1800, 1, 1, tzinfo=UTC)
"""No zone changed its clocks before."""
_END: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Later changes of clocks are not written out."""
_FOUR_WEEKS: Final = 28 * 86_400
"""No rule has a shorter summer or winter time."""
_28_YEARS: Final = (28 * 365 + 7) * 86_400
"""From 1901 to 2099, the calendar repeats itself after this many seconds, and with it all changes by a rule."""
_NOON: Final = timedelta(hours=12)
_EVENING: Final = timedelta(hours=20)
_PIECE: Final = timedelta(hours=6)
_MINUTE: Final = timedelta(minutes=1)
_HEADER: Final = ">4scxxxxxxxxxxxxxxx6l"
_HEADER_BYTES: Final = 44


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` on, the local time is `reading` plus the time since then. It ends where the next one begins."""

    start: datetime
    reading: datetime
    """A local time, without a zone."""


def clocks() -> Iterator[tuple[str, Sequence[Stretch]]]:
    """Every zone with its clock. The first stretch also holds for all earlier instants, and the last one for all later ones."""
    made: dict[bytes, Sequence[Stretch]] = {}  # many names share a file
    for zone in sorted(known_zones()):
        data = _file(zone)
        if data not in made:
            made[data] = _clock(ZoneInfo(zone), data)
        yield zone, made[data]


def clock_of(zone: str) -> Sequence[Stretch]:
    """The stretches of one zone. Both their starts and their readings ascend."""
    return _clock(ZoneInfo(zone), _file(zone))


def _clock(info: ZoneInfo, data: bytes) -> Sequence[Stretch]:
    stretches = [Stretch(_FIRST, _naive(_FIRST) + _offset(int(_FIRST.timestamp()), info))]
    for at in _changes(info, data):
        before, after = _offset(at - 1, info), _offset(at, info)
        if before != after:
            stretches += _from_change(datetime.fromtimestamp(at, UTC), before, after)
    return stretches


def _from_change(at: datetime, before: timedelta, after: timedelta) -> Iterator[Stretch]:
    """The stretches that begin with a change of the clocks: usually one. If a day would begin again, the change waits until its evening."""
    midnight = datetime.combine((_naive(at) - timedelta.resolution + before).date(), time())
    if _naive(at) + after > midnight:
        yield Stretch(at, _naive(at) + after)
        return
    resumed = (midnight + _EVENING - after).replace(tzinfo=UTC)
    if (
        _naive(resumed) + before >= midnight + ONE_DAY
    ):  # the old clock would reach the next day until then, so it is set to noon often
        for number in range(-((at - resumed) // _PIECE)):
            yield Stretch(at + number * _PIECE, midnight + _NOON + number * _MINUTE)
    yield Stretch(resumed, midnight + _EVENING)


def _changes(info: ZoneInfo, data: bytes) -> list[int]:
    """All seconds at which the zone's offset may change, in order."""
    listed, rule = _read(data)
    first, end = int(_FIRST.timestamp()), int(_END.timestamp())
    found = {at for at in listed if first < at < end}
    if "," in rule:  # summer time that goes on after the listed changes
        last = max(found, default=0)
        for at in _changes_in(range(last, last + _28_YEARS + _FOUR_WEEKS, _FOUR_WEEKS), info):
            found.update(range(at, end, _28_YEARS))
    return sorted(found)


def _changes_in(steps: range, info: ZoneInfo) -> Iterator[int]:
    offsets = ((at, _offset(at, info)) for at in steps)
    for (low, one), (high, other) in pairwise(offsets):
        if one != other:
            yield _change_between(low, high, info)


def _change_between(low: int, high: int, info: ZoneInfo) -> int:
    first = _offset(low, info)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle, info) == first else (low, middle)
    return high


def _read(data: bytes) -> tuple[tuple[int, ...], str]:
    """The changes that a zone's file lists, and the rule for later ones (RFC 9636)."""
    begin = _HEADER_BYTES + _block_bytes(data, 0, bytes_of_instant=4)
    times = _counts(data, begin)[3]
    first = begin + _HEADER_BYTES
    rule = first + _block_bytes(data, begin, bytes_of_instant=8)
    return struct.unpack_from(f">{times}q", data, first), data[rule:].decode("ascii").strip()


def _file(zone: str) -> bytes:
    """The file that ZoneInfo reads."""
    for folder in zoneinfo.TZPATH:
        path = Path(folder, zone)
        if path.is_file():
            return path.read_bytes()
    return files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()


def _counts(data: bytes, begin: int) -> tuple[int, ...]:
    """The six counts of a header: of UT indicators, standard indicators, leap seconds, changes, types and characters."""
    counts: tuple[int, ...] = struct.unpack_from(_HEADER, data, begin)[2:]
    return counts


def _block_bytes(data: bytes, begin: int, *, bytes_of_instant: int) -> int:
    ut, standard, leap, times, types, characters = _counts(data, begin)
    per_leap = bytes_of_instant + 4
    return times * (bytes_of_instant + 1) + types * 6 + characters + leap * per_leap + standard + ut


def _offset(at: int, info: ZoneInfo) -> timedelta:
    offset = datetime.fromtimestamp(at, info).utcoffset()
    assert offset is not None  # noqa: S101  # an instant in a zone has one
    return offset


def _naive(at: datetime) -> datetime:
    return at.replace(tzinfo=None)
