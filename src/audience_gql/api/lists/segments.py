"""Segments: dynamic lists, whose members are the people who match a condition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from audience_gql.api.conditions.explanations import Explanation
from audience_gql.api.conditions.inputs import stored_to_output
from audience_gql.api.context import Context, Info
from audience_gql.api.declaring import SAME, together, written
from audience_gql.api.insights import flow as insights_flow
from audience_gql.api.insights import forecasts, similarities
from audience_gql.api.insights import funnel as insights_funnel
from audience_gql.api.insights import performance as insights_performance
from audience_gql.api.insights.past import AsOf, MembersPage, members_as_of, members_page
from audience_gql.api.insights.sizes import MOST_SIZES, Interval, SegmentSize, span_of
from audience_gql.api.keys import SubscriberKey, subscriber_key
from audience_gql.api.lists import segment_history
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import (
    LONG_PAGE_SIZE,
    PAGE_SIZE,
    After,
    First,
    ListConnection,
    ListEdge,
    Listing,
    Page,
)
from audience_gql.api.scalars import Condition, instant_at
from audience_gql.api.shapes import enum
from audience_gql.audience.answers import explanations
from audience_gql.storage.insights.sizes import Size
from audience_gql.storage.log import LoggedChange
from audience_gql.storage.orm import models
from audience_gql.storage.reads import list_pages, rows
from audience_gql.storage.reads.composed.pieces import At
from audience_gql.storage.reads.composed.sources import PageSource
from audience_gql.storage.reads.records import FIGURES, Columns

if TYPE_CHECKING:
    from audience_gql.api.lists.membership import MembershipChangeConnection
    from audience_gql.api.people.subscribers import SegmentMemberConnection

_MEMBERS: Final = Listing("segment.members", datetime, int, int)
_CHANGES: Final = Listing("segment.membershipChanges", datetime, int, int)


@enum(
    "The state of a segment's membership.",
    COMPUTING="A worker is finding the members, for the first time or after an edit or `resumeSegment`.",
    READY="The segment holds exactly the people who match, up to `evaluatedThrough`.",
    PAUSED="The segment keeps the members that it had when it was paused, whatever happens.",
    FAILED="The condition cannot be evaluated; `failure` says why. Edit the condition to start again.",
)
class SegmentState(StrEnum):
    COMPUTING = "COMPUTING"
    READY = "READY"
    FAILED = "FAILED"
    PAUSED = "PAUSED"


async def _states_of(
    context: Context, segments: Sequence[models.Segment], _: Columns = None
) -> list[SegmentState]:
    found = await context.loaders.figures.load_now([segment.id for segment in segments])
    return [SegmentState(figures.state) if figures else SegmentState.COMPUTING for figures in found]


async def _member_counts(
    context: Context, segments: Sequence[models.Segment], _: Columns = None
) -> list[int]:
    found = await context.loaders.figures.load_now([segment.id for segment in segments])
    return [figures.members if figures else 0 for figures in found]


async def _members_of(
    context: Context,
    segments: Sequence[models.Segment],
    columns: Columns = None,
    *,
    first: int | None = PAGE_SIZE,
    after: str | None = None,
    as_of: datetime | None = None,
) -> list[MembersPage]:
    numbers = [segment.id for segment in segments]
    context.note_reads(numbers)
    if as_of is not None:
        return await members_as_of(context, numbers, as_of, first, after)
    part = _MEMBERS.slice(first, after)
    found = await context.loaders.members_of_segments(part, columns).load_now(numbers)
    return [members_page(context, _MEMBERS, members, part) for members in found]


def _members_source(
    _: Context, *, first: int | None = PAGE_SIZE, after: str | None = None, as_of: datetime | None = None
) -> PageSource | None:
    return None if as_of is not None else _MEMBERS.source(list_pages.MEMBERS_OF_SEGMENT, first, after)


@strawberry.type(
    description="A dynamic list of people. It holds exactly the people who match its condition, at every instant."
)
class Segment(Node):
    name: str = strawberry.field(
        description="The segment's name, up to 200 characters; unique among segments regardless of case."
    )
    description: str | None = strawberry.field(description="What the segment is for; null when not given.")
    summary: str = strawberry.field(description="The condition as an English sentence.")
    revision: int = strawberry.field(
        description="A number that every edit raises. Send it as `ifRevision` so that your edit overwrites nobody else's."
    )
    failure: str | None = strawberry.field(
        description="Why the condition cannot be evaluated. Null unless the segment is FAILED."
    )
    created_at: datetime = strawberry.field(description="When the segment was created.")
    updated_at: datetime = strawberry.field(description="When the segment was last edited.")
    reviewed_at: datetime | None = strawberry.field(
        description="When somebody last marked the segment as reviewed; null if nobody has."
    )
    last_read_at: datetime | None = strawberry.field(
        description="When somebody last read or exported the segment's members, read its changes, or began to listen to it, to within an hour; null if nobody has."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, models.Segment)

    @strawberry.field(
        description="The condition in exactly the shape of ConditionInput, so that a client can send it back.",
        graphql_type=Condition,
    )
    @staticmethod
    async def condition(parent: strawberry.Parent[models.Segment], info: Info) -> object:
        return stored_to_output(parent.condition, await info.context.loaders.vocabulary.load(None))

    @strawberry.field(
        description="Whether the members are exact, still being found, paused or failed.",
        metadata=together(_states_of, reads=["id", *FIGURES], written=rows.SEGMENT_STATE_NOW),
    )
    @staticmethod
    async def state(parent: strawberry.Parent[models.Segment], info: Info) -> SegmentState:
        (state,) = await _states_of(info.context, [parent])
        return state

    @strawberry.field(
        description="The number of people in the segment now. While it is COMPUTING, the number still changes.",
        metadata=together(_member_counts, reads=["id", *FIGURES], written=rows.SEGMENT_MEMBERS_NOW),
    )
    @staticmethod
    async def member_count(parent: strawberry.Parent[models.Segment], info: Info) -> int:
        (count,) = await _member_counts(info.context, [parent])
        return count

    @strawberry.field(
        description="The people in the segment. Those who entered last come first.",
        graphql_type=Annotated[
            "SegmentMemberConnection", strawberry.lazy("audience_gql.api.people.subscribers")
        ],
        metadata=together(_members_of, reads=["id"], written=_members_source),
    )
    @staticmethod
    async def members(
        parent: strawberry.Parent[models.Segment],
        info: Info,
        first: First = PAGE_SIZE,
        after: After = None,
        as_of: AsOf = None,
    ) -> MembersPage:
        (page,) = await _members_of(info.context, [parent], first=first, after=after, as_of=as_of)
        return page

    @strawberry.field(
        description="The membership reflects every fact that was committed up to this instant. Null while the segment is COMPUTING or "
        "FAILED. While it is PAUSED, the value at the moment of the pause."
    )
    @staticmethod
    async def evaluated_through(parent: strawberry.Parent[models.Segment], info: Info) -> datetime | None:
        if parent.is_paused:
            return parent.paused_through
        figures = await info.context.loaders.figures.load(parent.id)
        if figures is None or figures.state != SegmentState.READY:
            return None
        return await info.context.loaders.evaluated_through.load(None)

    @strawberry.field(
        description="The earliest instant at which the passing of time alone can make somebody enter or leave. It may lie in the past while "
        "a worker has not yet evaluated that instant. Null when no known fact lets time alone move anybody, and while the segment is "
        "PAUSED or FAILED."
    )
    @staticmethod
    async def next_change_at(parent: strawberry.Parent[models.Segment], info: Info) -> datetime | None:
        if parent.is_paused or parent.failure is not None:
            return None
        return await info.context.loaders.next_changes.load(parent.id)

    @strawberry.field(
        description="The segments that this segment's condition names, sorted by name.",
        graphql_type=list[Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")]],
    )
    @staticmethod
    async def depends_on(parent: strawberry.Parent[models.Segment], info: Info) -> list[models.Segment]:
        return await info.context.loaders.dependencies.load(parent.id)

    @strawberry.field(
        description="The segments whose conditions name this segment, sorted by name.",
        graphql_type=list[Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")]],
    )
    @staticmethod
    async def used_by(parent: strawberry.Parent[models.Segment], info: Info) -> list[models.Segment]:
        return await info.context.loaders.users.load(parent.id)

    similar = similarities.similar

    @strawberry.field(
        description="Why a person is in the segment or not. Null when there is no such person. A person with too many events is the error "
        "COST_LIMIT.",
        graphql_type=Explanation | None,
        metadata={"weight": 10},  # reads all of a person's relevant events
    )
    @staticmethod
    async def explain(
        parent: strawberry.Parent[models.Segment],
        info: Info,
        subscriber: Annotated[SubscriberKey, strawberry.argument(description="The person.")],
    ) -> explanations.Explanation | None:
        question = explanations.Question(parent.id, subscriber_key(subscriber))
        return await info.context.loaders.explanations.load(question)

    @strawberry.field(
        description="The people who entered or left the segment, as the log has it. The latest change comes first.",
        graphql_type=Annotated[
            "MembershipChangeConnection", strawberry.lazy("audience_gql.api.lists.membership")
        ],
    )
    @staticmethod
    async def membership_changes(
        parent: strawberry.Parent[models.Segment],
        info: Info,
        first: First = LONG_PAGE_SIZE,
        after: After = None,
    ) -> Page[LoggedChange]:
        info.context.note_reads([parent.id])
        part = _CHANGES.slice(first, after, default=LONG_PAGE_SIZE)
        return _CHANGES.page(await info.context.loaders.changes_of_segments(part).load(parent.id), part)

    @strawberry.field(
        description="The segment's size in each interval, as the log has it. Intervals that begin in the future are omitted.",
        graphql_type=list[SegmentSize],
        metadata={"up_to": 100, "weight": 10},  # reads the segment's part of the log since `from`
    )
    @staticmethod
    async def size_history(
        parent: strawberry.Parent[models.Segment],
        info: Info,
        start: Annotated[
            datetime,
            strawberry.argument(
                name="from", description="The first interval is the one that contains this instant."
            ),
        ],
        end: Annotated[
            datetime | None,
            strawberry.argument(
                name="to",
                description="The last interval begins before this instant, which is after `from`. Default: now.",
            ),
        ] = None,
        every: Annotated[
            Interval,
            strawberry.argument(
                description=f"The length of an interval. A history has at most {MOST_SIZES:,} intervals."
            ),
        ] = Interval.DAY,
    ) -> list[Size]:
        loaders = info.context.loaders
        upto = instant_at(end, "to") if end else await loaders.now.load(None)
        span = span_of(instant_at(start, "from"), upto, every, info.context.workspace.timezone)
        return await loaders.sizes.load((parent.id, span.starts, span.end))

    flow = insights_flow.flow
    performance = insights_performance.performance
    size_forecast = forecasts.size_forecast
    leaving = forecasts.leaving
    entering = forecasts.entering
    funnel = insights_funnel.of_segment
    history = segment_history.history


@strawberry.type(description="A segment in a list.")
class SegmentEdge(ListEdge):
    node: Segment = strawberry.field(metadata=written(SAME), description="The segment.")


@strawberry.type(description="A page of segments.")
class SegmentConnection(ListConnection[SegmentEdge]): ...


@strawberry.type(description="A segment that contains a person, in a list.")
class SubscriberSegmentEdge(ListEdge):
    node: Segment = strawberry.field(metadata=written(SAME), description="The segment.")
    at: datetime = strawberry.field(
        metadata=written(At()), name="enteredAt", description="When the person entered the segment."
    )


@strawberry.type(
    description="A page of the segments that contain a person. The segment that they entered last comes first."
)
class SubscriberSegmentConnection(ListConnection[SubscriberSegmentEdge]): ...
