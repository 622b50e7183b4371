"""Templates: conditions that a segment can start from."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

import strawberry

from audience_gql.api.context import Info
from audience_gql.api.scalars import Condition
from audience_gql.api.shapes import enum
from audience_gql.conditions.templates import TEMPLATES, Template, usable_templates

_ALL: Final = len(TEMPLATES)


@enum(
    "What a condition is about.",
    DEMOGRAPHIC="Who people are.",
    BEHAVIORAL="What they do.",
    ENGAGEMENT="How they take what is sent to them.",
    LIFECYCLE="How far they have come with you.",
)
class SegmentCategory(StrEnum):
    DEMOGRAPHIC = "DEMOGRAPHIC"
    BEHAVIORAL = "BEHAVIORAL"
    ENGAGEMENT = "ENGAGEMENT"
    LIFECYCLE = "LIFECYCLE"


@strawberry.type(description="A condition to start a segment from, as it is or edited.")
class SegmentTemplate:
    key: str = strawberry.field(description="What a client calls it. It never changes.")
    category: SegmentCategory = strawberry.field(description="What it is about.")
    name: str = strawberry.field(description="What people call it.")
    description: str = strawberry.field(description="Whom it matches, and which of its values are examples.")
    condition: Condition = strawberry.field(
        description="In exactly the shape of ConditionInput: createSegment accepts it unchanged."
    )


@strawberry.type
class TemplateQuery:
    @strawberry.field(
        description="Conditions to start from. One that reads a custom field is offered where the workspace has "
        "defined it: `company_size`, a NUMBER.",
        graphql_type=list[SegmentTemplate],
        metadata={"up_to": _ALL},
    )
    @staticmethod
    async def segment_templates(
        info: Info,
        category: Annotated[
            SegmentCategory | None, strawberry.argument(description="Only those about this.")
        ] = None,
    ) -> Sequence[Template]:
        usable = usable_templates(await info.context.loaders.vocabulary.load(None))
        return [template for template in usable if category in (None, template.category)]
