"""The feed of membership changes as a subscription and as a query."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.ids import Kind
from audience_gql.api.keys import SubscriberKey, identity_of
from audience_gql.api.lists.membership import MembershipChange
from audience_gql.api.pagination import LARGEST_PAGE, First, page_size
from audience_gql.audience.log.feed import CHANGES_A_BATCH, Batch, Page
from audience_gql.storage.log import FeedFilter
from audience_gql.storage.reads.records import Owner


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
class FeedSelection(AsyncIterable[Batch]):
    """What a subscription selects from the feed. `feed_subscription` makes a shared subscription of it."""

    after: str | None
    wanted: FeedFilter

    def __aiter__(self) -> AsyncIterator[Batch]:
        """graphql-core requires an async iterable and only hands it through."""
        raise NotImplementedError


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
        wanted = _filter(segment_ids, group_ids, subscriber)
        info.context.note_reads(wanted.segment_ids or ())
        return await info.context.feed.read_page(
            after=after,
            wanted=wanted,
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
    ) -> FeedSelection:
        wanted = _filter(segment_ids, group_ids, subscriber)
        info.context.note_reads(wanted.segment_ids or ())
        return FeedSelection(after=info.context.resume_from or after, wanted=wanted)


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
