"""eventTotal: an aggregate over one value of each event, such as a sum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from audience_gql.conditions.base import AnyEdge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Event, Facts
from audience_gql.conditions.filters.number import NUMBER_FILTER, NumberFilter
from audience_gql.conditions.filters.properties import WHERE, nonempty, number_in
from audience_gql.conditions.filters.sameness import sameness, sameness_sql
from audience_gql.conditions.filters.selection import NAME, EventSelection
from audience_gql.conditions.filters.sliding import RunningExtremes, RunningTotal, RunningVariety, first_turn
from audience_gql.conditions.filters.window import TIME_WINDOW
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import (
    Enumeration,
    EnumerationValue,
    Given,
    InputField,
    Scalar,
    Shape,
)
from audience_gql.conditions.periods import Period
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import OfEvents, Parameters, json_number
from audience_gql.conditions.values import Json, exact_sum, mean, shown
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary
from audience_gql.conditions.words.wording import named

_OWN_VALUE: Final = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    """`sql` and `words` have `{}` for the aggregated value. Over no values, `sql` is null or 0."""

    description: str
    words: str
    sql: str
    of: Callable[[Sequence[Decimal]], Decimal | None]
    of_nothing: Decimal | None = None


_FUNCTIONS: Final = {
    "SUM": _Function(
        description="The exact sum; 0 without a number.",
        words="total {} of",
        sql="sum({})",
        of=exact_sum,
        of_nothing=Decimal(0),
    ),
    "AVERAGE": _Function(
        description="The exact average; missing without a number.",
        words="average {} of",
        sql="sum({})",
        of=mean,
    ),
    "MIN": _Function(
        description="The least number; missing without a number.",
        words="lowest {} of",
        sql="min({})",
        of=lambda numbers: min(numbers, default=None),
    ),
    "MAX": _Function(
        description="The greatest number; missing without a number.",
        words="highest {} of",
        sql="max({})",
        of=lambda numbers: max(numbers, default=None),
    ),
    "DISTINCT": _Function(
        description="How many different values there are, of any type, ignoring upper and lower case; 0 without a value.",
        words="number of different {} in",
        sql="count(DISTINCT {})",
        of=lambda numbers: Decimal(len(set(numbers))),
        of_nothing=Decimal(0),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTotal(Leaf):
    """A function over one number of each of these events passes a filter.

    Values that are not numbers do not count.
    """

    events: EventSelection
    of: str
    function: str
    total_is: NumberFilter

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        total: dict[str, Json] = {"of": self.of, "function": self.function, "is": self.total_is.dump()}
        return {"eventTotal": self.events.dump() | total}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        function = _FUNCTIONS[self.function]
        events = f"{self.events.words()}{self.events.words_of_window()}"
        total = f"{self._figure()} {events}"
        if function.of_nothing is None and isinstance(self.total_is.value, bool):
            return f"who have {'a' if self.total_is.value else 'no'} {total}"
        includes_nothing = function.of_nothing is not None and self.total_is.matches(function.of_nothing)
        remark = " (none at all counts as 0)" if includes_nothing else ""
        return f"whose {total} {self.total_is.words()}{remark}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        values = self._values(person, moment)
        if self.function == "DISTINCT":
            return self.total_is.matches(Decimal(len(set(map(sameness, values)))))
        numbers = _numbers(values)
        if self.function == "AVERAGE":
            return self.total_is.matches_ratio(exact_sum(numbers), len(numbers))
        return self.total_is.matches(_FUNCTIONS[self.function].of(numbers))

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        values = self._values(person, moment)
        if self.function == "DISTINCT":
            total: Decimal | None = Decimal(len(set(map(sameness, values))))
        else:
            total = _FUNCTIONS[self.function].of(_numbers(values))
        observed = self.events.observed(person, moment)
        return observed | {"value": None if total is None else shown(total)}

    def reads(self) -> frozenset[Read]:
        return self.events.reads()

    def periods(self) -> frozenset[Period]:
        return self.events.periods()

    def edges(self, vocabulary: Vocabulary) -> frozenset[AnyEdge]:
        return self.events.edges(vocabulary)

    def next_change(self, person: Facts, moment: Moment) -> datetime | None:
        events = self.events.whenever(person, moment.now)
        window, holds = (
            self.events.window(events, person, moment),
            self._holds_over([self._value(event) for event in events]),
        )
        return first_turn(window.turns(moment.now), moment.now, lambda now: holds(*window.range_at(now)))

    def sql(self, parameters: Parameters) -> OfEvents:
        of = self._column(parameters)
        total = self.events.aggregate(_FUNCTIONS[self.function].sql.format(of), parameters)
        if self.function == "AVERAGE":
            return OfEvents(
                aggregates=(total, self.events.aggregate(f"count({of})", parameters)),
                test=lambda total, count: self.total_is.ratio_sql(total, count, parameters),
                holds_without_events=self.total_is.matches(None),
            )
        return OfEvents(
            aggregates=(total,),
            test=lambda total: self._test(total, parameters),
            holds_without_events=self.total_is.matches(_FUNCTIONS[self.function].of_nothing),
        )

    def _figure(self) -> str:
        """`average price of`, `number of different brand values in`."""
        if self.function != "DISTINCT":
            return _FUNCTIONS[self.function].words.format(named(self.of))
        values = "values" if self.of == _OWN_VALUE else f"{named(self.of)} values"
        return _FUNCTIONS[self.function].words.format(values)

    def _values(self, person: Facts, moment: Moment) -> list[object]:
        """One value for each event that has one."""
        values = map(self._value, self.events.among(person, moment))
        return [value for value in values if value is not None]

    def _value(self, event: Event) -> object:
        return event.value if self.of == _OWN_VALUE else event.properties.get(self.of)

    def _holds_over(self, values: Sequence[object]) -> Callable[[int, int], bool]:
        """A function from two positions to the verdict on the values between them. Positions must never decrease."""
        if self.function == "DISTINCT":
            variety = RunningVariety([None if value is None else sameness(value) for value in values])
            return variety.asking(lambda: self.total_is.matches(Decimal(variety.count)))
        numbers = [number_in(value) for value in values]
        if self.function in {"MIN", "MAX"}:
            extremes, function = RunningExtremes(numbers), _FUNCTIONS[self.function]
            return extremes.asking(lambda: self.total_is.matches(function.of(extremes.both)))
        running = RunningTotal(numbers)
        if self.function == "AVERAGE":
            return running.asking(lambda: self.total_is.matches_ratio(running.total, running.count))
        return running.asking(lambda: self.total_is.matches(running.total))

    def _column(self, parameters: Parameters) -> str:
        """The SQL of the aggregated value; null for events that do not count."""
        if self.of == _OWN_VALUE:
            return "e.value"
        if self.function == "DISTINCT":
            return sameness_sql(self.of, parameters)
        return json_number("e.properties", parameters.constant(self.of, "text"))

    def _test(self, total: str, parameters: Parameters) -> str:
        of_nothing = _FUNCTIONS[self.function].of_nothing
        if of_nothing is not None:
            total = f"coalesce({total}, {parameters.constant(of_nothing, 'numeric')})"
        return self.total_is.sql(total, parameters)


def _numbers(values: Iterable[object]) -> list[Decimal]:
    return [number for value in values if (number := number_in(value)) is not None]


def _build(given: Given, _: Parsing) -> EventTotal:
    return EventTotal(
        events=EventSelection.of(given), of=given["of"], function=given["function"], total_is=given["is"]
    )


_TOTAL_FUNCTION: Final = Enumeration(
    name="TotalFunction",
    description="How the values of several events become one number.",
    values=tuple(
        EnumerationValue(name=name, description=function.description) for name, function in _FUNCTIONS.items()
    ),
)

_EVENT_TOTAL_FILTER: Final = Shape(
    name="EventTotalFilter",
    description="An aggregate over one number of each event. Events without the number do not count.",
    fields=(
        NAME,
        InputField(
            name="of",
            type=Scalar.STRING,
            required=True,
            check=nonempty,
            description='`"value"` means the event\'s own value. Any other text is the name of a property.',
        ),
        InputField(
            name="function", type=_TOTAL_FUNCTION, required=True, description="The aggregate function."
        ),
        InputField(
            name="is", type=NUMBER_FILTER, required=True, description="The filter that the result must pass."
        ),
        InputField(name="within", type=TIME_WINDOW, description="When. Default: at any time up to now."),
        WHERE,
    ),
    build=_build,
)

register(
    Kind(
        name="eventTotal",
        label="total of",
        description="A sum or another aggregate over the values of an event.",
        category="BEHAVIORAL",
        type=_EVENT_TOTAL_FILTER,
        build=lambda condition, _: condition,
        example={
            "name": "order_placed",
            "of": "value",
            "function": "SUM",
            "is": {"gte": 100},
            "within": {"last": {"weeks": 52}},
        },
    )
)
