"""The overlap of segments."""

from __future__ import annotations

from typing import Annotated, Final

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.declaring import RUNS_ONCE
from audience_gql.api.errors import BadUserInput
from audience_gql.api.failures import Segments
from audience_gql.api.ids import Kind
from audience_gql.audience.failures import NotFound
from audience_gql.storage.insights import overlaps
from audience_gql.storage.insights.overlaps import Overlap
from audience_gql.storage.orm import models

MOST_SEGMENTS: Final = 8
"""More segments than this would have more than 255 combinations."""


@strawberry.type(description="The people who are in exactly these of the requested segments.")
class SegmentOverlap:
    members: int = strawberry.field(
        description="The exact number of people who are in all of `segments` and in no other requested segment."
    )

    @strawberry.field(
        description="This combination: one segment, or several that overlap.",
        graphql_type=Segments,
        metadata={"up_to": MOST_SEGMENTS},
    )
    @staticmethod
    async def segments(parent: strawberry.Parent[Overlap], info: Info) -> list[models.Segment]:
        found = await info.context.loaders.segments.load_many(parent.segment_ids)
        return [segment for segment in found if segment is not None]


@strawberry.type
class SegmentOverlapQuery:
    @strawberry.field(
        description="The overlap of segments: for each combination of them, the number of people who are in exactly these segments. The "
        "largest comes first, and combinations without people are omitted. An unknown id is the error NOT_FOUND.",
        graphql_type=list[SegmentOverlap],
        metadata={"up_to": 2**MOST_SEGMENTS - 1, RUNS_ONCE: True},
    )
    @staticmethod
    async def segment_overlap(
        info: Info,
        segment_ids: Annotated[
            list[strawberry.ID],
            strawberry.argument(description=f"The ids of 1 to {MOST_SEGMENTS} segments."),
        ],
    ) -> list[Overlap]:
        if not 1 <= len(set(segment_ids)) <= MOST_SEGMENTS:
            message = f"`segmentIds` takes 1 to {MOST_SEGMENTS} segments, not {len(set(segment_ids))}."
            raise BadUserInput(message, argument="segmentIds")
        found = await info.context.loaders.segments.load_many(
            [ids.number_of(Kind.SEGMENT, text) or 0 for text in segment_ids]
        )
        for index, segment in enumerate(found):
            if segment is None:
                raise NotFound("there is no segment with this id", ("segment_ids", index))
        return await overlaps.overlaps(
            info.context.heavy_ports.database,
            info.context.workspace.id,
            {segment.id for segment in found if segment is not None},
        )
