"""The live feed, and the progress of a recompute: what goes on by itself once asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Context, Info
from audience_gql.api.ids import Kind
from audience_gql.api.keys import SubscriberKey, identity_of
from audience_gql.api.lists.membership import MembershipChange
from audience_gql.api.pagination import LARGEST_PAGE, First, page_size
from audience_gql.api.shapes import enum
from audience_gql.audience.definitions.segments import recompute_progress
from audience_gql.audience.log.feed import CHANGES_A_BATCH, Batch, Page, follow, read_page
from audience_gql.storage import models
from audience_gql.storage.feed import FeedFilter
from audience_gql.storage.reads.records import Owner

if TYPE_CHECKING:
    from audience_gql.api.lists.segments import Segment


@strawberry.type(description="Changes in the order in which they were committed, and where they leave off.")
class MembershipChangeBatch:
    changes: list[MembershipChange] = strawberry.field(
        description=f"Up to {CHANGES_A_BATCH}, possibly none.", metadata={"up_to": CHANGES_A_BATCH}
    )
    after: str = strawberry.field(
        description=(
            "The cursor this batch continues from: equal to the previous batch's `cursor`, so that a client can prove that it "
            "lost nothing."
        )
    )
    cursor: str = strawberry.field(
        description="Give it back as `after` to go on from here, in any process, after any crash."
    )


@enum(
    "How far a recompute is.",
    QUEUED="It was asked for: always the first report, unless it fails at once.",
    EVALUATING="The members are being found.",
    DONE="It is over: the segment holds exactly the right people.",
    FAILED="It is over: the condition cannot be evaluated, or the segment is paused.",
)
class RecomputePhase(StrEnum):
    QUEUED = "QUEUED"
    EVALUATING = "EVALUATING"
    DONE = "DONE"
    FAILED = "FAILED"


@strawberry.type(description="How far a segment's recompute is.")
class RecomputeProgress:
    segment_number: strawberry.Private[int]
    phase: RecomputePhase = strawberry.field(description="What is being done.")
    fraction: float = strawberry.field(description="How much of the audience is done, from 0 to 1.")
    members: int | None = strawberry.field(description="How many people are in the segment by now.")
    entered: int | None = strawberry.field(description="How many it has let in so far.")
    left: int | None = strawberry.field(description="How many it has let go so far.")
    failure: str | None = strawberry.field(description="Why it failed.")

    @strawberry.field(
        description="The segment.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")],
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[RecomputeProgress], info: Info) -> models.Segment | None:
        return await info.context.loaders.segments.load(parent.segment_number)


@strawberry.type(description="A part of the record, for clients without sockets.")
class FeedPage:
    changes: list[MembershipChange] = strawberry.field(
        description="In the order in which they were committed within a bucket.",
        metadata={"up_to": 1},  # the page's size is reckoned already
    )
    after: str = strawberry.field(description="The cursor this page continues from.")
    cursor: str = strawberry.field(description="Give it back as `after`, here or to the subscription.")
    has_more: bool = strawberry.field(description="Whether there was more to read by then.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a subscriber of the feed asked for. Iterating it reads the log for him alone; shared_feed.py reads it for many."""

    context: Context
    after: str | None
    wanted: FeedFilter

    async def __aiter__(self) -> AsyncGenerator[Batch, None]:
        context, settings = self.context, self.context.services.settings
        followed = follow(
            ports=context.ports,
            workspace=context.workspace,
            cursors=context.services.cursors,
            after=self.after,
            wanted=self.wanted,
            poll_seconds=settings.feed_poll_seconds,
            heartbeat_seconds=settings.feed_heartbeat_seconds,
        )
        async with aclosing(followed) as batches:
            async for batch in batches:
                context.forget()
                yield batch


SegmentIds: TypeAlias = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Only of these segments; with `groupIds`, of these and those."),
]
GroupIds: TypeAlias = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Only of these groups; with `segmentIds`, of these and those."),
]
OfSubscriber: TypeAlias = Annotated[
    SubscriberKey | None,
    strawberry.argument(
        description="Only of this person, in whichever lists the others leave. Nobody needs to have an email, phone or external id yet: "
        "whoever gets it is heard of from their first change on, and stays so while the stream lasts. Once a person is erased, only "
        "their `id` finds what the log has of them."
    ),
]
FromCursor: TypeAlias = Annotated[
    str | None,
    strawberry.argument(description="The `cursor` of what was dealt with last; from now without one."),
]


@strawberry.type
class FeedQuery:
    @strawberry.field(
        description="The feed for clients without sockets; same cursors as the subscription.",
        graphql_type=FeedPage,
    )
    @staticmethod
    async def membership_changes(
        info: Info,
        segment_ids: SegmentIds = None,
        group_ids: GroupIds = None,
        subscriber: OfSubscriber = None,
        after: FromCursor = None,
        first: First = LARGEST_PAGE,
    ) -> Page:
        context = info.context
        return await read_page(
            ports=context.ports,
            workspace=context.workspace,
            cursors=context.services.cursors,
            after=after,
            wanted=_filter(segment_ids, group_ids, subscriber),
            limit=page_size(first, default=LARGEST_PAGE),
        )


@strawberry.type
class FeedSubscription:
    @strawberry.subscription(
        description=(
            "Live and gapless: everything after `after`, then what happens; without `after`, from now. No filter: "
            "every segment and group. The first batch comes at once, possibly empty, so that a client always holds "
            "a cursor; while nothing matches, an empty batch moves the cursor every 30 s."
        ),
        graphql_type=AsyncGenerator[MembershipChangeBatch, None],
    )
    @staticmethod
    async def membership_changes(
        info: Info,
        segment_ids: SegmentIds = None,
        group_ids: GroupIds = None,
        subscriber: OfSubscriber = None,
        after: FromCursor = None,
    ) -> Followed:
        context = info.context
        return Followed(
            context=context,
            after=context.resume_from or after,
            wanted=_filter(segment_ids, group_ids, subscriber),
        )

    @strawberry.subscription(
        description="Recompute on demand: starts one, or joins the one under way, and reports from QUEUED until it ends. "
        "One that ended within the last minute is not repeated.",
        graphql_type=AsyncGenerator[RecomputeProgress, None],
    )
    @staticmethod
    async def recompute_segment(
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which segment.")],  # noqa: A002  # the schema's name
    ) -> AsyncGenerator[RecomputeProgress, None]:
        context = info.context
        number = ids.number_of(Kind.SEGMENT, id)
        reported = recompute_progress(ports=context.ports, workspace=context.workspace, segment_id=number)
        async with aclosing(reported) as reports:  # type: ignore[type-var]  # the same
            async for report in reports:
                context.forget()
                yield RecomputeProgress(
                    segment_number=number or 0,
                    phase=RecomputePhase(report.phase),
                    fraction=report.fraction,
                    members=report.members,
                    entered=report.entered,
                    left=report.left,
                    failure=report.failure,
                )


def _filter(
    segment_ids: Sequence[str] | None,
    group_ids: Sequence[str] | None,
    subscriber: SubscriberKey | None,
) -> FeedFilter:
    return FeedFilter(
        segment_ids=_numbers(Kind.SEGMENT, segment_ids),
        group_ids=_numbers(Kind.GROUP, group_ids),
        subscribers=_people(subscriber) if subscriber else None,
        identity=identity_of(subscriber) if subscriber else None,
    )


def _people(key: SubscriberKey) -> frozenset[Owner]:
    """Whom the key names by itself. Who has a key of another kind is looked up with each part of the log that is read."""
    owner = ids.owner_of(key.id.value) if key.id else None
    return frozenset() if owner is None else frozenset({owner})


def _numbers(kind: Kind, texts: Sequence[str] | None) -> frozenset[int] | None:
    """What to filter for. An id of nothing filters for nothing, like one of something without changes."""
    if texts is None:
        return None
    numbers = (ids.number_of(kind, text) for text in texts)
    return frozenset(number for number in numbers if number is not None)
