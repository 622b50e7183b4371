"""Custom fields: what a workspace keeps about people beyond the profile."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import DeletePayload, InUse, InvalidInput, NameTaken, NotFound
from audience_gql.api.ids import Kind
from audience_gql.api.nodes import Node
from audience_gql.api.shapes import enum
from audience_gql.audience.definitions.deletions import delete_custom_field
from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.storage import models


@enum(
    "The type of a custom field's values.",
    TEXT="A text.",
    NUMBER="A number.",
    BOOLEAN="True or false.",
    DATE="A calendar day, such as 2026-07-30.",
    DATETIME="An instant with a zone, such as 2026-07-30T12:00:00Z.",
    LIST="Several texts.",
)
class CustomFieldType(StrEnum):
    TEXT = "TEXT"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    DATETIME = "DATETIME"
    LIST = "LIST"


@strawberry.type(description="Something that a workspace keeps about its people beyond the profile.")
class CustomField(Node):
    key: str = strawberry.field(description="What conditions and inputs call it. It never changes.")
    label: str = strawberry.field(description="What people call it.")
    type: CustomFieldType = strawberry.field(description="The type of its values. It never changes.")
    options: list[str] | None = strawberry.field(
        description="Values to choose from in an editor; null for any."
    )
    created_at: datetime = strawberry.field(description="When it was defined.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, models.CustomField)


@strawberry.input(description="A custom field to define.")
class DefineCustomFieldInput:
    key: str = strawberry.field(
        description="A lower-case letter, then up to 62 lower-case letters, digits and underscores."
    )
    label: str = strawberry.field(description="What people call it, up to 200 characters.")
    type: CustomFieldType = strawberry.field(description="The type of its values.")
    options: list[str] | None = strawberry.field(
        description="Up to 100 values to choose from in an editor.", default=strawberry.UNSET
    )


@strawberry.input(description="A custom field to delete.")
class DeleteCustomFieldInput:
    id: strawberry.ID = strawberry.field(description="Which field.")


DefineCustomFieldResult: TypeAlias = Annotated[
    CustomField | InvalidInput | NameTaken,
    strawberry.union("DefineCustomFieldResult", description="The field, or why there is none."),
]
DeleteCustomFieldResult: TypeAlias = Annotated[
    DeletePayload | NotFound | InUse,
    strawberry.union("DeleteCustomFieldResult", description="What is gone, or why it is not."),
]


@strawberry.type
class CustomFieldQuery:
    @strawberry.field(description="All custom fields, by key.", graphql_type=list[CustomField])
    @staticmethod
    async def custom_fields(info: Info) -> list[models.CustomField]:
        return await info.context.loaders.custom_fields.load(None)


@strawberry.type
class CustomFieldMutation:
    @strawberry.mutation(
        description="Declare something to keep about people.", graphql_type=DefineCustomFieldResult
    )
    @staticmethod
    async def define_custom_field(
        info: Info,
        field: Annotated[
            DefineCustomFieldInput, strawberry.argument(name="input", description="The field to define.")
        ],
    ) -> models.CustomField:
        return await define_custom_field(
            ports=info.context.ports,
            workspace=info.context.workspace,
            key=field.key,
            label=field.label,
            type=field.type,
            options=field.options or None,
        )

    @strawberry.mutation(
        description="Delete a custom field that no segment reads. It is gone at once, and its key free; people's values go "
        "in the background.",
        graphql_type=DeleteCustomFieldResult,
    )
    @staticmethod
    async def delete_custom_field(
        info: Info,
        field: Annotated[
            DeleteCustomFieldInput, strawberry.argument(name="input", description="Which field.")
        ],
    ) -> DeletePayload:
        field_id = ids.number_of(Kind.CUSTOM_FIELD, field.id)
        await delete_custom_field(
            ports=info.context.ports, workspace=info.context.workspace, field_id=field_id
        )
        return DeletePayload(deleted_id=field.id)
