"""The kinds of condition as data: what an editor needs to draw itself. All of it from the registry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import strawberry

from audience_gql.api.conditions.templates import SegmentCategory
from audience_gql.conditions.input.shapes import InputField, Shape
from audience_gql.conditions.registry import Kind, kinds

_ALL: Final = len(kinds())


@strawberry.type(description="Something that a filter can be given: a comparison, or a part of what it says.")
class ConditionOperator:
    name: str = strawberry.field(description="The field of the filter's input type.")
    description: str = strawberry.field(description="What it means.")

    @strawberry.field(description="What people call it, such as: not contains.")
    @staticmethod
    def label(parent: strawberry.Parent[InputField]) -> str:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parent.name).lower()

    @strawberry.field(description="The type of its value as the schema spells it, such as [String!].")
    @staticmethod
    def type(parent: strawberry.Parent[InputField]) -> str:
        return parent.spelling


@strawberry.type(description="A kind of condition: one field of ConditionInput.")
class ConditionKind:
    name: str = strawberry.field(description="The field of ConditionInput.")
    label: str = strawberry.field(description="What people call it, such as: first name.")
    description: str = strawberry.field(description="What it looks at.")
    category: SegmentCategory | None = strawberry.field(
        description="What it is about; null for what fits anywhere, such as combinations."
    )

    @strawberry.field(
        description="The type of its value as the schema spells it: an input type, such as TextFilter, or [ConditionInput!]."
    )
    @staticmethod
    def filter(parent: strawberry.Parent[Kind]) -> str:
        return f"[{parent.type.name}!]" if parent.many else parent.type.name

    @strawberry.field(
        description="Whether exactly one of the operators is given, rather than several at once."
    )
    @staticmethod
    def one_of(parent: strawberry.Parent[Kind]) -> bool:
        return isinstance(parent.type, Shape) and parent.type.one_of

    @strawberry.field(
        description="What the filter can be given; none where conditions hold conditions.",
        graphql_type=list[ConditionOperator],
        metadata={"up_to": 10},
    )
    @staticmethod
    def operators(parent: strawberry.Parent[Kind]) -> Sequence[InputField]:
        return parent.type.fields if isinstance(parent.type, Shape) else ()


@strawberry.type
class ConditionKindQuery:
    @strawberry.field(
        description="Every kind of condition, with what an editor needs to draw itself.",
        graphql_type=list[ConditionKind],
        metadata={"up_to": _ALL},
    )
    @staticmethod
    def condition_kinds() -> list[Kind]:
        return list(kinds().values())
