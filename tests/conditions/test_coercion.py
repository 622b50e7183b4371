"""What shapes can say that no kind of condition says yet, so that a new kind can rely on it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from audience_gql.conditions.base import InvalidCondition
from audience_gql.conditions.input.coercion import coerce_shape
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Enumeration, EnumerationValue, InputField, Scalar, Shape
from audience_gql.conditions.vocabulary import PLAIN_IDS
from tests.conditions.world import VOCABULARY, condition_of

_COLOR = Enumeration(
    name="Color",
    description="A color.",
    values=(
        EnumerationValue(name="RED", description="Red."),
        EnumerationValue(name="BLUE", description="Blue."),
    ),
)
_SHAPE = Shape(
    name="Example",
    description="An example.",
    fields=(
        InputField(name="day", type=Scalar.DATE, description="A day."),
        InputField(name="share", type=Scalar.FLOAT, default=0, description="A share."),
        InputField(name="colors", type=_COLOR, many=True, at_most=2, description="Colors."),
    ),
    build=lambda given, _: given,
)


def coerce(value: object) -> tuple[object, list[tuple[str, tuple[str, ...]]]]:
    parsing = Parsing(vocabulary=VOCABULARY, ids=PLAIN_IDS, allow_empty=False)
    coerced = coerce_shape(value, _SHAPE, parsing)
    return coerced, [(problem.code, problem.path) for problem in parsing.problems]


@pytest.mark.parametrize("day", ["2026-02-28", date(2026, 2, 28)])
def test_dates(day: object) -> None:
    assert coerce({"day": day}) == ({"day": date(2026, 2, 28), "share": 0}, [])


@pytest.mark.parametrize(
    ("day", "code"),
    [
        ("2026-02-29", "MALFORMED"),
        ("1899-12-31", "OUT_OF_RANGE"),
        (datetime(2026, 2, 28, tzinfo=UTC), "WRONG_TYPE"),
        (20260228, "WRONG_TYPE"),
    ],
)
def test_what_is_no_date(day: object, code: str) -> None:
    assert coerce({"day": day}) == (None, [(code, ("day",))])


def test_enumerations_and_defaults() -> None:
    assert coerce({"colors": ["RED", "BLUE"], "share": 1}) == ({"colors": ("RED", "BLUE"), "share": 1}, [])
    assert coerce({}) == ({"share": 0}, [])


def test_what_is_not_in_an_enumeration() -> None:
    assert coerce({"colors": ["RED", "red"]}) == (None, [("UNKNOWN", ("colors", "1"))])
    assert coerce({"colors": ["RED"] * 3}) == (None, [("TOO_MANY", ("colors",))])


def test_a_unit_that_there_is_not_is_refused_with_what_there_is_instead():
    with pytest.raises(InvalidCondition) as refused:
        condition_of({"createdAt": {"inLast": {"months": 1}}})

    (problem,) = refused.value.problems
    assert problem.path == ("createdAt", "inLast", "months")
    assert problem.message == (
        "Duration has no such field; months are not equally long: give days, such as 30, or weeks"
    )
