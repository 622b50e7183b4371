"""eventTotal: what the numbers of events add up to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from audience_gql.conditions.base import Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Event, Facts
from audience_gql.conditions.filters.number import NUMBER_FILTER, NumberFilter
from audience_gql.conditions.filters.properties import WHERE, nonempty, number_in
from audience_gql.conditions.filters.selection import NAME, EventSelection
from audience_gql.conditions.filters.window import TIME_WINDOW
from audience_gql.conditions.parsing import Parsing
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.shapes import Enumeration, EnumerationValue, Given, InputField, Scalar, Shape
from audience_gql.conditions.sql import OfEvents, Parameters, json_number
from audience_gql.conditions.values import Json, exact_sum
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary

_OWN_VALUE: Final = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    description: str
    words: str
    sql: str
    """The aggregate over the numbers, `{}`; null where there are none."""
    of: Callable[[Sequence[Decimal]], Decimal | None]
    of_nothing: Decimal | None


_FUNCTIONS: Final = {
    "SUM": _Function(
        description="The exact sum. Nothing adds up to 0.",
        words="total",
        sql="sum({})",
        of=exact_sum,
        of_nothing=Decimal(0),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTotal(Leaf):
    """A function of one number of each of these events passes a filter.

    What is not a number does not count.
    """

    events: EventSelection
    of: str
    function: str
    total_is: NumberFilter

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        total: dict[str, Json] = {"of": self.of, "function": self.function, "is": self.total_is.dump()}
        return {"eventTotal": self.events.dump() | total}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        words = _FUNCTIONS[self.function].words
        events = f"{self.events.words()}{self.events.words_of_window()}"
        return f"whose {words} {self.of} of {events} {self.total_is.words()}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        numbers = [self._number_of(event) for event in self.events.among(person, moment.now)]
        total = _FUNCTIONS[self.function].of([number for number in numbers if number is not None])
        return self.total_is.matches(total)

    def reads(self) -> frozenset[Read]:
        return self.events.reads()

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge]:
        return self.events.edges(vocabulary)

    def sql(self, parameters: Parameters) -> OfEvents:
        function = _FUNCTIONS[self.function]
        if self.of == _OWN_VALUE:
            numbers = "e.value"
        else:
            numbers = json_number("e.properties", parameters.constant(self.of, "text"))
        return OfEvents(
            aggregates=(self.events.aggregate(function.sql.format(numbers), parameters),),
            test=lambda total: self._test(total, parameters),
            holds_without_events=self.total_is.matches(function.of_nothing),
        )

    def _number_of(self, event: Event) -> Decimal | None:
        return event.value if self.of == _OWN_VALUE else number_in(event.properties.get(self.of))

    def _test(self, total: str, parameters: Parameters) -> str:
        of_nothing = _FUNCTIONS[self.function].of_nothing
        if of_nothing is not None:
            total = f"coalesce({total}, {parameters.constant(of_nothing, 'numeric')})"
        return self.total_is.sql(total, parameters)


def _build(given: Given, _: Parsing) -> EventTotal:
    return EventTotal(
        events=EventSelection.of(given), of=given["of"], function=given["function"], total_is=given["is"]
    )


_TOTAL_FUNCTION: Final = Enumeration(
    name="TotalFunction",
    description="How the numbers of several events become one.",
    values=tuple(
        EnumerationValue(name=name, description=function.description) for name, function in _FUNCTIONS.items()
    ),
)

_EVENT_TOTAL_FILTER: Final = Shape(
    name="EventTotalFilter",
    description="What the numbers of events come to. Events without the number do not count.",
    fields=(
        NAME,
        InputField(
            name="of",
            type=Scalar.STRING,
            required=True,
            check=nonempty,
            description='`"value"` for the event\'s own value; any other text names a property.',
        ),
        InputField(
            name="function", type=_TOTAL_FUNCTION, required=True, description="How they are taken together."
        ),
        InputField(name="is", type=NUMBER_FILTER, required=True, description="What the result must be like."),
        InputField(name="within", type=TIME_WINDOW, description="When; ever when left out."),
        WHERE,
    ),
    build=_build,
)

register(
    Kind(
        name="eventTotal",
        label="total of",
        description="The numbers of an event come to so much.",
        category="BEHAVIORAL",
        type=_EVENT_TOTAL_FILTER,
        build=lambda condition, _: condition,
    )
)
