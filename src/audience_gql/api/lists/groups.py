"""Groups: static lists, to which callers add people and from which they remove them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Context, Info
from audience_gql.api.declaring import SAME, together, written
from audience_gql.api.failures import InvalidInput, NameTaken, NotFound, Reject
from audience_gql.api.ids import Kind
from audience_gql.api.keys import GroupKey, SubscriberKey, find_group, folded_name, subscriber_key
from audience_gql.api.lists.orders import ListOrder, OrderBy, listings
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import PAGE_SIZE, After, First, ListConnection, ListEdge, Listing, Page
from audience_gql.api.search import Search, words
from audience_gql.audience.definitions.groups import (
    GroupChanged,
    add_to_group,
    create_group,
    remove_from_group,
)
from audience_gql.audience.definitions.snapshots import MEMBERS_AT_ONCE
from audience_gql.audience.people.keys import UNSET
from audience_gql.storage.orm import models
from audience_gql.storage.reads import list_pages, pages, rows
from audience_gql.storage.reads.composed.pieces import At
from audience_gql.storage.reads.composed.sources import PageSource, RowSource
from audience_gql.storage.reads.records import Columns, SubscriberRecord

if TYPE_CHECKING:
    from audience_gql.api.people.subscribers import GroupMemberConnection

_MEMBERS: Final = Listing("group.members", datetime, int, int)
_LISTINGS: Final = listings("groups")


async def _member_counts(context: Context, groups: Sequence[models.Group], _: Columns = None) -> list[int]:
    counts = await context.loaders.member_counts.load_now([group.id for group in groups])
    return [count or 0 for count in counts]


async def _members_of(
    context: Context,
    groups: Sequence[models.Group],
    columns: Columns = None,
    *,
    first: int | None = PAGE_SIZE,
    after: str | None = None,
) -> list[Page[SubscriberRecord]]:
    part = _MEMBERS.slice(first, after)
    loader = context.loaders.members_of_groups(part, columns)
    found = await loader.load_now([group.id for group in groups])
    return [_MEMBERS.page(entries, part) for entries in found]


def _members_source(_: Context, *, first: int | None = PAGE_SIZE, after: str | None = None) -> PageSource:
    return _MEMBERS.source(list_pages.MEMBERS_OF_GROUP, first, after)


@strawberry.type(description="A static list of people. A person stays in it until a caller removes them.")
class Group(Node):
    name: str = strawberry.field(
        description="The group's name, up to 200 characters; unique among groups regardless of case."
    )
    description: str | None = strawberry.field(description="What the group is for; null when not given.")
    created_at: datetime = strawberry.field(description="When the group was created.")
    updated_at: datetime = strawberry.field(description="When the name or description last changed.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, models.Group)

    @strawberry.field(
        description="The exact number of people in the group now.",
        metadata=together(_member_counts, reads=["id"], written=rows.GROUP_MEMBERS_NOW),
    )
    @staticmethod
    async def member_count(parent: strawberry.Parent[models.Group], info: Info) -> int:
        (count,) = await _member_counts(info.context, [parent])
        return count

    @strawberry.field(
        description="The people in the group. Those added last come first.",
        graphql_type=Annotated[
            "GroupMemberConnection", strawberry.lazy("audience_gql.api.people.subscribers")
        ],
        metadata=together(_members_of, reads=["id"], written=_members_source),
    )
    @staticmethod
    async def members(
        parent: strawberry.Parent[models.Group], info: Info, first: First = PAGE_SIZE, after: After = None
    ) -> Page[SubscriberRecord]:
        (page,) = await _members_of(info.context, [parent], first=first, after=after)
        return page


@strawberry.type(description="A group in a list.")
class GroupEdge(ListEdge):
    node: Group = strawberry.field(metadata=written(SAME), description="The group.")


@strawberry.type(description="A page of groups.")
class GroupConnection(ListConnection[GroupEdge]): ...


@strawberry.type(description="A group that contains a person, in a list.")
class SubscriberGroupEdge(ListEdge):
    node: Group = strawberry.field(metadata=written(SAME), description="The group.")
    at: datetime = strawberry.field(
        metadata=written(At()), name="addedAt", description="When the person was added to the group."
    )


@strawberry.type(
    description="A page of the groups that contain a person. The group that they joined last comes first."
)
class SubscriberGroupConnection(ListConnection[SubscriberGroupEdge]): ...


@strawberry.input(description="A group to create.")
class CreateGroupInput:
    name: str = strawberry.field(
        description="The name: 1 to 200 characters, unique among groups regardless of case."
    )
    description: str | None = strawberry.field(
        description="What the group is for, up to 2,000 characters.", default=strawberry.UNSET
    )


@strawberry.input(description="People to add to a group, or to remove from it.")
class GroupMembersInput:
    group_id: strawberry.ID = strawberry.field(description="The group's id.")
    subscribers: list[SubscriberKey] | None = strawberry.field(
        description="Up to 1,000 people. An unknown person is a Reject.", default=strawberry.UNSET
    )
    segment_id: strawberry.ID | None = strawberry.field(
        description=f"In addition, everybody who is in this segment now, up to {MEMBERS_AT_ONCE:,} people. The segment must be READY or "
        "PAUSED.",
        default=strawberry.UNSET,
    )


@strawberry.type(description="The result of adding people to a group or removing them.")
class GroupMembersPayload:
    group: Group = strawberry.field(description="The group.")
    changed: int = strawberry.field(
        description="The number of people who entered or left the group. People who were already in or out do not count."
    )
    rejects: list[Reject] = strawberry.field(description="The people who were refused; [] for none.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, GroupChanged)


CreateGroupResult: TypeAlias = Annotated[
    Group | InvalidInput | NameTaken,
    strawberry.union("CreateGroupResult", description="The new group, or the reason why it was not created."),
]
GroupMembersResult: TypeAlias = Annotated[
    GroupMembersPayload | InvalidInput | NotFound,
    strawberry.union(
        "GroupMembersResult", description="What changed in the group, or the reason why nothing changed."
    ),
]
MembersArgument: TypeAlias = Annotated[
    GroupMembersInput, strawberry.argument(name="input", description="The group and the people.")
]


def _group_source(_: Context, *, by: GroupKey) -> RowSource | None:
    if by.id:
        number = ids.number_of(Kind.GROUP, by.id.value)
        return None if number is None else RowSource(rows.GROUP_BY_ID, (number,))
    name = folded_name(by.name.value if by.name else "")
    return None if name is None else RowSource(rows.GROUP_BY_NAME, (name,))


def _groups_source(
    _: Context,
    *,
    search: str | None = None,
    order_by: ListOrder = ListOrder.NAME_ASC,
    first: int | None = PAGE_SIZE,
    after: str | None = None,
) -> PageSource | None:
    return None if search else _LISTINGS[order_by].source(pages.GROUPS[order_by.value], first, after)


@strawberry.type
class GroupQuery:
    @strawberry.field(
        description="The group with this id or name; null when there is none.",
        graphql_type=Group | None,
        metadata=written(_group_source),
    )
    @staticmethod
    async def group(
        info: Info, by: Annotated[GroupKey, strawberry.argument(description="The group's id or name.")]
    ) -> models.Group | None:
        return await find_group(info.context, by)

    @strawberry.field(
        description="The groups of the workspace.",
        graphql_type=GroupConnection,
        metadata=written(_groups_source),
    )
    @staticmethod
    async def groups(
        info: Info,
        search: Search = None,
        order_by: OrderBy = ListOrder.NAME_ASC,
        first: First = PAGE_SIZE,
        after: After = None,
    ) -> Page[models.Group]:
        listing = _LISTINGS[order_by]
        part = listing.slice(first, after)
        database, workspace = info.context.ports.database, info.context.workspace
        entries = await pages.groups(
            database, workspace.id, part, order_by=order_by.value, words=words(search)
        )
        return listing.page(entries, part)


@strawberry.type
class GroupMutation:
    @strawberry.mutation(description="Creates an empty group.", graphql_type=CreateGroupResult)
    @staticmethod
    async def create_group(
        info: Info,
        group: Annotated[
            CreateGroupInput, strawberry.argument(name="input", description="The group to create.")
        ],
    ) -> models.Group:
        return await create_group(
            ports=info.context.ports,
            workspace=info.context.workspace,
            name=group.name,
            description=group.description or None,
        )

    @strawberry.mutation(
        description="Adds people to a group, or copies a segment's present members into it. People who are already in it stay as they are.",
        graphql_type=GroupMembersResult,
    )
    @staticmethod
    async def add_to_group(info: Info, members: MembersArgument) -> GroupChanged:
        return await add_to_group(
            ports=info.context.ports,
            workspace=info.context.workspace,
            group_id=ids.number_of(Kind.GROUP, members.group_id),
            subscribers=[subscriber_key(key) for key in members.subscribers or ()],
            segment_id=ids.number_of(Kind.SEGMENT, members.segment_id) if members.segment_id else UNSET,
        )

    @strawberry.mutation(
        description="Removes people from a group. People who are not in it are ignored.",
        graphql_type=GroupMembersResult,
    )
    @staticmethod
    async def remove_from_group(info: Info, members: MembersArgument) -> GroupChanged:
        return await remove_from_group(
            ports=info.context.ports,
            workspace=info.context.workspace,
            group_id=ids.number_of(Kind.GROUP, members.group_id),
            subscribers=[subscriber_key(key) for key in members.subscribers or ()],
            segment_id=ids.number_of(Kind.SEGMENT, members.segment_id) if members.segment_id else UNSET,
        )
