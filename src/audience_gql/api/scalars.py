"""The scalars of the schema: strict on the way in, one spelling on the way out.

What a scalar refuses is a request error; it must not know what a value is for.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, NewType, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from audience_gql.conditions.limits import FIRST_YEAR, LAST_YEAR
from audience_gql.conditions.values import instant_of, instant_text

Condition = NewType("Condition", object)
Day = TypeVar("Day", bound=date)


def _date_time(value: object) -> datetime:
    instant = instant_of(value) if isinstance(value, str) else None
    if instant is None:
        raise GraphQLError("Expected a date and time with a zone, such as 2026-07-30T12:00:00Z.")
    return _in_range(instant)


def _date(value: object) -> date:
    try:
        day = (
            date.fromisoformat(value) if isinstance(value, str) and len(value) == len("2026-07-30") else None
        )
    except ValueError:
        day = None
    if day is None:
        raise GraphQLError("Expected a date such as 2026-07-30.")
    return _in_range(day)


def _in_range(day: Day) -> Day:
    if FIRST_YEAR <= day.year <= LAST_YEAR:
        return day
    raise GraphQLError(f"Expected a date in the years {FIRST_YEAR} to {LAST_YEAR}.")


def _as_it_is(value: object) -> object:
    return value


SCALARS: Final[dict[object, ScalarDefinition]] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in RFC 3339 with a zone, to the microsecond, in the years 1900 to 2200; given back in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=instant_text,
        parse_value=_date_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar day in ISO 8601, such as 2026-07-30, in the years 1900 to 2200.",
        serialize=date.isoformat,
        parse_value=_date,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=_as_it_is,
        parse_value=_as_it_is,
    ),
    Condition: strawberry.scalar(
        name="Condition",
        description="A condition as JSON, in exactly the shape of ConditionInput, so that it can be sent back.",
        serialize=_as_it_is,
        parse_value=_as_it_is,
    ),
}
"""By the Python type that stands for each in annotations."""
