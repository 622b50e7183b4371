"""Subscribers: the people of an audience, alone and in lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from audience_gql.api.channels import Channel, ChannelState
from audience_gql.api.conditions.inputs import ConditionInput, filter_of
from audience_gql.api.context import Context, Info
from audience_gql.api.declaring import READS, SAME, together, written
from audience_gql.api.ids import owner_of
from audience_gql.api.insights import past as insights_past
from audience_gql.api.keys import SubscriberKey, find_subscriber, identity_of
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import PAGE_SIZE, After, First, ListConnection, ListEdge, Listing, Page
from audience_gql.api.people import field_values, memberships
from audience_gql.api.people.events import EventConnection
from audience_gql.api.search import Search, words
from audience_gql.api.shapes import enum
from audience_gql.storage.log import LoggedChange
from audience_gql.storage.orm import models
from audience_gql.storage.reads import pages, person_pages, rows
from audience_gql.storage.reads.composed.pieces import At
from audience_gql.storage.reads.composed.sources import PageSource, RowSource, RowsSource
from audience_gql.storage.reads.records import ChannelRecord, Columns, EventRecord, SubscriberRecord

if TYPE_CHECKING:
    from audience_gql.api.lists.groups import SubscriberGroupConnection
    from audience_gql.api.lists.membership import MembershipChangeConnection
    from audience_gql.api.lists.segments import SubscriberSegmentConnection

_OWNER: Final = ("bucket_id", "id")
_GROUPS: Final = Listing("subscriber.groups", datetime, int)
_SEGMENTS: Final = Listing("subscriber.segments", datetime, int)
_EVENTS: Final = Listing("subscriber.events", datetime, int)
_HISTORY: Final = Listing("subscriber.membershipHistory", int)


async def _channels_of(
    context: Context, people: Sequence[SubscriberRecord], _: Columns = None
) -> list[list[ChannelRecord]]:
    return await context.loaders.channels.load_now([person.owner for person in people])


async def _groups_of(
    context: Context,
    people: Sequence[SubscriberRecord],
    columns: Columns = None,
    *,
    first: int | None = PAGE_SIZE,
    after: str | None = None,
) -> list[Page[models.Group]]:
    part = _GROUPS.slice(first, after)
    loader = context.loaders.groups_of_subscribers(part, columns)
    found = await loader.load_now([person.owner for person in people])
    return [_GROUPS.page(entries, part) for entries in found]


async def _segments_of(
    context: Context,
    people: Sequence[SubscriberRecord],
    columns: Columns = None,
    *,
    first: int | None = PAGE_SIZE,
    after: str | None = None,
) -> list[Page[models.Segment]]:
    part = _SEGMENTS.slice(first, after)
    loader = context.loaders.segments_of_subscribers(part, columns)
    found = await loader.load_now([person.owner for person in people])
    return [_SEGMENTS.page(entries, part) for entries in found]


def _channels_source(_: Context) -> RowsSource:
    return rows.CHANNELS


def _groups_source(_: Context, *, first: int | None = PAGE_SIZE, after: str | None = None) -> PageSource:
    return _GROUPS.source(person_pages.GROUPS_OF_PERSON, first, after)


def _segments_source(_: Context, *, first: int | None = PAGE_SIZE, after: str | None = None) -> PageSource:
    return _SEGMENTS.source(person_pages.SEGMENTS_OF_PERSON, first, after)


@strawberry.type(
    description="A person of the audience. A nullable field is null when the value is not known."
)
class Subscriber(Node):
    email: str | None = strawberry.field(description="Email address, unique in the workspace.")
    phone: str | None = strawberry.field(description="Phone number in E.164 format, unique in the workspace.")
    external_id: str | None = strawberry.field(
        description="The person's id in the system that they come from, unique in the workspace."
    )
    first_name: str | None = strawberry.field(description="Given name.")
    last_name: str | None = strawberry.field(description="Family name.")
    language: str | None = strawberry.field(description="Language as a BCP 47 tag, for example pt-BR.")
    timezone: str | None = strawberry.field(
        description="Time zone of the IANA database, for example Europe/Vilnius. Null stands for the workspace's time zone."
    )
    birthday: date | None = strawberry.field(description="Date of birth.")
    latitude: float | None = strawberry.field(
        description="Degrees north of the equator. Null exactly if `longitude` is null."
    )
    longitude: float | None = strawberry.field(
        description="Degrees east of Greenwich. Null exactly if `latitude` is null."
    )
    country: str | None = strawberry.field(
        description="Country as an ISO 3166-1 alpha-2 code, for example LT."
    )
    region: str | None = strawberry.field(description="State, county or province.")
    city: str | None = strawberry.field(description="City.")
    postal_code: str | None = strawberry.field(description="Postal code.")
    created_at: datetime = strawberry.field(description="When the person was first stored.")
    updated_at: datetime = strawberry.field(description="When the profile or a custom field last changed.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, SubscriberRecord)

    @strawberry.field(
        description="The person's status on each channel for which one is known.",
        graphql_type=list[ChannelState],
        metadata={"up_to": len(Channel), **together(_channels_of, reads=_OWNER, written=_channels_source)},
    )
    @staticmethod
    async def channels(parent: strawberry.Parent[SubscriberRecord], info: Info) -> list[ChannelRecord]:
        (states,) = await _channels_of(info.context, [parent])
        return states

    fields = field_values.fields
    field = field_values.field

    @strawberry.field(
        metadata=together(_groups_of, reads=_OWNER, written=_groups_source),
        description="The groups that contain the person. The group that they joined last comes first.",
        graphql_type=Annotated["SubscriberGroupConnection", strawberry.lazy("audience_gql.api.lists.groups")],
    )
    @staticmethod
    async def groups(
        parent: strawberry.Parent[SubscriberRecord], info: Info, first: First = PAGE_SIZE, after: After = None
    ) -> Page[models.Group]:
        (page,) = await _groups_of(info.context, [parent], first=first, after=after)
        return page

    @strawberry.field(
        metadata=together(_segments_of, reads=_OWNER, written=_segments_source),
        description="The segments that contain the person. The segment that they entered last comes first.",
        graphql_type=Annotated[
            "SubscriberSegmentConnection", strawberry.lazy("audience_gql.api.lists.segments")
        ],
    )
    @staticmethod
    async def segments(
        parent: strawberry.Parent[SubscriberRecord], info: Info, first: First = PAGE_SIZE, after: After = None
    ) -> Page[models.Segment]:
        (page,) = await _segments_of(info.context, [parent], first=first, after=after)
        return page

    @strawberry.field(
        description="The person's events. The latest comes first.",
        graphql_type=EventConnection,
        metadata={READS: _OWNER},
    )
    @staticmethod
    async def events(
        parent: strawberry.Parent[SubscriberRecord],
        info: Info,
        name: Annotated[
            str | None, strawberry.argument(description="Only events with this name. Null for all events.")
        ] = None,
        first: First = PAGE_SIZE,
        after: After = None,
    ) -> Page[EventRecord]:
        part = _EVENTS.slice(first, after)
        entries = await info.context.loaders.events_of_subscribers(part, name).load(parent.owner)
        return _EVENTS.page(entries, part)

    @strawberry.field(
        description="The membership changes of the person, as the log has them. The latest comes first.",
        graphql_type=Annotated[
            "MembershipChangeConnection", strawberry.lazy("audience_gql.api.lists.membership")
        ],
        metadata={READS: _OWNER},
    )
    @staticmethod
    async def membership_history(
        parent: strawberry.Parent[SubscriberRecord], info: Info, first: First = PAGE_SIZE, after: After = None
    ) -> Page[LoggedChange]:
        part = _HISTORY.slice(first, after)
        entries = await info.context.loaders.changes_of_subscribers(part).load(parent.owner)
        return _HISTORY.page(entries, part)

    member_of = memberships.member_of
    was_member = insights_past.was_member


@strawberry.type(description="A person in a list.")
class SubscriberEdge(ListEdge):
    node: Subscriber = strawberry.field(metadata=written(SAME), description="The person.")


@strawberry.type(description="A page of people.")
class SubscriberConnection(ListConnection[SubscriberEdge]): ...


@strawberry.type(description="A member of a group, in a list.")
class GroupMemberEdge(ListEdge):
    node: Subscriber = strawberry.field(metadata=written(SAME), description="The person.")
    at: datetime = strawberry.field(
        metadata=written(At()), name="addedAt", description="When the person was added to the group."
    )


@strawberry.type(description="A page of a group's members. Those added last come first.")
class GroupMemberConnection(ListConnection[GroupMemberEdge]): ...


@strawberry.type(description="A member of a segment, in a list.")
class SegmentMemberEdge(ListEdge):
    node: Subscriber = strawberry.field(metadata=written(SAME), description="The person.")
    at: datetime = strawberry.field(
        metadata=written(At()), name="enteredAt", description="When the person entered the segment."
    )


@strawberry.type(description="A page of a segment's members. Those who entered last come first.")
class SegmentMemberConnection(ListConnection[SegmentMemberEdge]):
    feed_cursor: str = strawberry.field(
        description=(
            "The position of the live feed at the instant of this page, or at `asOf`. To copy the members without gaps, keep the first page's "
            "cursor, read all pages, then continue with `membershipChanges(after:)` from that cursor."
        )
    )


@enum(
    "The order of a list of people.",
    CREATED_DESC="By time of creation, the latest first.",
    CREATED_ASC="By time of creation, the earliest first.",
    EMAIL_ASC="By email address, from A to Z. People without one come last.",
)
class SubscriberOrder(StrEnum):
    CREATED_DESC = "CREATED_DESC"
    CREATED_ASC = "CREATED_ASC"
    EMAIL_ASC = "EMAIL_ASC"


_LISTINGS: Final = {
    SubscriberOrder.CREATED_DESC: Listing("subscribers.createdDesc", datetime, int, int),
    SubscriberOrder.CREATED_ASC: Listing("subscribers.createdAsc", datetime, int, int),
    SubscriberOrder.EMAIL_ASC: Listing("subscribers.emailAsc", bool, str, int, int),
}


async def _subscriber(
    context: Context, _parents: Sequence[None], columns: Columns = None, *, by: SubscriberKey
) -> list[SubscriberRecord | None]:
    return [await find_subscriber(context, by, columns)]


def _subscriber_source(_: Context, *, by: SubscriberKey) -> RowSource | None:
    if by.id:
        owner = owner_of(by.id.value)
        return None if owner is None else RowSource(rows.PERSON_BY_OWNER, owner)
    identity = identity_of(by)
    return None if identity is None else RowSource(rows.PERSON_BY_IDENTITY, identity)


def _subscribers_source(
    _: Context,
    *,
    where: ConditionInput | None = None,
    search: str | None = None,
    order_by: SubscriberOrder = SubscriberOrder.CREATED_DESC,
    first: int | None = PAGE_SIZE,
    after: str | None = None,
) -> PageSource | None:
    if where is not None or search:
        return None
    return _LISTINGS[order_by].source(pages.PEOPLE[order_by.value], first, after)


async def _subscribers(
    context: Context,
    _parents: Sequence[None],
    columns: Columns = None,
    *,
    where: ConditionInput | None = None,
    search: str | None = None,
    order_by: SubscriberOrder = SubscriberOrder.CREATED_DESC,
    first: int | None = PAGE_SIZE,
    after: str | None = None,
) -> list[Page[SubscriberRecord]]:
    listing = _LISTINGS[order_by]
    part = listing.slice(first, after)
    entries = await pages.subscribers(
        context.ports.database,
        context.workspace.id,
        part,
        order_by=order_by.value,
        words=words(search),
        matching=None if where is None else await filter_of(context, where),
        columns=columns,
    )
    return [listing.page(entries, part)]


@strawberry.type
class SubscriberQuery:
    @strawberry.field(
        description="The person with this key; null when there is none.",
        graphql_type=Subscriber | None,
        metadata=together(_subscriber, reads=(), written=_subscriber_source),
    )
    @staticmethod
    async def subscriber(
        info: Info,
        by: Annotated[
            SubscriberKey, strawberry.argument(description="The person's id, email, phone or external id.")
        ],
    ) -> SubscriberRecord | None:
        (person,) = await _subscriber(info.context, [None], by=by)
        return person

    @strawberry.field(
        description="The people of the workspace.",
        graphql_type=SubscriberConnection,
        metadata=together(_subscribers, reads=(), written=_subscribers_source),
    )
    @staticmethod
    async def subscribers(
        info: Info,
        where: Annotated[
            ConditionInput | None,
            strawberry.argument(
                description="Only people who match this condition now. It may not name a paused segment; read that segment's `members` "
                "instead. Null for everybody."
            ),
        ] = None,
        search: Search = None,
        order_by: Annotated[
            SubscriberOrder, strawberry.argument(description="The order of the list.")
        ] = SubscriberOrder.CREATED_DESC,
        first: First = PAGE_SIZE,
        after: After = None,
    ) -> Page[SubscriberRecord]:
        (page,) = await _subscribers(
            info.context,
            [None],
            where=where,
            search=search,
            order_by=order_by,
            first=first,
            after=after,
        )
        return page
