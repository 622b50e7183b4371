"""The segments whose members are most like a segment's members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from audience_gql.api.context import Info
from audience_gql.api.declaring import RUNS_ONCE
from audience_gql.api.errors import BadUserInput
from audience_gql.storage.insights import overlaps
from audience_gql.storage.insights.overlaps import Similarity
from audience_gql.storage.orm import models

if TYPE_CHECKING:
    from audience_gql.api.lists.segments import Segment

MOST_SIMILAR: Final = 50


@strawberry.type(description="Another segment that has members in common with a segment.")
class SimilarSegment:
    both: int = strawberry.field(description="The number of people who are in both segments. At least 1.")
    jaccard: float = strawberry.field(
        description="The Jaccard index: `both` divided by the number of people who are in at least one of the two segments. 1 if they have "
        "the same members, near 0 if they have almost nobody in common."
    )

    @strawberry.field(
        description="The other segment; null if it was deleted in the meantime.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")] | None,
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[Similarity], info: Info) -> models.Segment | None:
        return await info.context.loaders.segments.load(parent.segment_id)

    @strawberry.field(
        description="The share of this segment's members who are in the other segment. 1 if the other one contains all of them."
    )
    @staticmethod
    def contained_share(parent: strawberry.Parent[Similarity]) -> float:
        return parent.both / parent.members

    @strawberry.field(
        description="The share of the other segment's members who are in this segment. 1 if this segment contains all of them."
    )
    @staticmethod
    def contains_share(parent: strawberry.Parent[Similarity]) -> float:
        return parent.both / parent.others


@strawberry.field(
    description="The other segments that are most similar to this one by the Jaccard index of their present members, the most similar first. Segments "
    "without a common member are left out. All members are counted, so the numbers are exact.",
    graphql_type=list[SimilarSegment],
    metadata={
        "up_to": 100,
        RUNS_ONCE: True,
    },  # reads all memberships of the segment's members, however many segments it returns
)
async def similar(
    parent: strawberry.Parent[models.Segment],
    info: Info,
    first: Annotated[
        int, strawberry.argument(description=f"The number of segments, 1 to {MOST_SIMILAR}.")
    ] = 5,
) -> list[Similarity]:
    if not 1 <= first <= MOST_SIMILAR:
        raise BadUserInput(f"`first` must be 1 to {MOST_SIMILAR}, not {first}.", argument="first")
    database = info.context.heavy_ports.database
    return await overlaps.similar(database, info.context.workspace.id, parent.id, first=first)
