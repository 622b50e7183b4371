"""The sizes of segments over time, and the intervals that times are divided into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

import strawberry

from audience_gql.api.errors import BadUserInput
from audience_gql.api.shapes import enum
from audience_gql.conditions.limits import LAST_YEAR

MOST_SIZES: Final = 1_000


@enum(
    "The length of an interval.",
    HOUR="A clock hour in UTC.",
    DAY="A calendar day in the workspace's time zone.",
    WEEK="A week from Monday to Sunday in the workspace's time zone.",
)
class Interval(StrEnum):
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"


@strawberry.type(description="A segment's size in one interval.")
class SegmentSize:
    at: datetime = strawberry.field(description="The beginning of the interval.")
    members: int = strawberry.field(
        description="The number of members at the end of the interval; for the current interval, the number now."
    )
    entered: int = strawberry.field(description="The number of entries during the interval.")
    left: int = strawberry.field(description="The number of exits during the interval.")


@dataclass(frozen=True, slots=True)
class Span:
    """The beginnings of a history's intervals, and the end of the last one."""

    starts: tuple[datetime, ...]
    end: datetime


def span_of(start: datetime, end: datetime, every: Interval, timezone: str) -> Span:
    """The intervals that overlap [start, end). Raises BadUserInput if there is none, or more than MOST_SIZES."""
    if start >= end:
        raise BadUserInput("`from` must be before `to`.", argument="from")
    bounds = _bounds(start, every, ZoneInfo(timezone))
    starts = [next(bounds)]
    for bound in islice(bounds, MOST_SIZES):
        if bound >= end:
            return Span(tuple(starts), bound)
        starts.append(bound)
    raise BadUserInput(
        f"A history has at most {MOST_SIZES:,} intervals. Ask for fewer or longer intervals.",
        argument="every",
    )


def _bounds(start: datetime, every: Interval, zone: ZoneInfo) -> Iterator[datetime]:
    """The beginnings of intervals: of the one that contains `start`, then of those after it."""
    if every is Interval.HOUR:
        hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        while True:
            yield hour
            hour += timedelta(hours=1)
    day = start.astimezone(zone).date()
    if every is Interval.WEEK:
        day -= timedelta(days=day.weekday())
    while day.year <= LAST_YEAR + 1:
        yield _midnight(day, zone)
        day += timedelta(days=7 if every is Interval.WEEK else 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
