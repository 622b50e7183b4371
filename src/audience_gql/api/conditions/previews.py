"""previewSegment: what a condition comes to, before it becomes a segment's."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.conditions.inputs import ConditionInput
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, NotFound, SegmentCycle
from audience_gql.api.ids import OPAQUE_IDS, Kind
from audience_gql.api.people.subscribers import Subscriber
from audience_gql.audience.answers.previews import LARGEST_SAMPLE, Preview, preview_segment
from audience_gql.audience.people.keys import UNSET
from audience_gql.storage.reads.previews import Budget
from audience_gql.storage.reads.records import SubscriberRecord


@strawberry.type(
    description="What a segment with this condition would be at this instant. Nothing is stored."
)
class SegmentPreview:
    summary: str = strawberry.field(description="The condition in words.")
    would_enter: int | None = strawberry.field(
        description="How many would enter the segment given as `comparedTo`; estimated as `memberCount` is. Null without one."
    )
    would_leave: int | None = strawberry.field(
        description="How many would leave the segment given as `comparedTo`; estimated as `memberCount` is. Null without one."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, Preview)

    @strawberry.field(
        description="How many people it would hold: exact where that is counted in a moment, otherwise estimated."
    )
    @staticmethod
    def member_count(parent: strawberry.Parent[Preview]) -> int:
        return parent.size.count

    @strawberry.field(
        description="Half the width of the 95 % interval around `memberCount`; 0 when it is exact."
    )
    @staticmethod
    def margin(parent: strawberry.Parent[Preview]) -> int:
        return parent.size.margin

    @strawberry.field(
        description="Some of the people whom it would hold, as many as were asked for if there are.",
        graphql_type=list[Subscriber],
        metadata={"up_to": 1},  # reckoned where the size is given
    )
    @staticmethod
    def sample(parent: strawberry.Parent[Preview]) -> list[SubscriberRecord]:
        return list(parent.sample)

    @strawberry.field(
        description=(
            "What a reader may not expect: always or never true, equal to an existing segment, people whom a missing "
            "value leaves out, events and values that nobody has."
        )
    )
    @staticmethod
    def warnings(parent: strawberry.Parent[Preview]) -> list[str]:
        return list(parent.warnings)


PreviewSegmentResult: TypeAlias = Annotated[
    SegmentPreview | InvalidInput | NotFound | SegmentCycle,
    strawberry.union("PreviewSegmentResult", description="The preview, or why there is none."),
]


@strawberry.type
class PreviewQuery:
    @strawberry.field(
        description="What a segment with this condition would be, without making one. Empty lists are allowed.",
        graphql_type=PreviewSegmentResult,
    )
    @staticmethod
    async def preview_segment(
        info: Info,
        condition: Annotated[ConditionInput, strawberry.argument(description="Whom it would hold.")],
        sample: Annotated[
            int,
            strawberry.argument(
                description=f"How many people to show, 0 to {LARGEST_SAMPLE}.",
                metadata={"is_page_size": True},
            ),
        ] = 5,
        compared_to: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="A segment that would get this condition: tells who would move."),
        ] = None,
    ) -> Preview:
        return await preview_segment(
            ports=info.context.heavy_ports,
            workspace=info.context.workspace,
            condition=condition,
            ids=OPAQUE_IDS,
            sample=sample,
            compared_to=UNSET if compared_to is None else ids.number_of(Kind.SEGMENT, compared_to),
            budget=Budget(seconds=info.context.services.settings.preview_seconds),
        )
