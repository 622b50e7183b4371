"""BooleanFilter: true or false. A missing value is neither, and matches only `isSet: false`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql.questions import Parameters
from audience_gql.conditions.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class BooleanFilter:
    """One operator and its value."""

    operator: str
    value: bool

    def matches(self, truth: bool | None) -> bool:  # the value itself
        if self.operator == "isSet":
            return (truth is not None) is self.value
        return truth is self.value

    def sql(self, column: str, parameters: Parameters) -> str:
        """`column` is a boolean expression, null when missing."""
        if self.operator == "isSet":
            return f"{column} IS {'NOT NULL' if self.value else 'NULL'}"
        return f"{column} = {parameters.constant(self.value, 'boolean')}"

    def dump(self) -> Json:
        return {self.operator: self.value}

    def words(self) -> str:
        """A predicate: `is true`."""
        if self.operator == "isSet":
            return "is set" if self.value else "is not set"
        return "is true" if self.value else "is false"


def _build(given: Given, _: Parsing) -> BooleanFilter:
    ((operator, value),) = given.items()
    return BooleanFilter(operator=operator, value=value)


BOOLEAN_FILTER: Final = Shape(
    name="BooleanFilter",
    one_of=True,
    description="True or false. A missing value is neither, and matches only `isSet: false`.",
    fields=(
        InputField(name="is", type=Scalar.BOOLEAN, description="Set, and equal to this."),
        InputField(name="isSet", type=Scalar.BOOLEAN, description="Whether there is any value."),
    ),
    build=_build,
)
