"""Custom fields: typed values that a workspace keeps about people beyond the profile."""

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
from audience_gql.audience.definitions.fields import define_custom_field, update_custom_field
from audience_gql.audience.people.keys import UNSET
from audience_gql.storage.orm import models


@enum(
    "The type of a custom field's values.",
    TEXT="Text of up to 1,000 characters.",
    NUMBER="A number between -1e300 and 1e300.",
    BOOLEAN="True or false.",
    DATE="A calendar day, for example 2026-07-30.",
    DATETIME="An instant with a time zone, for example 2026-07-30T12:00:00Z.",
    LIST="A list of up to 100 texts.",
)
class CustomFieldType(StrEnum):
    TEXT = "TEXT"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    DATETIME = "DATETIME"
    LIST = "LIST"


@strawberry.type(description="A typed value that a workspace keeps about people beyond the profile.")
class CustomField(Node):
    key: str = strawberry.field(
        description="The name of the field in conditions and inputs, unique in the workspace. It never changes."
    )
    label: str = strawberry.field(description="The name of the field for people, up to 200 characters.")
    type: CustomFieldType = strawberry.field(description="The type of the field's values. It never changes.")
    options: list[str] | None = strawberry.field(
        description="Values that an editor offers. Other values are allowed, too. Null for none."
    )
    created_at: datetime = strawberry.field(description="When the field was defined.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, models.CustomField)


@strawberry.input(description="A custom field to define.")
class DefineCustomFieldInput:
    key: str = strawberry.field(
        description="The name of the field in conditions and inputs: a lower-case letter, then up to 62 lower-case letters, digits and "
        "underscores. It is unique in the workspace and can never change."
    )
    label: str = strawberry.field(description="The name of the field for people: 1 to 200 characters.")
    type: CustomFieldType = strawberry.field(
        description="The type of the field's values. It can never change."
    )
    options: list[str] | None = strawberry.field(
        description="Up to 100 values that an editor offers. They do not restrict the field's values.",
        default=strawberry.UNSET,
    )


@strawberry.input(description="Changes to a custom field. An omitted field stays as it is.")
class UpdateCustomFieldInput:
    id: strawberry.ID = strawberry.field(description="The field's id.")
    label: strawberry.Maybe[str | None] = strawberry.field(
        description="The new name of the field for people: 1 to 200 characters. It cannot be null."
    )
    options: strawberry.Maybe[list[str] | None] = strawberry.field(
        description="Up to 100 values that an editor offers, in place of the present ones. Null for none."
    )


@strawberry.input(description="A custom field to delete.")
class DeleteCustomFieldInput:
    id: strawberry.ID = strawberry.field(description="The field's id.")


DefineCustomFieldResult: TypeAlias = Annotated[
    CustomField | InvalidInput | NameTaken,
    strawberry.union(
        "DefineCustomFieldResult",
        description="The new field, or the reason why it was not defined. A key that is in use is NameTaken.",
    ),
]
UpdateCustomFieldResult: TypeAlias = Annotated[
    CustomField | InvalidInput | NotFound,
    strawberry.union(
        "UpdateCustomFieldResult", description="The changed field, or the reason why nothing changed."
    ),
]
DeleteCustomFieldResult: TypeAlias = Annotated[
    DeletePayload | NotFound | InUse,
    strawberry.union(
        "DeleteCustomFieldResult",
        description="The id of the deleted field, or the reason why it was not deleted.",
    ),
]


@strawberry.type
class CustomFieldQuery:
    @strawberry.field(
        description="All custom fields of the workspace, sorted by key.", graphql_type=list[CustomField]
    )
    @staticmethod
    async def custom_fields(info: Info) -> list[models.CustomField]:
        return await info.context.loaders.custom_fields.load(None)


@strawberry.type
class CustomFieldMutation:
    @strawberry.mutation(description="Defines a custom field.", graphql_type=DefineCustomFieldResult)
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
        description="Changes what an editor shows of a custom field. Its key and its type never change.",
        graphql_type=UpdateCustomFieldResult,
    )
    @staticmethod
    async def update_custom_field(
        info: Info,
        edit: Annotated[
            UpdateCustomFieldInput, strawberry.argument(name="input", description="The changes.")
        ],
    ) -> models.CustomField:
        return await update_custom_field(
            ports=info.context.ports,
            workspace=info.context.workspace,
            field_id=ids.number_of(Kind.CUSTOM_FIELD, edit.id),
            label=edit.label.value if edit.label else UNSET,
            options=edit.options.value if edit.options else UNSET,
        )

    @strawberry.mutation(
        description="Deletes a custom field. A field that a segment reads is InUse. The field disappears at once and its key becomes free. "
        "People's values are removed in the background.",
        graphql_type=DeleteCustomFieldResult,
    )
    @staticmethod
    async def delete_custom_field(
        info: Info,
        field: Annotated[
            DeleteCustomFieldInput, strawberry.argument(name="input", description="The field to delete.")
        ],
    ) -> DeletePayload:
        field_id = ids.number_of(Kind.CUSTOM_FIELD, field.id)
        await delete_custom_field(
            ports=info.context.ports, workspace=info.context.workspace, field_id=field_id
        )
        return DeletePayload(deleted_id=field.id)
