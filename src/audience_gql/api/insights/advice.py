"""Advice about the workspace's segments: what to tidy up."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from audience_gql.api.context import Info
from audience_gql.api.declaring import RUNS_ONCE
from audience_gql.api.pagination import First, page_size
from audience_gql.api.shapes import enum
from audience_gql.audience.insights import advice
from audience_gql.audience.insights.advice import KINDS, MANY_SMALL, MOST_COMPARED
from audience_gql.storage.orm import models

if TYPE_CHECKING:
    from audience_gql.api.lists.segments import Segment

_SHOWN: Final = 50


@enum(
    "What was found about a segment.",
    EQUAL="It has exactly the members of `other`. Not if one of them reads the other.",
    ALIKE="It and `other` have at least 95 % of the people who are in either of them in common. Not if one of them reads the other.",
    EMPTY="It has no members.",
    EVERYBODY="All people of the audience are members.",
    CONTAINED="All its members are in `other`, of which they are at least 80 %. Not if one of the two reads the other.",
    NEVER_CHANGING="Nobody has entered or left it for 90 days, although facts or the clock can change its condition.",
    UNUSED="Nobody has read or followed it for 90 days, and no automation and no other segment names it.",
    NEVER_REVIEWED="It was created more than 90 days ago and never reviewed, or last reviewed more than 180 days ago.",
    TOO_SMALL=f"More than {MANY_SMALL} segments have less than 1 % of the audience each. There is one such advice for all of them.",
)
class SegmentAdviceKind(StrEnum):
    EQUAL = "EQUAL"
    ALIKE = "ALIKE"
    EMPTY = "EMPTY"
    EVERYBODY = "EVERYBODY"
    CONTAINED = "CONTAINED"
    NEVER_CHANGING = "NEVER_CHANGING"
    UNUSED = "UNUSED"
    NEVER_REVIEWED = "NEVER_REVIEWED"
    TOO_SMALL = "TOO_SMALL"


@strawberry.type(description="One thing that was found about a segment, and what to do about it.")
class SegmentAdvice:
    people: int = strawberry.field(
        description="The number of members of `segment`; of EQUAL, ALIKE and CONTAINED, the number of people who are in both segments; of TOO_SMALL, the "
        "number of members of the largest of the small segments."
    )
    message: str = strawberry.field(
        description="What was found and what to do about it, as sentences for people."
    )

    @strawberry.field(description="What was found.")
    @staticmethod
    def kind(parent: strawberry.Parent[advice.Advice]) -> SegmentAdviceKind:
        return SegmentAdviceKind(parent.kind)

    @strawberry.field(
        description="The segment. Null for TOO_SMALL, and if it was deleted in the meantime.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")] | None,
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[advice.Advice], info: Info) -> models.Segment | None:
        return await _segment(info, parent.segment_id)

    @strawberry.field(
        description="The segment that it was compared with. Null unless the kind is EQUAL, ALIKE or CONTAINED.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")] | None,
    )
    @staticmethod
    async def other(parent: strawberry.Parent[advice.Advice], info: Info) -> models.Segment | None:
        return await _segment(info, parent.other_id)


async def _segment(info: Info, segment_id: int | None) -> models.Segment | None:
    return None if segment_id is None else await info.context.loaders.segments.load(segment_id)


@strawberry.type
class SegmentAdviceQuery:
    @strawberry.field(
        description="Advice about the segments of the workspace, computed now: by kind in the order of SegmentAdviceKind, and then by name. Only segments "
        f"that are READY get advice about their members. EQUAL, ALIKE and CONTAINED compare the {MOST_COMPARED} largest segments with one "
        "another, and count exactly. A segment gets at most one advice of these three kinds.",
        graphql_type=list[SegmentAdvice],
        metadata={RUNS_ONCE: True},
    )
    @staticmethod
    async def segment_advice(
        info: Info,
        kinds: Annotated[
            list[SegmentAdviceKind] | None,
            strawberry.argument(description="Only advice of these kinds; of all kinds for null or []."),
        ] = None,
        first: First = _SHOWN,
    ) -> list[advice.Advice]:
        size = page_size(first, default=_SHOWN)
        found = await advice.segment_advice(
            ports=info.context.heavy_ports,
            workspace_id=info.context.workspace.id,
            kinds=[kind for kind in KINDS if not kinds or SegmentAdviceKind(kind) in kinds],
        )
        return found[:size]
