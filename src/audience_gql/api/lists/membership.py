"""Membership changes: the log of who entered or left which list, and when."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.ids import Kind
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import ListConnection, ListEdge
from audience_gql.api.shapes import enum
from audience_gql.storage.log import LoggedChange
from audience_gql.storage.orm import models
from audience_gql.storage.reads.records import SubscriberRecord

if TYPE_CHECKING:
    from audience_gql.api.lists.groups import Group
    from audience_gql.api.lists.segments import Segment
    from audience_gql.api.people.subscribers import Subscriber


@enum(
    "Whether a person entered or left a list.",
    ENTERED="The person entered the list.",
    LEFT="The person left the list.",
)
class MembershipChangeKind(StrEnum):
    ENTERED = "ENTERED"
    LEFT = "LEFT"


@enum(
    "Why a person entered or left a list.",
    SUBSCRIBER="The person is new, or their profile or a custom field changed.",
    EVENT="An event of the person was tracked.",
    GROUP="The person was added to a group that the segment reads, or removed from it.",
    SEGMENT="The person entered or left a segment that this segment reads.",
    CLOCK="Time passed: the person crossed a time limit of the condition.",
    DEFINITION="The segment was created or edited.",
    REPAIR="An audit or recompute corrected a wrong membership.",
    MANUAL="A caller added the person to the group or removed them, deleted the group, or erased the person.",
)
class MembershipCause(StrEnum):
    SUBSCRIBER = "SUBSCRIBER"
    EVENT = "EVENT"
    GROUP = "GROUP"
    SEGMENT = "SEGMENT"
    CLOCK = "CLOCK"
    DEFINITION = "DEFINITION"
    REPAIR = "REPAIR"
    MANUAL = "MANUAL"


@strawberry.type(description="One person entered or left one segment or group. An entry of the log.")
class MembershipChange(Node):
    cause: MembershipCause = strawberry.field(description="Why the person entered or left.")
    occurred_at: datetime = strawberry.field(
        description="The instant of the evaluation that found the change."
    )
    revision: int | None = strawberry.field(
        description="The segment's revision at that instant; null for groups."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, LoggedChange)

    @strawberry.field(description="Whether the person entered or left.")
    @staticmethod
    def kind(parent: strawberry.Parent[LoggedChange]) -> MembershipChangeKind:
        return MembershipChangeKind.ENTERED if parent.entered else MembershipChangeKind.LEFT

    @strawberry.field(description="The segment's id; null for a change of a group.")
    @staticmethod
    def segment_id(parent: strawberry.Parent[LoggedChange]) -> strawberry.ID | None:
        is_ours = parent.list_kind == "SEGMENT"
        return strawberry.ID(ids.encode(Kind.SEGMENT, parent.list_id)) if is_ours else None

    @strawberry.field(
        description="The segment; null after it is deleted, and for a change of a group.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")] | None,
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[LoggedChange], info: Info) -> models.Segment | None:
        is_ours = parent.list_kind == "SEGMENT"
        return await info.context.loaders.segments.load(parent.list_id) if is_ours else None

    @strawberry.field(description="The group's id; null for a change of a segment.")
    @staticmethod
    def group_id(parent: strawberry.Parent[LoggedChange]) -> strawberry.ID | None:
        is_ours = parent.list_kind == "GROUP"
        return strawberry.ID(ids.encode(Kind.GROUP, parent.list_id)) if is_ours else None

    @strawberry.field(
        description="The group; null after it is deleted, and for a change of a segment.",
        graphql_type=Annotated["Group", strawberry.lazy("audience_gql.api.lists.groups")] | None,
    )
    @staticmethod
    async def group(parent: strawberry.Parent[LoggedChange], info: Info) -> models.Group | None:
        is_ours = parent.list_kind == "GROUP"
        return await info.context.loaders.groups.load(parent.list_id) if is_ours else None

    @strawberry.field(
        description="The person's id. It is random and never reused, and it stays here after an erasure, so that a client can remove the "
        "person from its own data."
    )
    @staticmethod
    def subscriber_id(parent: strawberry.Parent[LoggedChange]) -> strawberry.ID:
        return strawberry.ID(ids.subscriber_id((parent.bucket_id, parent.subscriber_id)))

    @strawberry.field(
        description="The person; null after their erasure.",
        graphql_type=Annotated["Subscriber", strawberry.lazy("audience_gql.api.people.subscribers")] | None,
    )
    @staticmethod
    async def subscriber(parent: strawberry.Parent[LoggedChange], info: Info) -> SubscriberRecord | None:
        return await info.context.loaders.subscribers.load((parent.bucket_id, parent.subscriber_id))


@strawberry.type(description="A membership change in a list.")
class MembershipChangeEdge(ListEdge):
    node: MembershipChange = strawberry.field(description="The change.")


@strawberry.type(description="A page of membership changes. The latest comes first.")
class MembershipChangeConnection(ListConnection[MembershipChangeEdge]): ...
