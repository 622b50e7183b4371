"""How large segments were, interval by interval, and how they overlap."""

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
"""So that there are at most 255 combinations."""


@enum(
    "The length of an interval.",
    HOUR="An hour of UTC.",
    DAY="A day of the workspace's time zone.",
    WEEK="A week, from Monday on, of the workspace's time zone.",
)
class Interval(StrEnum):
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"


@strawberry.type(description="How large a segment was in an interval.")
class SegmentSize:
    at: datetime = strawberry.field(description="When the interval begins.")
    members: int = strawberry.field(
        description="How many people were in it when the interval ended; in the one under way, how many are now."
    )
    entered: int = strawberry.field(description="How many entered it meanwhile.")
    left: int = strawberry.field(description="How many left it meanwhile.")


@strawberry.type(
    description="The people whom some segments have in common, and no other that was asked about."
)
class SegmentOverlap:
    members: int = strawberry.field(
        description="How many people are in all of these and in none of the others: exact up to half a million memberships of "
        "all that were asked about together, otherwise estimated from an even share of the audience."
    )

    @strawberry.field(
        description="Which segments: one, or several that overlap.",
        graphql_type=Segments,
        metadata={"up_to": MOST_SEGMENTS},
    )
    @staticmethod
    async def segments(parent: strawberry.Parent[Overlap], info: Info) -> list[models.Segment]:
        found = await info.context.loaders.segments.load_many(parent.segment_ids)
        return [segment for segment in found if segment is not None]


@dataclass(frozen=True, slots=True)
class Span:
    """The intervals of a history; the last one ends at `end`."""

    starts: tuple[datetime, ...]
    end: datetime


def span_of(start: datetime, end: datetime, every: Interval, timezone: str) -> Span:
    """The intervals of which any part lies in [start, end). Raises BadUserInput for none, and for too many."""
    if start >= end:
        raise BadUserInput("`from` must lie before `to`.", argument="from")
    bounds = _bounds(start, every, ZoneInfo(timezone))
    starts = [next(bounds)]
    for bound in islice(bounds, MOST_SIZES):
        if bound >= end:
            return Span(tuple(starts), bound)
        starts.append(bound)
    raise BadUserInput(f"At most {MOST_SIZES:,} intervals; ask for fewer or longer ones.", argument="every")


def _bounds(start: datetime, every: Interval, zone: ZoneInfo) -> Iterator[datetime]:
    """When intervals begin: first the one that holds an instant, then those that follow."""
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
        description="How segments overlap: for each combination of them that anybody is in, how many people are in exactly "
        "these. The largest come first.",
        graphql_type=list[SegmentOverlap],
        metadata={"up_to": 2**MOST_SEGMENTS - 1},
    )
    @staticmethod
    async def segment_overlap(
        info: Info,
        segment_ids: Annotated[
            list[strawberry.ID], strawberry.argument(description=f"Which: 1 to {MOST_SEGMENTS}.")
        ],
    ) -> list[Overlap]:
        if not 1 <= len(set(segment_ids)) <= MOST_SEGMENTS:
            message = f"Name 1 to {MOST_SEGMENTS} segments, not {len(set(segment_ids))}."
            raise BadUserInput(message, argument="segmentIds")
        found = await info.context.loaders.segments.load_many(
            ids.number_of(Kind.SEGMENT, text) or 0 for text in segment_ids
        )
        for index, segment in enumerate(found):
            if segment is None:
                raise NotFound("there is no segment with this id", ("segmentIds", str(index)))
        return await segment_figures.overlaps(
            info.context.heavy_ports.database,
            info.context.workspace.id,
            {segment.id for segment in found if segment is not None},
        )
