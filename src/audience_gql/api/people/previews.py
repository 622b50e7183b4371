"""The query `previewSegment`: the result of a condition before a segment has it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.conditions.inputs import ConditionInput
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, NotFound, SegmentCycle
from audience_gql.api.ids import OPAQUE_IDS, Kind
from audience_gql.api.insights import funnel as insights_funnel
from audience_gql.api.people.subscribers import Subscriber
from audience_gql.audience.answers.previews import LARGEST_SAMPLE, Preview, preview_segment
from audience_gql.audience.people.keys import UNSET
from audience_gql.storage.reads.counting import Budget
from audience_gql.storage.reads.records import SubscriberRecord


@strawberry.type(description="The result of a condition at this instant. Nothing is stored.")
class SegmentPreview:
    summary: str = strawberry.field(description="The condition as an English sentence.")
    would_enter: int | None = strawberry.field(
        description="The number of people who would enter the segment `comparedTo`. It is estimated when `memberCount` is. Null without "
        "`comparedTo`."
    )
    would_leave: int | None = strawberry.field(
        description="The number of people who would leave the segment `comparedTo`. It is estimated when `memberCount` is. Null without "
        "`comparedTo`."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, Preview)

    @strawberry.field(
        description="The number of people who match. It is exact if the server can count everybody within its time budget (0.3 s by default), otherwise estimated."
    )
    @staticmethod
    def member_count(parent: strawberry.Parent[Preview]) -> int:
        return parent.size.count

    @strawberry.field(
        description="The margin of error of `memberCount`, in people: half the width of its 95 % confidence interval. 0 when the number is "
        "exact."
    )
    @staticmethod
    def margin(parent: strawberry.Parent[Preview]) -> int:
        return parent.size.margin

    @strawberry.field(
        description="Some of the people who match: at most as many as the argument `sample` says.",
        graphql_type=list[Subscriber],
        metadata={"up_to": 1},  # the cost counts the sample's size already, at `sample`
    )
    @staticmethod
    def sample(parent: strawberry.Parent[Preview]) -> list[SubscriberRecord]:
        return list(parent.sample)

    @strawberry.field(
        description=(
            "Properties of the condition that its author may not expect, as sentences: it is always or never true, it equals an "
            "existing segment, a missing value excludes people, or nobody has such events or values. [] does not mean that the "
            "condition has no such property."
        )
    )
    @staticmethod
    def warnings(parent: strawberry.Parent[Preview]) -> list[str]:
        return list(parent.warnings)

    funnel = insights_funnel.of_preview


PreviewSegmentResult: TypeAlias = Annotated[
    SegmentPreview | InvalidInput | NotFound | SegmentCycle,
    strawberry.union("PreviewSegmentResult", description="The preview, or the reason why there is none."),
]


@strawberry.type
class PreviewQuery:
    @strawberry.field(
        description="Previews a segment with this condition without creating it. The condition may contain empty lists.",
        graphql_type=PreviewSegmentResult,
    )
    @staticmethod
    async def preview_segment(
        info: Info,
        condition: Annotated[
            ConditionInput, strawberry.argument(description="The condition that members would match.")
        ],
        sample: Annotated[
            int,
            strawberry.argument(
                description=f"The number of matching people to return, 0 to {LARGEST_SAMPLE}.",
                metadata={"is_page_size": True},
            ),
        ] = 5,
        compared_to: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                description="The id of a segment. The preview then also counts who would enter and leave it if this became its condition."
            ),
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
