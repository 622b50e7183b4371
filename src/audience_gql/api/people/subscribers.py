"""Subscribers: the people of an audience."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import strawberry
from strawberry.scalars import JSON

from audience_gql.api.conditions.inputs import ConditionInput, filter_of
from audience_gql.api.context import Info
from audience_gql.api.keys import SubscriberKey, find_owner
from audience_gql.api.lists.search import Search, words
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import CURSOR, EDGES, PAGE_SIZE, After, Connection, First, Listing, Page
from audience_gql.api.people.channels import Channel, ChannelState
from audience_gql.api.people.custom_fields import CustomField
from audience_gql.api.people.events import EventConnection
from audience_gql.api.shapes import enum
from audience_gql.storage import models
from audience_gql.storage.feed import LoggedChange
from audience_gql.storage.reads import pages
from audience_gql.storage.reads.records import ChannelRecord, EventRecord, SubscriberRecord

if TYPE_CHECKING:
    from audience_gql.api.lists.groups import SubscriberGroupConnection
    from audience_gql.api.lists.membership import MembershipChangeConnection
    from audience_gql.api.lists.segments import SubscriberSegmentConnection

_GROUPS: Final = Listing("subscriber.groups", datetime, int)
_SEGMENTS: Final = Listing("subscriber.segments", datetime, int)
_EVENTS: Final = Listing("subscriber.events", datetime, int)
_HISTORY: Final = Listing("subscriber.membershipHistory", int)


@dataclass(frozen=True, slots=True)
class _Value:
    """One custom field's value of one person."""

    definition: models.CustomField
    value: Any  # Any: JSON of the field's type

    @property
    def key(self) -> str:
        return self.definition.key


@strawberry.type(description="What a person has in a custom field.")
class FieldValue:
    key: str = strawberry.field(description="The field's key.")
    value: JSON | None = strawberry.field(description="The value, as JSON of the field's type.")
    definition: CustomField = strawberry.field(description="The field.")


@strawberry.type(description="A person of the audience.")
class Subscriber(Node):
    email: str | None = strawberry.field(description="Her email address; nobody else here has it.")
    phone: str | None = strawberry.field(description="Her phone number in E.164; nobody else here has it.")
    external_id: str | None = strawberry.field(
        description="Her id in the system that she comes from; nobody else here has it."
    )
    first_name: str | None = strawberry.field(description="Her given name.")
    last_name: str | None = strawberry.field(description="Her family name.")
    language: str | None = strawberry.field(description="Her language: a BCP 47 tag.")
    timezone: str | None = strawberry.field(description="Her time zone in the IANA database.")
    birthday: date | None = strawberry.field(description="The day she was born.")
    country: str | None = strawberry.field(description="ISO 3166-1 alpha-2.")
    region: str | None = strawberry.field(description="Her state, county or province.")
    city: str | None = strawberry.field(description="Her city.")
    postal_code: str | None = strawberry.field(description="Her postal code.")
    created_at: datetime = strawberry.field(description="When she was first stored.")
    updated_at: datetime = strawberry.field(description="When her profile or a custom field last changed.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, SubscriberRecord)

    @strawberry.field(
        description="What is known of her wishes, for channels of which anything is.",
        graphql_type=list[ChannelState],
        metadata={"up_to": len(Channel)},
    )
    @staticmethod
    async def channels(parent: strawberry.Parent[SubscriberRecord], info: Info) -> list[ChannelRecord]:
        return await info.context.loaders.channels.load(parent.owner)

    @strawberry.field(
        description="The custom fields that she has a value in, by key.", graphql_type=list[FieldValue]
    )
    @staticmethod
    async def fields(parent: strawberry.Parent[SubscriberRecord], info: Info) -> list[_Value]:
        if not parent.fields:
            return []
        definitions = await info.context.loaders.custom_fields.load(None)
        return [_Value(it, parent.fields[str(it.id)]) for it in definitions if str(it.id) in parent.fields]

    @strawberry.field(description="Her value in one custom field.", graphql_type=JSON | None)
    @staticmethod
    async def field(
        parent: strawberry.Parent[SubscriberRecord],
        info: Info,
        key: Annotated[str, strawberry.argument(description="The field's key.")],
    ) -> object:
        definitions = await info.context.loaders.custom_fields.load(None)
        return next((parent.fields.get(str(it.id)) for it in definitions if it.key == key), None)

    @strawberry.field(
        description="The groups that she is in, the latest first.",
        graphql_type=Annotated["SubscriberGroupConnection", strawberry.lazy("audience_gql.api.lists.groups")],
    )
    @staticmethod
    async def groups(
        parent: strawberry.Parent[SubscriberRecord], info: Info, first: First = PAGE_SIZE, after: After = None
    ) -> Page[models.Group]:
        part = _GROUPS.slice(first, after)
        return _GROUPS.page(await info.context.loaders.groups_of_subscribers.load((parent.owner, part)), part)

    @strawberry.field(
        description="The segments that she is in, the latest first.",
        graphql_type=Annotated[
            "SubscriberSegmentConnection", strawberry.lazy("audience_gql.api.lists.segments")
        ],
    )
    @staticmethod
    async def segments(
        parent: strawberry.Parent[SubscriberRecord], info: Info, first: First = PAGE_SIZE, after: After = None
    ) -> Page[models.Segment]:
        part = _SEGMENTS.slice(first, after)
        entries = await info.context.loaders.segments_of_subscribers.load((parent.owner, part))
        return _SEGMENTS.page(entries, part)

    @strawberry.field(description="What she did, the latest first.", graphql_type=EventConnection)
    @staticmethod
    async def events(
        parent: strawberry.Parent[SubscriberRecord],
        info: Info,
        name: Annotated[str | None, strawberry.argument(description="Only events of this name.")] = None,
        first: First = PAGE_SIZE,
        after: After = None,
    ) -> Page[EventRecord]:
        part = _EVENTS.slice(first, after)
        entries = await info.context.loaders.events_of_subscribers(name).load((parent.owner, part))
        return _EVENTS.page(entries, part)

    @strawberry.field(
        description="Which groups and segments she entered and left, the latest first.",
        graphql_type=Annotated[
            "MembershipChangeConnection", strawberry.lazy("audience_gql.api.lists.membership")
        ],
    )
    @staticmethod
    async def membership_history(
        parent: strawberry.Parent[SubscriberRecord], info: Info, first: First = PAGE_SIZE, after: After = None
    ) -> Page[LoggedChange]:
        part = _HISTORY.slice(first, after)
        entries = await info.context.loaders.changes_of_subscribers.load((parent.owner, part))
        return _HISTORY.page(entries, part)


@strawberry.type(description="A person in a list.")
class SubscriberEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Subscriber = strawberry.field(description="The person.")


@strawberry.type(description="A page of people.")
class SubscriberConnection(Connection):
    edges: list[SubscriberEdge] = strawberry.field(description=EDGES)


@strawberry.type(description="A member of a group.")
class GroupMemberEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Subscriber = strawberry.field(description="The person.")
    at: datetime = strawberry.field(name="addedAt", description="When she was put into the group.")


@strawberry.type(description="A page of a group's members, the latest first.")
class GroupMemberConnection(Connection):
    edges: list[GroupMemberEdge] = strawberry.field(description=EDGES)


@strawberry.type(description="A member of a segment.")
class SegmentMemberEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Subscriber = strawberry.field(description="The person.")
    at: datetime = strawberry.field(name="enteredAt", description="When she entered the segment.")


@strawberry.type(description="A page of a segment's members, the latest first.")
class SegmentMemberConnection(Connection):
    edges: list[SegmentMemberEdge] = strawberry.field(description=EDGES)
    feed_cursor: str = strawberry.field(
        description=(
            "Where the live feed stood at the instant of this page. Keep the first page's: pages to the end, and "
            "then `membershipChanges(after:)` from it, miss nobody."
        )
    )


@enum(
    "How a list of people is ordered.",
    CREATED_DESC="The latest first.",
    CREATED_ASC="The earliest first.",
    EMAIL_ASC="By email address; people without one come last.",
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


@strawberry.type
class SubscriberQuery:
    @strawberry.field(description="One person; null when there is none.", graphql_type=Subscriber | None)
    @staticmethod
    async def subscriber(
        info: Info, by: Annotated[SubscriberKey, strawberry.argument(description="Who.")]
    ) -> SubscriberRecord | None:
        owner = await find_owner(info.context, by)
        return None if owner is None else await info.context.loaders.subscribers.load(owner)

    @strawberry.field(description="The people of the audience.", graphql_type=SubscriberConnection)
    @staticmethod
    async def subscribers(
        info: Info,
        where: Annotated[
            ConditionInput | None,
            strawberry.argument(
                description="Only people whom this matches now. It may not name a paused segment: page its `members` instead."
            ),
        ] = None,
        search: Search = None,
        order_by: Annotated[
            SubscriberOrder, strawberry.argument(description="How the list is ordered.")
        ] = SubscriberOrder.CREATED_DESC,
        first: First = PAGE_SIZE,
        after: After = None,
    ) -> Page[SubscriberRecord]:
        listing = _LISTINGS[order_by]
        part = listing.slice(first, after)
        entries = await pages.subscribers(
            info.context.ports.database,
            info.context.workspace.id,
            part,
            order_by=order_by.value,
            words=words(search),
            matching=None if where is None else await filter_of(info.context, where),
        )
        return listing.page(entries, part)
