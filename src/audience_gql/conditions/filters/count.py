"""CountFilter: how many times an event happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql.questions import Parameters
from audience_gql.conditions.values import Json
from audience_gql.conditions.words.wording import counted, times


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRange:
    """A range of counts that includes both ends."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFilter:
    """One operator and its value."""

    operator: str
    value: int | CountRange

    def matches(self, count: int) -> bool:
        match self.operator, self.value:
            case "atLeast", int() as least:
                return count >= least
            case "atMost", int() as most:
                return count <= most
            case "exactly", int() as wanted:
                return count == wanted
            case "between", CountRange(low=low, high=high):
                return low <= count <= high
        raise AssertionError(self)

    def sql(self, count: str, parameters: Parameters) -> str:
        match self.value:
            case CountRange(low=low, high=high):
                bounds = parameters.constant(low, "bigint"), parameters.constant(high, "bigint")
                return f"{count} BETWEEN {bounds[0]} AND {bounds[1]}"
            case value:
                return f"{count} {_SQL[self.operator]} {parameters.constant(value, 'bigint')}"

    @property
    def same_from(self) -> int:
        """The smallest count from which on all counts have the same verdict."""
        match self.operator, self.value:
            case "atLeast", int() as least:
                return least
            case _, CountRange(high=high):
                return high + 1
            case _, int() as most:
                return most + 1
        raise AssertionError(self)

    @property
    def asks_presence_only(self) -> bool:
        """Whether the verdict depends only on whether there is any event."""
        return (self.operator, self.value) in {("atLeast", 1), ("atMost", 0), ("exactly", 0)}

    def dump(self) -> Json:
        match self.value:
            case CountRange(low=low, high=high):
                return {self.operator: {"from": low, "to": high}}
            case value:
                return {self.operator: value}

    def words(self) -> str:
        """An adverb: `at least once`."""
        match self.operator, self.value:
            case _, CountRange(low=low, high=high):
                return f"{low:,} to {high:,} times{'' if low else ', if at all'}"
            case "atLeast", 0:
                return "any number of times, if at all"
            case "atMost", int() as most:
                return f"at most {times(most)}, if at all"
            case operator, int() as value:
                return f"{_WORDS[operator]} {times(value)}"
        raise AssertionError(self)

    def words_counting(self, noun: str) -> str:
        """The count of different things: `at least 3 different days`."""
        match self.operator, self.value:
            case _, CountRange(low=low, high=high):
                return f"{low:,} to {high:,} different {noun}s{'' if low else ', if at all'}"
            case "atLeast", 0:
                return f"any number of {noun}s, if at all"
            case operator, int() as value:
                things = counted(value, noun if value == 1 else f"different {noun}")
                return (
                    f"at most {things}, if at all" if operator == "atMost" else f"{_WORDS[operator]} {things}"
                )
        raise AssertionError(self)


_SQL: Final = {"atLeast": ">=", "atMost": "<=", "exactly": "="}
_WORDS: Final = {"atLeast": "at least", "exactly": "exactly"}

AT_LEAST_ONCE: Final = CountFilter(operator="atLeast", value=1)


def _not_negative(count: int, parsing: Parsing) -> int:
    if count < 0:
        parsing.problem("OUT_OF_RANGE", "must not be negative")
    return count


def _build_range(given: Given, parsing: Parsing) -> CountRange:
    if given["from"] > given["to"]:
        parsing.problem("OUT_OF_RANGE", "`from` must not be greater than `to`")
    return CountRange(low=given["from"], high=given["to"])


def _build(given: Given, _: Parsing) -> CountFilter:
    ((operator, value),) = given.items()
    return CountFilter(operator=operator, value=value)


_COUNT_RANGE: Final = Shape(
    name="CountRange",
    description="A range of counts that includes both ends.",
    fields=(
        InputField(
            name="from", type=Scalar.INT, required=True, check=_not_negative, description="The least count."
        ),
        InputField(
            name="to", type=Scalar.INT, required=True, check=_not_negative, description="The greatest count."
        ),
    ),
    build=_build_range,
)

COUNT_FILTER: Final = Shape(
    name="CountFilter",
    one_of=True,
    description="How many times the event happened. For people without the event it is 0 times.",
    fields=(
        InputField(
            name="atLeast", type=Scalar.INT, check=_not_negative, description="This many times or more."
        ),
        InputField(
            name="atMost",
            type=Scalar.INT,
            check=_not_negative,
            description="This many times or fewer; includes people with none.",
        ),
        InputField(
            name="exactly",
            type=Scalar.INT,
            check=_not_negative,
            description="Exactly this many times; 0 means never.",
        ),
        InputField(name="between", type=_COUNT_RANGE, description="In a range, both ends included."),
    ),
    build=_build,
    instead={  # the words of NumberFilter
        "eq": "give exactly",
        "gte": "give atLeast",
        "lte": "give atMost",
        "gt": "give atLeast and one more",
        "lt": "give atMost and one less",
    },
    example="{atLeast: 2}",
)
