"""The values of people in custom fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

from audience_gql.api.context import Context, Info
from audience_gql.api.declaring import together
from audience_gql.api.people.custom_fields import CustomField
from audience_gql.storage.orm import models
from audience_gql.storage.reads import rows
from audience_gql.storage.reads.composed.sources import RowsSource, ValueSource
from audience_gql.storage.reads.records import Columns, SubscriberRecord


@dataclass(frozen=True, slots=True)
class _Value:
    """One person's value in one custom field."""

    definition: models.CustomField
    value: Any  # Any: JSON of the field's type

    @property
    def key(self) -> str:
        return self.definition.key


@strawberry.type(description="A person's value in a custom field.")
class FieldValue:
    key: str = strawberry.field(description="The field's key.")
    value: JSON | None = strawberry.field(description="The value, as JSON of the field's type.")
    definition: CustomField = strawberry.field(description="The field's definition.")


async def _fields_of(
    context: Context, people: Sequence[SubscriberRecord], _: Columns = None
) -> list[list[_Value]]:
    values = [person.fields for person in people]
    if not any(values):
        return [[] for _ in people]
    (defined,) = await context.loaders.custom_fields.load_now((None,))
    definitions = [(str(it.id), it) for it in defined]
    return [[_Value(it, own[key]) for key, it in definitions if key in own] for own in values]


async def _field_of(
    context: Context, people: Sequence[SubscriberRecord], _: Columns = None, *, key: str
) -> list[object]:
    (definitions,) = await context.loaders.custom_fields.load_now((None,))
    number = next((str(it.id) for it in definitions if it.key == key), "")
    return [person.fields.get(number) for person in people]


def _fields_source(_: Context) -> RowsSource:
    return rows.FIELDS


def _field_source(_: Context, *, key: str) -> ValueSource:
    return rows.field_with(key)


@strawberry.field(
    description="The person's values in custom fields, sorted by key. Fields without a value are omitted.",
    graphql_type=list[FieldValue],
    metadata=together(_fields_of, reads=["fields"], written=_fields_source),
)
async def fields(parent: strawberry.Parent[SubscriberRecord], info: Info) -> list[_Value]:
    (values,) = await _fields_of(info.context, [parent])
    return values


@strawberry.field(
    description="The person's value in one custom field. Null when they have none, and when there is no such field.",
    graphql_type=JSON | None,
    metadata=together(_field_of, reads=["fields"], written=_field_source),
)
async def field(
    parent: strawberry.Parent[SubscriberRecord],
    info: Info,
    key: Annotated[str, strawberry.argument(description="The field's key.")],
) -> object:
    (value,) = await _field_of(info.context, [parent], key=key)
    return value
