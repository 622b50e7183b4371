"""The sizes of segments over time, and the overlap of segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.errors import BadUserInput
from audience_gql.api.failures import Segments
from audience_gql.api.ids import Kind
from audience_gql.api.shapes import enum
from audience_gql.audience.failures import NotFound
from audience_gql.conditions.limits import LAST_YEAR
from audience_gql.storage import models
from audience_gql.storage.reads import segment_figures
from audience_gql.storage.reads.segment_figures import Overlap

MOST_SIZES: Final = 1_000
MOST_SEGMENTS: Final = 8
"""More segments than this would have more than 255 combinations."""


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


@strawberry.type(description="The people who are in exactly these of the requested segments.")
class SegmentOverlap:
    members: int = strawberry.field(
        description="The number of people who are in all of `segments` and in no other requested segment. It is exact while the requested "
        "segments have up to 500,000 members together. Above that, it is estimated from a random share of the audience."
    )

    @strawberry.field(
        description="This combination: one segment, or several that overlap.",
        graphql_type=Segments,
        metadata={"up_to": MOST_SEGMENTS},
    )
    @staticmethod
    async def segments(parent: strawberry.Parent[Overlap], info: Info) -> list[models.Segment]:
        found = await info.context.loaders.segments.load_many(parent.segment_ids)
        return [segment for segment in found if segment is not None]


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


@strawberry.type
class SegmentOverlapQuery:
    @strawberry.field(
        description="The overlap of segments: for each combination of them, the number of people who are in exactly these segments. The "
        "largest comes first, and combinations without people are omitted. An unknown id is the error NOT_FOUND.",
        graphql_type=list[SegmentOverlap],
        metadata={"up_to": 2**MOST_SEGMENTS - 1},
    )
    @staticmethod
    async def segment_overlap(
        info: Info,
        segment_ids: Annotated[
            list[strawberry.ID],
            strawberry.argument(description=f"The ids of 1 to {MOST_SEGMENTS} segments."),
        ],
    ) -> list[Overlap]:
        if not 1 <= len(set(segment_ids)) <= MOST_SEGMENTS:
            message = f"`segmentIds` takes 1 to {MOST_SEGMENTS} segments, not {len(set(segment_ids))}."
            raise BadUserInput(message, argument="segmentIds")
        found = await info.context.loaders.segments.load_many(
            ids.number_of(Kind.SEGMENT, text) or 0 for text in segment_ids
        )
        for index, segment in enumerate(found):
            if segment is None:
                raise NotFound("there is no segment with this id", ("segment_ids", index))
        return await segment_figures.overlaps(
            info.context.heavy_ports.database,
            info.context.workspace.id,
            {segment.id for segment in found if segment is not None},
        )
