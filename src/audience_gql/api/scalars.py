"""The scalars of the schema. On input they refuse values of a wrong JSON type, on output they write one spelling.

A value that a scalar refuses fails the whole request. Therefore a text that is not a date, and a number that is not exactly a double,
pass unchanged: later code refuses only the batch item that contains them. This module must not know what a value is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final, NewType

import orjson
import strawberry
from graphql import (
    FloatValueNode,
    GraphQLError,
    GraphQLFloat,
    GraphQLScalarType,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    StringValueNode,
    Undefined,
    ValueNode,
    value_from_ast_untyped,
)
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from audience_gql.audience.failures import InvalidInput, Issue
from audience_gql.conditions.given_values import BadValue, given_day, given_instant
from audience_gql.conditions.values import Inexact, instant_text, read_number

Condition = NewType("Condition", object)


def instant_at(value: object, *path: str) -> datetime:
    """The instant given at `path`, which is not part of a batch item. Raises InvalidInput for a text that is not an instant."""
    try:
        return given_instant(value)
    except BadValue as error:
        raise InvalidInput((Issue(code=error.code, message=error.message, path=path),)) from error


def _date_time(value: object) -> object:
    """The instant, or the unchanged text if it is not an instant. The field that takes it decides what to do with such a text."""
    if not isinstance(value, str):
        raise GraphQLError("Expected a date and time as text, for example 2026-07-30T12:00:00Z.")
    try:
        return given_instant(value)
    except BadValue:
        return value


def _date(value: object) -> object:
    """The day, or the unchanged text if it is not a day."""
    if not isinstance(value, str):
        raise GraphQLError("Expected a date as text, for example 2026-07-30.")
    try:
        return given_day(value)
    except BadValue:
        return value


def instant_texts(instants: Sequence[datetime | None]) -> list[str | None]:
    """`instant_text` of each instant, and None for None, for a long list in a tenth of the time."""
    if not all(instant is None or instant.tzinfo is UTC for instant in instants):
        return [None if instant is None else instant_text(instant) for instant in instants]
    texts: list[str | None] = orjson.loads(orjson.dumps(instants, option=orjson.OPT_UTC_Z))
    return texts


def _date_time_literal(node: ValueNode, _: object = None) -> object:
    return _date_time(_text_of(node))


def _date_literal(node: ValueNode, _: object = None) -> object:
    return _date(_text_of(node))


def _text_of(node: ValueNode) -> object:
    """The text of a string literal; None for any other literal."""
    return node.value if isinstance(node, StringValueNode) else None


def _float(value: object) -> object:
    """The exact number as it is written. The field that takes it decides whether to refuse one that is not exactly a double."""
    is_exact_type = isinstance(value, int | Inexact) and not isinstance(value, bool)
    return value if is_exact_type else GraphQLFloat.coerce_input_value(value)


def _float_literal(node: ValueNode, _: object = None) -> object:
    if isinstance(node, IntValueNode | FloatValueNode):
        return read_number(node.value)
    raise GraphQLError("Expected a number.", node)


def _as_it_is(value: object) -> object:
    return value


def _json_literal(node: ValueNode, variables: dict[str, object] | None = None) -> object:
    """The JSON value of a literal, with its numbers exactly as they are written."""
    match node:
        case IntValueNode() | FloatValueNode():
            return read_number(node.value)
        case ListValueNode():
            items = (_json_literal(item, variables) for item in node.values)
            return [None if item is Undefined else item for item in items]
        case ObjectValueNode():
            given = ((field.name.value, _json_literal(field.value, variables)) for field in node.fields)
            return {
                name: value for name, value in given if value is not Undefined
            }  # Undefined stands for an omitted variable
    return value_from_ast_untyped(node, variables)


def _float_definition() -> ScalarDefinition:
    """GraphQL's Float with another reading of input. It is renamed afterwards, because the library refuses a scalar named Float."""
    scalar = GraphQLScalarType(
        name="ExactFloat",
        description=GraphQLFloat.description,
        serialize=GraphQLFloat.coerce_output_value,
        parse_value=_float,
        parse_literal=_float_literal,
    )
    scalar.name = GraphQLFloat.name
    return ScalarDefinition(
        name=scalar.name,
        description=scalar.description,
        specified_by_url=None,
        serialize=scalar.serialize,
        parse_value=scalar.parse_value,
        parse_literal=scalar.parse_literal,
        implementation=scalar,
    )


SCALARS: Final[dict[object, ScalarDefinition]] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in RFC 3339 format with a time zone, precise to the microsecond, in the years 1900 to 2200, for example "
        "2026-07-30T12:00:00Z. Output is in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=instant_text,
        parse_value=_date_time,
        parse_literal=_date_time_literal,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar day in ISO 8601 format, for example 2026-07-30, in the years 1900 to 2200.",
        serialize=date.isoformat,
        parse_value=_date,
        parse_literal=_date_literal,
    ),
    float: _float_definition(),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=_as_it_is,
        parse_value=_as_it_is,
        parse_literal=_json_literal,
    ),
    Condition: strawberry.scalar(
        name="Condition",
        description="A condition as JSON, in exactly the shape of ConditionInput, so that a client can send it back.",
        serialize=_as_it_is,
        parse_value=_as_it_is,
    ),
}
"""The scalars, by the Python type that stands for each in annotations."""
