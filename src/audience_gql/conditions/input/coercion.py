"""Reads untrusted input by its shape: collects every problem with its path, and builds typed values bottom-up.

It is safe for any value that JSON or a Python caller can produce: deep, wide, huge, not text, not a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from audience_gql.conditions.given_values import BadValue, given_day, given_instant, given_number, shown
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Enumeration, InputField, Reference, Scalar, Shape
from audience_gql.conditions.limits import MAX_INT, MAX_TEXT
from audience_gql.conditions.registry import condition_shape

Value = TypeVar("Value")

_MAX_BITS: Final = 1_024
"""The most bits of an integer that may stand for an id. Longer integers are refused before any costly work."""


def coerce_condition(
    value: object, parsing: Parsing
) -> Any:  # Any: the Condition; not usable after a problem
    with parsing.deeper() as readable:
        return coerce_shape(value, condition_shape(), parsing) if readable else None


def coerce_shape(
    value: object, shape: Shape, parsing: Parsing
) -> Any:  # Any: what the shape builds; not usable after a problem
    problems_before = len(parsing.problems)
    if value is None:
        parsing.problem("REQUIRED", "is required")
        return None
    if not isinstance(value, Mapping):
        parsing.problem("WRONG_TYPE", f"expected {shape.spelling}")
        return None
    given = {str(name): item for name, item in value.items() if item is not None}
    fields = {field.name: field for field in shape.fields}
    _check_names(given, shape, parsing)
    coerced = {}
    for name, field in fields.items():
        if name in given:
            with parsing.at(name):
                coerced[name] = _coerce_field(given[name], field, parsing)
        elif field.default is not None:
            coerced[name] = field.default
        elif field.required:
            parsing.problem("REQUIRED", "is required", name)
    return shape.build(coerced, parsing) if len(parsing.problems) == problems_before else None


def _check_names(given: Mapping[str, object], shape: Shape, parsing: Parsing) -> None:
    names = [field.name for field in shape.fields]
    unknown = [name for name in given if name not in names]
    for name in unknown:
        hint = shape.instead.get(name, f"it has {', '.join(names)}")
        parsing.problem("UNKNOWN", f"{shape.name} has no such field; {hint}", shown(name))
    if not shape.one_of:
        return
    if not given:
        parsing.problem("REQUIRED", f"needs exactly one of {', '.join(names)}")
    elif len(given) - len(unknown) > 1:
        parsing.problem(
            "CONFLICT", f"only one of {', '.join(name for name in names if name in given)} can be given"
        )


def _coerce_field(value: object, field: InputField, parsing: Parsing) -> object:
    if not field.many:
        return _coerce_item(value, field, parsing)
    if not isinstance(value, list | tuple):
        parsing.problem("WRONG_TYPE", "expected a list")
        return None
    if len(value) > field.at_most and not isinstance(field.type, Reference):
        parsing.problem("TOO_MANY", f"can hold at most {field.at_most:,} values, not {len(value):,}")
        return None
    items = []
    for index, item in enumerate(value):
        with parsing.at(str(index)):
            items.append(_coerce_item(item, field, parsing))
    return tuple(items)


def _coerce_item(value: object, field: InputField, parsing: Parsing) -> object:
    problems_before = len(parsing.problems)
    match field.type:
        case Scalar():
            coerced = _SCALARS[field.type](value, parsing)
        case Enumeration():
            coerced = _coerce_enumeration(value, field.type, parsing)
        case Shape():
            coerced = coerce_shape(value, field.type, parsing)
        case Reference():
            coerced = coerce_condition(value, parsing)
    if field.check is None or len(parsing.problems) > problems_before:
        return coerced
    return field.check(coerced, parsing)


def _coerce_enumeration(value: object, enumeration: Enumeration, parsing: Parsing) -> str | None:
    names = [member.name for member in enumeration.values]
    if isinstance(value, str) and value in names:
        return value
    parsing.problem("UNKNOWN", f"expected one of {', '.join(names)}")
    return None


def _coerce_text(value: object, parsing: Parsing) -> str | None:
    if not isinstance(value, str):
        parsing.problem("WRONG_TYPE", "expected text")
        return None
    if len(value) > MAX_TEXT:
        parsing.problem("OUT_OF_RANGE", f"can have at most {MAX_TEXT:,} characters, not {len(value):,}")
        return None
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        parsing.problem("MALFORMED", "contains U+0000 or half of a surrogate pair, which are not valid text")
        return None
    return value


def _coerce_id(value: object, parsing: Parsing) -> str | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < _MAX_BITS
    return _coerce_text(str(value) if is_number else value, parsing)


def _coerce_int(value: object, parsing: Parsing) -> int | None:
    number = _number(value, parsing)
    if number is None:
        return None
    if number != number.to_integral_value():
        parsing.problem("WRONG_TYPE", "expected a whole number")
        return None
    if abs(number) > MAX_INT:
        parsing.problem("OUT_OF_RANGE", f"must be between -{MAX_INT:,} and {MAX_INT:,}")
        return None
    return int(number)


def _number(value: object, parsing: Parsing) -> Decimal | None:
    return _read(given_number, value, parsing)


def _read(read: Callable[[object], Value], value: object, parsing: Parsing) -> Value | None:
    try:
        return read(value)
    except BadValue as error:
        parsing.problem(error.code, error.message)
        return None


def _coerce_boolean(value: object, parsing: Parsing) -> bool | None:
    if isinstance(value, bool):
        return value
    parsing.problem("WRONG_TYPE", "expected true or false")
    return None


def _coerce_date_time(value: object, parsing: Parsing) -> datetime | None:
    return _read(given_instant, value, parsing)


def _coerce_date(value: object, parsing: Parsing) -> date | None:
    return _read(given_day, value, parsing)


_SCALARS: Final[Mapping[Scalar, Callable[[object, Parsing], object]]] = {
    Scalar.STRING: _coerce_text,
    Scalar.INT: _coerce_int,
    Scalar.FLOAT: _number,
    Scalar.BOOLEAN: _coerce_boolean,
    Scalar.ID: _coerce_id,
    Scalar.DATE_TIME: _coerce_date_time,
    Scalar.DATE: _coerce_date,
}
