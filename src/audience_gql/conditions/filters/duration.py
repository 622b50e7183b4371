"""Duration: a fixed length of time. Months are not a unit, because their lengths differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.limits import MAX_WINDOW
from audience_gql.conditions.values import Json
from audience_gql.conditions.words.wording import counted

_UNITS: Final = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A length in the unit of the input: 7 days and 1 week have the same length but are not equal."""

    unit: str
    amount: int

    @property
    def length(self) -> timedelta:
        return self.amount * _UNITS[self.unit]

    def dump(self) -> Json:
        return {self.unit: self.amount}

    def words(self) -> str:
        """`7 days`."""
        return counted(self.amount, self.unit.removesuffix("s"))

    def words_of_span(self) -> str:
        """The words that follow "the last": `day`, `7 days`."""
        return self.words().removeprefix("1 ")


def _build(given: Given, parsing: Parsing) -> Duration:
    ((unit, amount),) = given.items()
    longest = MAX_WINDOW // _UNITS[unit]
    if not 1 <= amount <= longest:
        parsing.problem("OUT_OF_RANGE", f"must be between 1 and {longest:,} {unit}, which is ten years", unit)
    return Duration(unit=unit, amount=amount)


DURATION: Final = Shape(
    name="Duration",
    one_of=True,
    description="A fixed length of time, up to ten years (3,653 days). A day always has 24 hours.",
    fields=(
        InputField(name="minutes", type=Scalar.INT, description="In minutes."),
        InputField(name="hours", type=Scalar.INT, description="In hours."),
        InputField(name="days", type=Scalar.INT, description="In days of 24 hours."),
        InputField(name="weeks", type=Scalar.INT, description="In weeks of 7 days."),
    ),
    build=_build,
    instead={
        "months": "months are not equally long: give days, such as 30, or weeks",
        "years": "years are not equally long: give days, such as 365",
        "seconds": "the shortest is a minute: give minutes",
    },
)
