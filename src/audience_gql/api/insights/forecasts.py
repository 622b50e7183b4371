"""The future of a segment if nothing happens: its size, and who will leave and enter next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from audience_gql.api.conditions.explanations import ExplanationNode
from audience_gql.api.conditions.inputs import DurationInput
from audience_gql.api.context import Info
from audience_gql.api.errors import BadUserInput
from audience_gql.api.ids import OPAQUE_IDS
from audience_gql.api.insights.sizes import MOST_SIZES, Interval, span_of
from audience_gql.api.pagination import PAGE_SIZE, After, First, ListConnection, ListEdge, Listing, PageInfo
from audience_gql.api.scalars import instant_at
from audience_gql.audience.definitions.given_durations import given_length
from audience_gql.audience.insights.coming_changes import ComingChange, coming_changes
from audience_gql.audience.insights.size_forecasts import SizeAhead, forecast_size
from audience_gql.conditions.limits import MAX_WINDOW
from audience_gql.storage.orm import models
from audience_gql.storage.reads.records import SubscriberRecord

if TYPE_CHECKING:
    from audience_gql.api.people.subscribers import Subscriber

SECONDS: Final = 2.0
"""The time for which a forecast looks at people, before it estimates from those whom it has seen."""
_LEAVING: Final = Listing("segment.leaving", datetime, int, int)
_ENTERING: Final = Listing("segment.entering", datetime, int, int)
_WITHIN: Final = "How far to look ahead, up to ten years."
_IF_NOTHING: Final = (
    "if no fact is added or changed. Facts that are recorded for the future count from their instants on"
)


@strawberry.type(description="A segment's size in one interval of the future.")
class SegmentSizeForecast:
    at: datetime = strawberry.field(description="The beginning of the interval.")

    @strawberry.field(description="The number of members at the end of the interval.")
    @staticmethod
    def members(parent: strawberry.Parent[SizeAhead]) -> int:
        return parent.members.count

    @strawberry.field(
        description="The number of entries during the interval. For the interval that contains the present, from now on."
    )
    @staticmethod
    def entered(parent: strawberry.Parent[SizeAhead]) -> int:
        return parent.entered.count

    @strawberry.field(
        description="The number of exits during the interval. For the interval that contains the present, from now on."
    )
    @staticmethod
    def left(parent: strawberry.Parent[SizeAhead]) -> int:
        return parent.left.count

    @strawberry.field(
        description="The margin of error of `members`, in people: the true number lies within it in at least 95 % of cases. 0 when the "
        "number is exact."
    )
    @staticmethod
    def margin(parent: strawberry.Parent[SizeAhead]) -> int:
        return parent.members.margin

    @strawberry.field(description="The margin of error of `entered`; 0 when the number is exact.")
    @staticmethod
    def entered_margin(parent: strawberry.Parent[SizeAhead]) -> int:
        return parent.entered.margin

    @strawberry.field(description="The margin of error of `left`; 0 when the number is exact.")
    @staticmethod
    def left_margin(parent: strawberry.Parent[SizeAhead]) -> int:
        return parent.left.margin


@strawberry.type(description="A person who will enter or leave a segment if nothing happens, in a list.")
class ComingChangeEdge(ListEdge):
    node: Annotated[Subscriber, strawberry.lazy("audience_gql.api.people.subscribers")] = strawberry.field(
        description="The person."
    )
    at: datetime = strawberry.field(
        description="When they will enter or leave. It is the present if this is due already."
    )
    reasons: list[ExplanationNode] = strawberry.field(
        description="The leaves of the condition whose result changes at that instant, with their results from then on. [] if the change "
        "is due already."
    )


@strawberry.type(
    description="A page of the people who will enter a segment, or leave it, if nothing happens. The soonest comes first. A page can be "
    "shorter than `first` although more follow: continue with `endCursor` while `hasNextPage` is true."
)
class ComingChangeConnection(ListConnection[ComingChangeEdge]): ...


@dataclass(frozen=True, slots=True)
class _Edge:
    cursor: str
    node: SubscriberRecord
    at: datetime
    reasons: list[object]


@dataclass(frozen=True, slots=True)
class _Page:
    edges: list[_Edge]
    page_info: PageInfo


Within = Annotated[DurationInput, strawberry.argument(description=_WITHIN)]


@strawberry.field(
    description=f"The segment's size in the intervals from the present one on, {_IF_NOTHING}. The numbers are exact if the clock moves few "
    "enough people to look at all of them within two seconds. Otherwise they are estimated from a random share of the audience, and have "
    "margins. While the segment is PAUSED or FAILED, nobody enters or leaves.",
    graphql_type=list[SegmentSizeForecast],
    metadata={"up_to": 100, "weight": 50},  # looks at very many people for up to two seconds
)
async def size_forecast(
    parent: strawberry.Parent[models.Segment],
    info: Info,
    until: Annotated[
        datetime,
        strawberry.argument(
            description="The last interval begins before this instant, which lies in the future, up to ten years from now."
        ),
    ],
    every: Annotated[
        Interval,
        strawberry.argument(
            description=f"The length of an interval. A forecast has at most {MOST_SIZES:,} intervals."
        ),
    ] = Interval.DAY,
) -> list[SizeAhead]:
    now, end = await info.context.loaders.now.load(None), instant_at(until, "until")
    if not now < end <= now + MAX_WINDOW:
        raise BadUserInput("`until` must lie in the future, up to ten years from now.", argument="until")
    span = span_of(now, end, every, info.context.workspace.timezone)
    return await forecast_size(
        ports=info.context.heavy_ports,
        workspace_id=info.context.workspace.id,
        segment_id=parent.id,
        starts=span.starts,
        end=span.end,
        seconds=SECONDS,
    )


@strawberry.field(
    description=f"The members who will leave the segment, {_IF_NOTHING}. Each is listed once, with their next exit.",
    graphql_type=ComingChangeConnection,
    metadata={"weight": 20},  # looks at up to 20,000 people
)
async def leaving(
    parent: strawberry.Parent[models.Segment],
    info: Info,
    within: Within,
    first: First = PAGE_SIZE,
    after: After = None,
) -> _Page:
    return await _page(parent, info, within, _LEAVING, first, after, entering=False)


@strawberry.field(
    description=f"The people who will enter the segment, {_IF_NOTHING}. Each is listed once, with their next entry.",
    graphql_type=ComingChangeConnection,
    metadata={"weight": 20},  # the same
)
async def entering(
    parent: strawberry.Parent[models.Segment],
    info: Info,
    within: Within,
    first: First = PAGE_SIZE,
    after: After = None,
) -> _Page:
    return await _page(parent, info, within, _ENTERING, first, after, entering=True)


async def _page(
    segment: models.Segment,
    info: Info,
    within: DurationInput,
    listing: Listing,
    first: int | None,
    after: str | None,
    *,
    entering: bool,
) -> _Page:
    part = listing.slice(first, after)
    found = await coming_changes(
        ports=info.context.heavy_ports,
        workspace_id=info.context.workspace.id,
        segment_id=segment.id,
        entering=entering,
        within=given_length(within, ("within",)),
        size=part.size,
        after=part.after,
        ids=OPAQUE_IDS,
    )
    edges = await _edges(info, listing, found.changes)
    return _Page(
        edges,
        PageInfo(
            has_next_page=found.ends_at is not None,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=listing.cursor(found.ends_at)
            if found.ends_at
            else (edges[-1].cursor if edges else None),
        ),
    )


async def _edges(info: Info, listing: Listing, changes: tuple[ComingChange, ...]) -> list[_Edge]:
    """The edges of the people who still exist."""
    people = await info.context.loaders.subscribers.load_many([change.owner for change in changes])
    return [
        _Edge(listing.cursor(change.place), person, change.at, [*change.reasons])
        for change, person in zip(changes, people, strict=True)
        if person is not None
    ]
