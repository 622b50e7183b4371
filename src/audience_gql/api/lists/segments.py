"""Segments: lists that a condition keeps by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from audience_gql.api.conditions.explanations import Explanation
from audience_gql.api.conditions.inputs import stored_to_output
from audience_gql.api.context import Info
from audience_gql.api.keys import SegmentKey, SubscriberKey, find_segment, subscriber_key
from audience_gql.api.lists.orders import ListOrder, OrderBy, listings
from audience_gql.api.lists.search import Search, words
from audience_gql.api.lists.segment_figures import MOST_SIZES, Interval, SegmentSize, span_of
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import CURSOR, EDGES, PAGE_SIZE, After, Connection, First, Listing, Page
from audience_gql.api.scalars import Condition, instant_at
from audience_gql.api.shapes import enum
from audience_gql.audience.answers import explanations
from audience_gql.storage import models
from audience_gql.storage.feed import LoggedChange
from audience_gql.storage.reads import pages
from audience_gql.storage.reads.records import SubscriberRecord
from audience_gql.storage.reads.segment_figures import Size

if TYPE_CHECKING:
    from audience_gql.api.lists.membership import MembershipChangeConnection
    from audience_gql.api.people.subscribers import SegmentMemberConnection

_MEMBERS: Final = Listing("segment.members", datetime, int, int)
_CHANGES: Final = Listing("segment.membershipChanges", datetime, int, int)
_LISTINGS: Final = listings("segments")


@enum(
    "How far a segment is.",
    COMPUTING="Its members are being found, for the first time or after an edit.",
    READY="It holds exactly the right people.",
    PAUSED="It keeps the members that it had when it was paused, whatever happens.",
    FAILED="Its condition cannot be evaluated: see `failure`. Edit it to start again.",
)
class SegmentState(StrEnum):
    COMPUTING = "COMPUTING"
    READY = "READY"
    FAILED = "FAILED"
    PAUSED = "PAUSED"


@dataclass(frozen=True, slots=True)
class _MembersPage(Page[SubscriberRecord]):
    feed_cursor: str


@strawberry.type(
    description="A list that holds exactly the people whom its condition matches, at every instant."
)
class Segment(Node):
    name: str = strawberry.field(description="What people call it; unique, upper and lower case aside.")
    description: str | None = strawberry.field(description="What it is for.")
    summary: str = strawberry.field(description="The condition in words.")
    revision: int = strawberry.field(
        description="Raised by every edit: give it as `ifRevision` to lose none."
    )
    failure: str | None = strawberry.field(description="Why it cannot be evaluated, when it is FAILED.")
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it was last edited.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, models.Segment)

    @strawberry.field(
        description="The condition in exactly the shape of ConditionInput, so that it can be sent back.",
        graphql_type=Condition,
    )
    @staticmethod
    async def condition(parent: strawberry.Parent[models.Segment], info: Info) -> object:
        return stored_to_output(parent.condition, await info.context.loaders.vocabulary.load(None))

    @strawberry.field(description="How far it is.")
    @staticmethod
    async def state(parent: strawberry.Parent[models.Segment], info: Info) -> SegmentState:
        figures = await info.context.loaders.figures.load(parent.id)
        return SegmentState(figures.state) if figures else SegmentState.COMPUTING

    @strawberry.field(description="How many people are in it.")
    @staticmethod
    async def member_count(parent: strawberry.Parent[models.Segment], info: Info) -> int:
        figures = await info.context.loaders.figures.load(parent.id)
        return figures.members if figures else 0

    @strawberry.field(
        description="The people in it, the latest first.",
        graphql_type=Annotated[
            "SegmentMemberConnection", strawberry.lazy("audience_gql.api.people.subscribers")
        ],
    )
    @staticmethod
    async def members(
        parent: strawberry.Parent[models.Segment], info: Info, first: First = PAGE_SIZE, after: After = None
    ) -> _MembersPage:
        part = _MEMBERS.slice(first, after)
        members = await info.context.loaders.members_of_segments.load((parent.id, part))
        page = _MEMBERS.page(members.entries, part)
        feed_cursor = info.context.services.cursors.encode(info.context.workspace, members.heads)
        return _MembersPage(page.edges, page.page_info, feed_cursor)

    @strawberry.field(
        description="Every fact committed up to here is reflected in the membership; null until the first fill. "
        "Stands still while it is PAUSED."
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
        description="Nobody enters or leaves by the clock before this; it has passed when that is just being reckoned with. "
        "Null while no fact that is known will let the clock move anybody, and while it is PAUSED or FAILED."
    )
    @staticmethod
    async def next_change_at(parent: strawberry.Parent[models.Segment], info: Info) -> datetime | None:
        if parent.is_paused or parent.failure is not None:
            return None
        return await info.context.loaders.next_changes.load(parent.id)

    @strawberry.field(
        description="The segments that its condition names, by name.",
        graphql_type=list[Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")]],
    )
    @staticmethod
    async def depends_on(parent: strawberry.Parent[models.Segment], info: Info) -> list[models.Segment]:
        return await info.context.loaders.dependencies.load(parent.id)

    @strawberry.field(
        description="The segments whose conditions name it, by name.",
        graphql_type=list[Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")]],
    )
    @staticmethod
    async def used_by(parent: strawberry.Parent[models.Segment], info: Info) -> list[models.Segment]:
        return await info.context.loaders.users.load(parent.id)

    @strawberry.field(
        description="Why a person is in it or not; null when there is no such person.",
        graphql_type=Explanation | None,
        metadata={"weight": 10},  # all of a person's events are gone through
    )
    @staticmethod
    async def explain(
        parent: strawberry.Parent[models.Segment],
        info: Info,
        subscriber: Annotated[SubscriberKey, strawberry.argument(description="Who.")],
    ) -> explanations.Explanation | None:
        question = explanations.Question(parent.id, subscriber_key(subscriber))
        return await info.context.loaders.explanations.load(question)

    @strawberry.field(
        description="Who entered and left it, the latest first.",
        graphql_type=Annotated[
            "MembershipChangeConnection", strawberry.lazy("audience_gql.api.lists.membership")
        ],
    )
    @staticmethod
    async def membership_changes(
        parent: strawberry.Parent[models.Segment], info: Info, first: First = 50, after: After = None
    ) -> Page[LoggedChange]:
        part = _CHANGES.slice(first, after)
        return _CHANGES.page(await info.context.loaders.changes_of_segments.load((parent.id, part)), part)

    @strawberry.field(
        description="How large it was, interval by interval, as the log says. Empty for what is still to come.",
        graphql_type=list[SegmentSize],
        metadata={"up_to": 100, "weight": 10},  # all that the log has of it since `from` is gone through
    )
    @staticmethod
    async def size_history(
        parent: strawberry.Parent[models.Segment],
        info: Info,
        start: Annotated[
            datetime, strawberry.argument(name="from", description="From the interval of this instant on.")
        ],
        end: Annotated[
            datetime | None,
            strawberry.argument(
                name="to", description="Up to the interval before this instant; up to now without it."
            ),
        ] = None,
        every: Annotated[
            Interval,
            strawberry.argument(description=f"How long an interval is; up to {MOST_SIZES:,} of them."),
        ] = Interval.DAY,
    ) -> list[Size]:
        loaders = info.context.loaders
        upto = instant_at(end, "to") if end else await loaders.now.load(None)
        span = span_of(instant_at(start, "from"), upto, every, info.context.workspace.timezone)
        return await loaders.sizes.load((parent.id, span.starts, span.end))


@strawberry.type(description="A segment in a list.")
class SegmentEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Segment = strawberry.field(description="The segment.")


@strawberry.type(description="A page of segments.")
class SegmentConnection(Connection):
    edges: list[SegmentEdge] = strawberry.field(description=EDGES)


@strawberry.type(description="A segment that a person is in.")
class SubscriberSegmentEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Segment = strawberry.field(description="The segment.")
    at: datetime = strawberry.field(name="enteredAt", description="When she entered it.")


@strawberry.type(description="A page of the segments that a person is in, the latest first.")
class SubscriberSegmentConnection(Connection):
    edges: list[SubscriberSegmentEdge] = strawberry.field(description=EDGES)


@strawberry.type
class SegmentQuery:
    @strawberry.field(description="One segment; null when there is none.", graphql_type=Segment | None)
    @staticmethod
    async def segment(
        info: Info, by: Annotated[SegmentKey, strawberry.argument(description="Which.")]
    ) -> models.Segment | None:
        return await find_segment(info.context, by)

    @strawberry.field(description="The segments of the workspace.", graphql_type=SegmentConnection)
    @staticmethod
    async def segments(
        info: Info,
        search: Search = None,
        state: Annotated[
            list[SegmentState] | None, strawberry.argument(description="Only those in one of these states.")
        ] = None,
        order_by: OrderBy = ListOrder.NAME_ASC,
        first: First = PAGE_SIZE,
        after: After = None,
    ) -> Page[models.Segment]:
        listing = _LISTINGS[order_by]
        part = listing.slice(first, after)
        entries = await pages.segments(
            info.context.ports.database,
            info.context.workspace.id,
            part,
            order_by=order_by.value,
            words=words(search),
            states=state or (),
        )
        return listing.page(entries, part)
