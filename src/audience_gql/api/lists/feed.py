"""The feed of membership changes as a subscription and as a query, and the progress of a recompute."""

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


@strawberry.type(
    description="Membership changes and the cursor after them. Within a bucket, changes come in commit order."
)
class MembershipChangeBatch:
    changes: list[MembershipChange] = strawberry.field(
        description=f"0 to {CHANGES_A_BATCH} changes.", metadata={"up_to": CHANGES_A_BATCH}
    )
    after: str = strawberry.field(
        description=(
            "The cursor at which this batch begins. It equals the previous batch's `cursor`, which proves that the client missed "
            "nothing."
        )
    )
    cursor: str = strawberry.field(
        description="The position after this batch. Send it as `after` to continue from here, also on another server or after a crash."
    )


@enum(
    "The phase of a recompute.",
    QUEUED="The recompute is requested and has not started. This is always the first report, unless the recompute fails at once.",
    EVALUATING="A worker is finding the members.",
    DONE="The recompute has ended. The segment holds exactly the people who match.",
    FAILED="The recompute has ended without a result: the condition cannot be evaluated, or the segment is paused.",
)
class RecomputePhase(StrEnum):
    QUEUED = "QUEUED"
    EVALUATING = "EVALUATING"
    DONE = "DONE"
    FAILED = "FAILED"


@strawberry.type(description="A progress report of a segment's recompute.")
class RecomputeProgress:
    segment_number: strawberry.Private[int]
    phase: RecomputePhase = strawberry.field(description="The current phase. DONE and FAILED are final.")
    fraction: float = strawberry.field(description="The finished share of the audience, from 0 to 1.")
    members: int | None = strawberry.field(description="The number of people in the segment now.")
    entered: int | None = strawberry.field(
        description="The number of people that this recompute has added so far."
    )
    left: int | None = strawberry.field(
        description="The number of people that this recompute has removed so far."
    )
    failure: str | None = strawberry.field(
        description="Why the recompute failed. Null unless `phase` is FAILED."
    )

    @strawberry.field(
        description="The segment that is recomputed.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")],
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[RecomputeProgress], info: Info) -> models.Segment | None:
        return await info.context.loaders.segments.load(parent.segment_number)


@strawberry.type(description="A page of the log of membership changes, for clients without a websocket.")
class FeedPage:
    changes: list[MembershipChange] = strawberry.field(
        description="The changes of this page, possibly none. Within a bucket, they come in commit order.",
        metadata={"up_to": 1},  # the cost counts the page's size already, at `first`
    )
    after: str = strawberry.field(description="The cursor at which this page begins.")
    cursor: str = strawberry.field(
        description="The position after this page. Send it as `after` to this query or to the subscription."
    )
    has_more: bool = strawberry.field(
        description="Whether the log held more entries after this page when it was read."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The arguments of one client of the feed. Iterating reads the log for this client only; shared_feed.py reads it for many."""

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
    strawberry.argument(
        description="Only changes of these segments. Together with `groupIds`: changes of these segments and of those groups."
    ),
]
GroupIds: TypeAlias = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(
        description="Only changes of these groups. Together with `segmentIds`: changes of these groups and of those segments."
    ),
]
OfSubscriber: TypeAlias = Annotated[
    SubscriberKey | None,
    strawberry.argument(
        description="Only changes of this person, in the lists that the other arguments select. The email, phone or external id may be "
        "unknown at first. As soon as a person has it, the feed reports them from their first change on, for as long as the stream "
        "lasts. After a person is erased, only their `id` still finds their changes in the log."
    ),
]
FromCursor: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="The `cursor` of the last page or batch that the client processed. Without it, only changes from now on. "
        "Errors: CURSOR_INVALID, and CURSOR_EXPIRED when the log no longer holds what follows."
    ),
]


@strawberry.type
class FeedQuery:
    @strawberry.field(
        description="The feed of membership changes for clients without a websocket. Its cursors are those of the subscription "
        "`membershipChanges`.",
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
            "The live feed of membership changes, without gaps: first everything after `after`, then each change when it is "
            "committed. Without `after`, it starts now. Without a filter, it covers every segment and group. The first batch comes "
            "at once and may be empty, so a client always holds a cursor. While nothing matches, an empty batch moves the cursor "
            "every 30 s by default."
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
        description="Recomputes a segment's members from the raw facts and reports the progress from QUEUED until the end. If a "
        "recompute is running, the subscription joins it. If one ended within the last minute, its result is reported instead. "
        "A paused segment FAILS at once. An unknown id is the error NOT_FOUND.",
        graphql_type=AsyncGenerator[RecomputeProgress, None],
    )
    @staticmethod
    async def recompute_segment(
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The segment's id.")],  # noqa: A002  # the schema's name
    ) -> AsyncGenerator[RecomputeProgress, None]:
        context = info.context
        number = ids.number_of(Kind.SEGMENT, id)
        reported = recompute_progress(ports=context.ports, workspace=context.workspace, segment_id=number)
        async with aclosing(reported) as reports:  # type: ignore[type-var]  # an async generator, declared as an iterator
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
    """The person of an `id`. Who has an email, phone or external id is looked up again with each part of the log that is read."""
    owner = ids.owner_of(key.id.value) if key.id else None
    return frozenset() if owner is None else frozenset({owner})


def _numbers(kind: Kind, texts: Sequence[str] | None) -> frozenset[int] | None:
    """The numbers of these ids; None for no filter. An unknown id is dropped: nothing matches it, as with a list without changes."""
    if texts is None:
        return None
    numbers = (ids.number_of(kind, text) for text in texts)
    return frozenset(number for number in numbers if number is not None)
