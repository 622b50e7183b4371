"""The kinds of condition as data, from which an editor can build its user interface. Everything comes from the registry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import strawberry

from audience_gql.api.conditions.templates import SegmentCategory
from audience_gql.conditions.input.shapes import InputField, Shape
from audience_gql.conditions.registry import Kind, kinds

_ALL: Final = len(kinds())


@strawberry.type(description="A field of a filter's input type: a comparison, or another part of the filter.")
class ConditionOperator:
    name: str = strawberry.field(description="The name of the field in the filter's input type.")
    description: str = strawberry.field(description="What the field means.")

    @strawberry.field(description="The name for people, for example: not contains.")
    @staticmethod
    def label(parent: strawberry.Parent[InputField]) -> str:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parent.name).lower()

    @strawberry.field(description="The type of the field's value in the schema, for example [String!].")
    @staticmethod
    def type(parent: strawberry.Parent[InputField]) -> str:
        return parent.spelling


@strawberry.type(description="A kind of condition: one field of ConditionInput.")
class ConditionKind:
    name: str = strawberry.field(description="The name of the field in ConditionInput.")
    label: str = strawberry.field(description="The name for people, for example: first name.")
    description: str = strawberry.field(description="What a condition of this kind tests.")
    category: SegmentCategory | None = strawberry.field(
        description="The subject of this kind. Null for kinds that belong to no subject, for example combinators."
    )

    @strawberry.field(
        description="The type of the kind's value in the schema: an input type, for example TextFilter, or [ConditionInput!]."
    )
    @staticmethod
    def filter(parent: strawberry.Parent[Kind]) -> str:
        return f"[{parent.type.name}!]" if parent.many else parent.type.name

    @strawberry.field(
        description="Whether an input must have exactly one of the operators. If false, it may have several."
    )
    @staticmethod
    def one_of(parent: strawberry.Parent[Kind]) -> bool:
        return isinstance(parent.type, Shape) and parent.type.one_of

    @strawberry.field(
        description="The fields of the filter's input type; [] when the value consists of conditions.",
        graphql_type=list[ConditionOperator],
        metadata={"up_to": 10},
    )
    @staticmethod
    def operators(parent: strawberry.Parent[Kind]) -> Sequence[InputField]:
        return parent.type.fields if isinstance(parent.type, Shape) else ()


@strawberry.type
class ConditionKindQuery:
    @strawberry.field(
        description="Every kind of condition, as data for an editor's user interface.",
        graphql_type=list[ConditionKind],
        metadata={"up_to": _ALL},
    )
    @staticmethod
    def condition_kinds() -> list[Kind]:
        return list(kinds().values())
