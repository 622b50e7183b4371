"""The mutation that marks segments as reviewed."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, NotFound
from audience_gql.api.ids import Kind
from audience_gql.api.lists.segments import Segment
from audience_gql.audience.definitions.reviews import MOST_REVIEWED, mark_reviewed
from audience_gql.storage.orm import models


@strawberry.input(description="Segments that somebody has reviewed.")
class MarkReviewedInput:
    segment_ids: list[strawberry.ID] = strawberry.field(
        description=f"The ids of 1 to {MOST_REVIEWED} segments."
    )


@strawberry.type(description="The segments that were marked as reviewed.")
class MarkReviewedPayload:
    reviewed: strawberry.Private[list[models.Segment]]

    @strawberry.field(
        description="The segments in the given order, each once.",
        graphql_type=list[Segment],
        metadata={"up_to": MOST_REVIEWED},
    )
    @staticmethod
    def segments(parent: strawberry.Parent[MarkReviewedPayload]) -> list[models.Segment]:
        return parent.reviewed


MarkReviewedResult: TypeAlias = Annotated[
    MarkReviewedPayload | InvalidInput | NotFound,
    strawberry.union(
        "MarkReviewedResult", description="The segments, or the reason why none of them was marked."
    ),
]


@strawberry.type
class ReviewMutation:
    @strawberry.mutation(
        description="Marks segments as reviewed now: somebody has looked at them and found them right. It changes no membership and no revision. Either all "
        "of them are marked or none.",
        graphql_type=MarkReviewedResult,
    )
    @staticmethod
    async def mark_reviewed(
        info: Info,
        review: Annotated[
            MarkReviewedInput,
            strawberry.argument(name="input", description="The segments that were reviewed."),
        ],
    ) -> MarkReviewedPayload:
        found = await mark_reviewed(
            ports=info.context.ports,
            workspace=info.context.workspace,
            segment_ids=[ids.number_of(Kind.SEGMENT, text) for text in review.segment_ids],
        )
        return MarkReviewedPayload(reviewed=found)
