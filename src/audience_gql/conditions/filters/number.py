"""NumberFilter: exact comparisons of decimals. A missing number matches only `isSet: false`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql.questions import Parameters
from audience_gql.conditions.values import Json, number_of
from audience_gql.conditions.words.wording import listed, number


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRange:
    """A range of numbers that includes both ends."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operator:
    description: str
    words: str
    sql: Callable[[str, str], str]
    """Makes the SQL of the comparison from the SQL of the number and of the bound value. It is null for a missing number."""
    holds: Callable[[Any, Any], bool]  # Any: two numbers of the same exact type


_OPERATORS: Final = {
    "eq": _Operator(
        description="Equal.",
        words="is {}",
        sql=lambda column, value: f"{column} = {value}",
        holds=lambda number, value: number == value,
    ),
    "ne": _Operator(
        description="Set, and not equal.",
        words="is set, but not {}",
        sql=lambda column, value: f"{column} <> {value}",
        holds=lambda number, value: number != value,
    ),
    "lt": _Operator(
        description="Less than.",
        words="is less than {}",
        sql=lambda column, value: f"{column} < {value}",
        holds=lambda number, value: number < value,
    ),
    "lte": _Operator(
        description="Less than or equal.",
        words="is at most {}",
        sql=lambda column, value: f"{column} <= {value}",
        holds=lambda number, value: number <= value,
    ),
    "gt": _Operator(
        description="Greater than.",
        words="is more than {}",
        sql=lambda column, value: f"{column} > {value}",
        holds=lambda number, value: number > value,
    ),
    "gte": _Operator(
        description="Greater than or equal.",
        words="is at least {}",
        sql=lambda column, value: f"{column} >= {value}",
        holds=lambda number, value: number >= value,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFilter:
    """One operator and its value."""

    operator: str
    value: Decimal | tuple[Decimal, ...] | NumberRange | bool

    def matches(self, number: Decimal | None) -> bool:
        if isinstance(self.value, bool):
            return (number is not None) is self.value
        if number is None:
            return False
        match self.value:
            case Decimal():
                return _OPERATORS[self.operator].holds(number, self.value)
            case NumberRange(low=low, high=high):
                return low <= number <= high
            case values:
                return number in values

    def matches_ratio(self, total: Decimal, count: int) -> bool:
        """Whether `total / count` passes, computed without a division that would round. With a count of 0 the ratio is missing."""
        if isinstance(self.value, bool) or not count:
            return (count > 0) is self.value
        ratio = Fraction(total) / count
        match self.value:
            case Decimal():
                return _OPERATORS[self.operator].holds(ratio, Fraction(self.value))
            case NumberRange(low=low, high=high):
                return Fraction(low) <= ratio <= Fraction(high)
            case values:
                return ratio in map(Fraction, values)

    def sql(self, column: str, parameters: Parameters) -> str:
        """`column` is a numeric expression."""
        match self.value:
            case bool():
                return f"{column} IS {'NOT NULL' if self.value else 'NULL'}"
            case Decimal():
                return _OPERATORS[self.operator].sql(column, parameters.constant(self.value, "numeric"))
            case NumberRange(low=low, high=high):
                bounds = parameters.constant(low, "numeric"), parameters.constant(high, "numeric")
                return f"{column} BETWEEN {bounds[0]} AND {bounds[1]}"
            case values:
                return f"{column} = ANY({parameters.constant(list(values), 'numeric[]')})"

    def ratio_sql(self, total: str, count: str, parameters: Parameters) -> str:
        """The same for `total / count`, also without a division. `count` is 0 or null when there are no numbers."""
        match self.value:
            case bool():
                verdict = f"{total} IS {'NOT NULL' if self.value else 'NULL'}"
            case Decimal():
                value = parameters.constant(self.value, "numeric")
                verdict = _OPERATORS[self.operator].sql(total, f"({value} * {count})")
            case NumberRange(low=low, high=high):
                bounds = parameters.constant(low, "numeric"), parameters.constant(high, "numeric")
                verdict = f"{total} BETWEEN {bounds[0]} * {count} AND {bounds[1]} * {count}"
            case values:
                listed_values = parameters.constant(list(values), "numeric[]")
                verdict = f"EXISTS (SELECT FROM unnest({listed_values}) v (v) WHERE v.v * {count} = {total})"
        return verdict

    def dump(self) -> Json:
        match self.value:
            case bool():
                return {self.operator: self.value}
            case Decimal():
                return {self.operator: number_of(self.value)}
            case NumberRange(low=low, high=high):
                return {self.operator: {"from": number_of(low), "to": number_of(high)}}
            case values:
                return {self.operator: [number_of(value) for value in values]}

    def words(self) -> str:
        """A predicate: `is at least 5`."""
        match self.value:
            case bool():
                return "is set" if self.value else "is not set"
            case Decimal():
                return _OPERATORS[self.operator].words.format(number(self.value))
            case NumberRange(low=low, high=high):
                return f"is between {number(low)} and {number(high)}, both included"
            case values:
                return f"is {listed([number(value) for value in values])}"


def _build_range(given: Given, parsing: Parsing) -> NumberRange:
    if given["from"] > given["to"]:
        parsing.problem("OUT_OF_RANGE", "`from` must not be greater than `to`")
    return NumberRange(low=given["from"], high=given["to"])


def _build(given: Given, _: Parsing) -> NumberFilter:
    ((operator, value),) = given.items()
    return NumberFilter(operator=operator, value=value)


NUMBER_RANGE: Final = Shape(
    name="NumberRange",
    description="A range of numbers that includes both ends.",
    fields=(
        InputField(name="from", type=Scalar.FLOAT, required=True, description="The least."),
        InputField(name="to", type=Scalar.FLOAT, required=True, description="The greatest."),
    ),
    build=_build_range,
)

NUMBER_FILTER: Final = Shape(
    name="NumberFilter",
    one_of=True,
    description="An exact comparison of decimal numbers: 0.1 means one tenth. A missing number matches only `isSet: false`.",
    fields=(
        *(
            InputField(name=name, type=Scalar.FLOAT, description=operator.description)
            for name, operator in _OPERATORS.items()
        ),
        InputField(name="between", type=NUMBER_RANGE, description="In a range that includes both ends."),
        InputField(name="in", type=Scalar.FLOAT, many=True, description="Equal to one of these."),
        InputField(name="isSet", type=Scalar.BOOLEAN, description="Whether there is any number."),
    ),
    build=_build,
    instead={  # the words of other filters
        "is": "give eq",
        "isNot": "give ne",
        "exactly": "give eq",
        "atLeast": "give gte",
        "atMost": "give lte",
    },
    example="{gte: 18}",
)
