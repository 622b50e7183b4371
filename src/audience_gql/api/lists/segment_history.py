"""The history of a segment: each revision of its definition, who made it, and what it changed, in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import strawberry

from audience_gql.api.conditions.inputs import stored_with_opaque_ids
from audience_gql.api.context import Info
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import PAGE_SIZE, After, First, ListConnection, ListEdge, Listing, Page
from audience_gql.api.scalars import Condition
from audience_gql.storage.orm import models
from audience_gql.storage.trail import RevisionRecord

_HISTORY: Final = Listing("segment.history", datetime, int)


@strawberry.type(
    description="A change of a segment's definition. To undo it, send the condition of the revision before it to `updateSegment`: an undo is an "
    "edit like any other."
)
class SegmentRevision(Node):
    at: datetime = strawberry.field(description="When the change was made.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, RevisionRecord)

    @strawberry.field(
        description="The revision of the segment since this change. A pause and its end keep the revision."
    )
    @staticmethod
    def revision(parent: strawberry.Parent[RevisionRecord]) -> int:
        number: int = _after(parent)["revision"]
        return number

    @strawberry.field(
        description="The name of the token that made the change, as it was called at that time, or what else made it: `audience-gql` for the "
        "command line."
    )
    @staticmethod
    def made_by(parent: strawberry.Parent[RevisionRecord]) -> str:
        return parent.actor_name

    @strawberry.field(description="The name of the segment since this change.")
    @staticmethod
    def name(parent: strawberry.Parent[RevisionRecord]) -> str:
        name: str = _after(parent)["name"]
        return name

    @strawberry.field(description="The description of the segment since this change.")
    @staticmethod
    def description(parent: strawberry.Parent[RevisionRecord]) -> str | None:
        text: str | None = _after(parent)["description"]
        return text

    @strawberry.field(description="Whether the segment is paused since this change.")
    @staticmethod
    def is_paused(parent: strawberry.Parent[RevisionRecord]) -> bool:
        paused: bool = _after(parent)["isPaused"]
        return paused

    @strawberry.field(
        description="The condition since this change, in the shape of ConditionInput, so that a client can send it back. What it names may be "
        "deleted by now: `updateSegment` then says so.",
        graphql_type=Condition,
    )
    @staticmethod
    def condition(parent: strawberry.Parent[RevisionRecord]) -> object:
        return stored_with_opaque_ids(_after(parent)["condition"])

    @strawberry.field(
        description="The condition before this change, in the same shape: send it to `updateSegment` to undo the change. Null for the creation.",
        graphql_type=Condition | None,
    )
    @staticmethod
    def condition_before(parent: strawberry.Parent[RevisionRecord]) -> object | None:
        return None if parent.before is None else stored_with_opaque_ids(parent.before["condition"])

    @strawberry.field(
        description="The lines that the change added to the condition in words, with the names of that time. Two spaces at the beginning of a line "
        "stand for each level. Empty if the condition stayed the same."
    )
    @staticmethod
    def lines_added(parent: strawberry.Parent[RevisionRecord]) -> list[str]:
        return list(parent.lines_added)

    @strawberry.field(description="The lines that the change removed, in the same form.")
    @staticmethod
    def lines_removed(parent: strawberry.Parent[RevisionRecord]) -> list[str]:
        return list(parent.lines_removed)


def _after(entry: RevisionRecord) -> dict[str, Any]:  # Any: JSON
    """The segment after the change. A segment in the schema is not deleted, so each of its entries has one."""
    assert entry.after is not None  # noqa: S101  # see above
    return entry.after


@strawberry.type(description="A revision of a segment, in a list.")
class SegmentRevisionEdge(ListEdge):
    node: SegmentRevision = strawberry.field(description="The revision.")


@strawberry.type(description="A page of the history of a segment.")
class SegmentRevisionConnection(ListConnection[SegmentRevisionEdge]): ...


async def _history(
    parent: strawberry.Parent[models.Segment], info: Info, first: First = PAGE_SIZE, after: After = None
) -> Page[RevisionRecord]:
    part = _HISTORY.slice(first, after)
    return _HISTORY.page(await info.context.loaders.history_of_segments(part).load(parent.id), part)


history = strawberry.field(
    resolver=_history,
    graphql_type=SegmentRevisionConnection,
    description="Each change of the segment's definition since the audit trail began, who made it, and what it changed. The latest comes first.",
)
