"""Templates: common conditions, from which a caller can start a segment."""

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
    "The subject of a condition.",
    DEMOGRAPHIC="Who people are.",
    BEHAVIORAL="What people do.",
    ENGAGEMENT="How people respond to messages.",
    LIFECYCLE="How far people are in their relationship with you: new, repeat, loyal or lapsed.",
)
class SegmentCategory(StrEnum):
    DEMOGRAPHIC = "DEMOGRAPHIC"
    BEHAVIORAL = "BEHAVIORAL"
    ENGAGEMENT = "ENGAGEMENT"
    LIFECYCLE = "LIFECYCLE"


@strawberry.type(description="A common condition, from which a client can start a segment.")
class SegmentTemplate:
    key: str = strawberry.field(description="The name of the template for programs. It never changes.")
    category: SegmentCategory = strawberry.field(description="The subject of the condition.")
    name: str = strawberry.field(description="The name of the template for people.")
    description: str = strawberry.field(
        description="Which people match, and which values in the condition are only examples."
    )
    condition: Condition = strawberry.field(
        description="The condition in exactly the shape of ConditionInput. `createSegment` accepts it unchanged."
    )


@strawberry.type
class TemplateQuery:
    @strawberry.field(
        description="Common conditions, from which a client can start a segment. A template that reads a custom field is listed only if the "
        "workspace has defined that field: `company_size`, a NUMBER.",
        graphql_type=list[SegmentTemplate],
        metadata={"up_to": _ALL},
    )
    @staticmethod
    async def segment_templates(
        info: Info,
        category: Annotated[
            SegmentCategory | None,
            strawberry.argument(description="Only templates about this subject. Null for all."),
        ] = None,
    ) -> Sequence[Template]:
        usable = usable_templates(await info.context.loaders.vocabulary.load(None))
        return [template for template in usable if category in (None, template.category)]
