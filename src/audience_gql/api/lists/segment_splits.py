"""The mutation that splits a segment at random into segments."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, NameTaken, NotFound
from audience_gql.api.ids import Kind
from audience_gql.api.lists.segments import Segment
from audience_gql.audience.definitions.splitting import (
    DECIMALS,
    LEAST_SHARES,
    MOST_SHARES,
    ShareItem,
    split_segment,
)
from audience_gql.storage.orm import models


@strawberry.input(description="One share of a segment.")
class SegmentShareInput:
    name: str = strawberry.field(
        description="The name of the new segment: 1 to 200 characters, unique among segments regardless of case."
    )
    percent: float | None = strawberry.field(
        description=f"The share in percent, more than 0 and less than 100, with at most {DECIMALS} decimals. All shares together have 100. If no share has a "
        "percentage, all are equal.",
        default=strawberry.UNSET,
    )


@strawberry.input(description="A segment to split.")
class SplitSegmentInput:
    segment_id: strawberry.ID = strawberry.field(
        description="The id of the segment to split. It must not be paused."
    )
    shares: list[SegmentShareInput] = strawberry.field(description=f"{LEAST_SHARES} to {MOST_SHARES} shares.")
    salt: str | None = strawberry.field(
        description="Any text that decides who is in which share. Splits with the same salt put the same people into the same percentages, so a split of a share "
        "needs another salt. Default: a random one.",
        default=strawberry.UNSET,
    )


@strawberry.type(description="The segments that a segment was split into.")
class SplitSegmentPayload:
    made: strawberry.Private[list[models.Segment]]

    @strawberry.field(
        description="The new segments, in the order of the shares. They are COMPUTING until their members are found.",
        graphql_type=list[Segment],
        metadata={"up_to": MOST_SHARES},
    )
    @staticmethod
    def segments(parent: strawberry.Parent[SplitSegmentPayload]) -> list[models.Segment]:
        return parent.made


SplitSegmentResult: TypeAlias = Annotated[
    SplitSegmentPayload | InvalidInput | NotFound | NameTaken,
    strawberry.union(
        "SplitSegmentResult", description="The new segments, or the reason why none was created."
    ),
]


@strawberry.type
class SegmentSplitMutation:
    @strawberry.mutation(
        description="Splits a segment at random into new segments, for example for an experiment. Every member is in exactly one of them. A person stays in their share as long as they "
        "are in the whole, and comes back to the same share. The conditions are ordinary ones (`segment` and `sample`), so the shares follow the whole as "
        "people come and go. Either all segments are created or none.",
        graphql_type=SplitSegmentResult,
    )
    @staticmethod
    async def split_segment(
        info: Info,
        split: Annotated[
            SplitSegmentInput, strawberry.argument(name="input", description="The segment and its shares.")
        ],
    ) -> SplitSegmentPayload:
        made = await split_segment(
            ports=info.context.ports,
            workspace=info.context.workspace,
            segment_id=ids.number_of(Kind.SEGMENT, split.segment_id),
            shares=[
                ShareItem(
                    name=share.name, percent=None if share.percent is strawberry.UNSET else share.percent
                )
                for share in split.shares
            ],
            salt=None if split.salt is strawberry.UNSET else split.salt,
        )
        return SplitSegmentPayload(made=made)
