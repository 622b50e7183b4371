"""Membership changes: the record of who entered and left which list, and when."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.ids import Kind
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import CURSOR, EDGES, Connection
from audience_gql.api.shapes import enum
from audience_gql.storage import models
from audience_gql.storage.feed import LoggedChange
from audience_gql.storage.reads.records import SubscriberRecord

if TYPE_CHECKING:
    from audience_gql.api.lists.groups import Group
    from audience_gql.api.lists.segments import Segment
    from audience_gql.api.people.subscribers import Subscriber


@enum("Which way somebody went.", ENTERED="Into the list.", LEFT="Out of the list.")
class MembershipChangeKind(StrEnum):
    ENTERED = "ENTERED"
    LEFT = "LEFT"


@enum(
    "Why somebody entered or left a list.",
    SUBSCRIBER="Her profile or a custom field changed, or she is new.",
    EVENT="She did something.",
    GROUP="She was put into a group, or taken out of it.",
    SEGMENT="A segment that this one reads changed for her.",
    CLOCK="Time went by.",
    DEFINITION="The segment was defined or edited.",
    REPAIR="A recompute found that she was wrongly in or out.",
    MANUAL="Somebody put her into the group, or took her out.",
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


@strawberry.type(description="One person entering or leaving one segment or group.")
class MembershipChange(Node):
    cause: MembershipCause = strawberry.field(description="Why.")
    occurred_at: datetime = strawberry.field(description="The instant of the evaluation that found it.")
    revision: int | None = strawberry.field(
        description="The segment's revision at that instant; null for groups."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, LoggedChange)

    @strawberry.field(description="Which way she went.")
    @staticmethod
    def kind(parent: strawberry.Parent[LoggedChange]) -> MembershipChangeKind:
        return MembershipChangeKind.ENTERED if parent.entered else MembershipChangeKind.LEFT

    @strawberry.field(description="The segment's id; null when the change is a group's.")
    @staticmethod
    def segment_id(parent: strawberry.Parent[LoggedChange]) -> strawberry.ID | None:
        is_ours = parent.list_kind == "SEGMENT"
        return strawberry.ID(ids.encode(Kind.SEGMENT, parent.list_id)) if is_ours else None

    @strawberry.field(
        description="Null once deleted, or when the change is a group's.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")] | None,
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[LoggedChange], info: Info) -> models.Segment | None:
        is_ours = parent.list_kind == "SEGMENT"
        return await info.context.loaders.segments.load(parent.list_id) if is_ours else None

    @strawberry.field(description="The group's id; null when the change is a segment's.")
    @staticmethod
    def group_id(parent: strawberry.Parent[LoggedChange]) -> strawberry.ID | None:
        is_ours = parent.list_kind == "GROUP"
        return strawberry.ID(ids.encode(Kind.GROUP, parent.list_id)) if is_ours else None

    @strawberry.field(
        description="Null once deleted, or when the change is a segment's.",
        graphql_type=Annotated["Group", strawberry.lazy("audience_gql.api.lists.groups")] | None,
    )
    @staticmethod
    async def group(parent: strawberry.Parent[LoggedChange], info: Info) -> models.Group | None:
        is_ours = parent.list_kind == "GROUP"
        return await info.context.loaders.groups.load(parent.list_id) if is_ours else None

    @strawberry.field(
        description="Random, never reused; stays after an erasure, so that a client can drop the person."
    )
    @staticmethod
    def subscriber_id(parent: strawberry.Parent[LoggedChange]) -> strawberry.ID:
        return strawberry.ID(ids.subscriber_id((parent.bucket_id, parent.subscriber_id)))

    @strawberry.field(
        description="Null once the person has been erased.",
        graphql_type=Annotated["Subscriber", strawberry.lazy("audience_gql.api.people.subscribers")] | None,
    )
    @staticmethod
    async def subscriber(parent: strawberry.Parent[LoggedChange], info: Info) -> SubscriberRecord | None:
        return await info.context.loaders.subscribers.load((parent.bucket_id, parent.subscriber_id))


@strawberry.type(description="A change in a list.")
class MembershipChangeEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: MembershipChange = strawberry.field(description="The change.")


@strawberry.type(description="A page of changes, the latest first.")
class MembershipChangeConnection(Connection):
    edges: list[MembershipChangeEdge] = strawberry.field(description=EDGES)
