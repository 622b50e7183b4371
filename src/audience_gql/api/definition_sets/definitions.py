"""The query `definitions`: all definitions of a workspace in the shape in which a set gives them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import strawberry
from strawberry.scalars import JSON

from audience_gql.api.context import Info
from audience_gql.api.shapes import enum
from audience_gql.audience.definition_sets import telling

_USUAL: Final = 500
"""How many definitions the cost of the query counts."""


@enum(
    "The kind of a definition.",
    CUSTOM_FIELD="A custom field.",
    GROUP="A group.",
    SEGMENT="A segment.",
    AUTOMATION="An automation.",
)
class DefinitionKind(StrEnum):
    CUSTOM_FIELD = "CUSTOM_FIELD"
    GROUP = "GROUP"
    SEGMENT = "SEGMENT"
    AUTOMATION = "AUTOMATION"


@strawberry.type(description="A custom field, group, segment or automation of the workspace.")
class Definition:
    name: str = strawberry.field(description="Its name; for a custom field, its key.")
    revision: int | None = strawberry.field(
        description="The number that every edit raises; null for custom fields and groups, which have none."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, telling.Definition)

    @strawberry.field(description="Its kind.")
    @staticmethod
    def kind(parent: strawberry.Parent[telling.Definition]) -> DefinitionKind:
        return DefinitionKind(parent.kind)

    @strawberry.field(
        description="The definition in the shape of its input in DefinitionsInput, with names in place of ids, and without what has its default."
    )
    @staticmethod
    def content(parent: strawberry.Parent[telling.Definition]) -> JSON:
        return JSON(parent.content)


@strawberry.type
class DefinitionQuery:
    @strawberry.field(
        description="All custom fields, groups, segments and automations, in this order, each kind sorted by name. `applyDefinitions` takes them "
        "in the same shape, also in another workspace.",
        graphql_type=list[Definition],
        metadata={"up_to": _USUAL},
    )
    @staticmethod
    async def definitions(info: Info) -> list[telling.Definition]:
        return await telling.tell_definitions(ports=info.context.ports, workspace=info.context.workspace)
