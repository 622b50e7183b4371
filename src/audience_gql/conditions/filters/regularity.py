"""EventRegularity: on how many different days, or in how many different weeks or months, an event happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from audience_gql.conditions.base import PROFILE, AnyEdge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Event, Facts
from audience_gql.conditions.filters.count import COUNT_FILTER, CountFilter
from audience_gql.conditions.filters.selection import EventSelection
from audience_gql.conditions.filters.sliding import RunningVariety, first_turn
from audience_gql.conditions.input.shapes import Given, InputField
from audience_gql.conditions.periods import Period
from audience_gql.conditions.sql.days import period_of_event
from audience_gql.conditions.sql.questions import OfEvents, Parameters
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary

_COUNTED: Final[dict[str, Period]] = {"onDays": "day", "inWeeks": "week", "inMonths": "month"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRegularity(Leaf):
    """The number of different periods with at least one of these events passes a filter. Periods are those where the person lives."""

    events: EventSelection
    operator: str
    """The name of the field: `onDays`, `inWeeks` or `inMonths`."""
    count: CountFilter

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        count: dict[str, Json] = {self.operator: self.count.dump()}
        return {"event": self.events.dump() | count}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        events, window = self.events.words(), self.events.words_of_window()
        if not self.count.matches(1) and self.count.matches(0):
            return f"who never did {events}{window}"
        preposition = "on" if self._period == "day" else "in"
        return f"who did {events} {preposition} {self.count.words_counting(self._period)}{window}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return self.count.matches(self._different(person, moment))

    def reads(self) -> frozenset[Read]:
        return self.events.reads() | {PROFILE}  # which has the person's zone

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        return self.events.observed(person, moment) | {f"{self._period}s": self._different(person, moment)}

    def periods(self) -> frozenset[Period]:
        return self.events.periods() | {self._period}

    def edges(self, vocabulary: Vocabulary) -> frozenset[AnyEdge]:
        return self.events.edges(vocabulary)

    def next_change(self, person: Facts, moment: Moment) -> datetime | None:
        events = self.events.whenever(person, moment.now)
        window = self.events.window(events, person, moment)
        variety = RunningVariety(self._periods_of(events, person, moment))
        holds = variety.asking(lambda: self.count.matches(variety.count))
        return first_turn(window.turns(moment.now), moment.now, lambda now: holds(*window.range_at(now)))

    def sql(self, parameters: Parameters) -> OfEvents:
        asks_presence_only = (
            self.count.asks_presence_only
        )  # a period with an event exists if there is any event
        function = (
            "count(*)"
            if asks_presence_only
            else f"count(DISTINCT {period_of_event(self._period, parameters)})"
        )
        counted = self.events.aggregate(
            function, parameters, of_nothing="0", is_of_days=not asks_presence_only
        )
        return OfEvents(
            aggregates=(counted,),
            test=lambda count: self.count.sql(count, parameters),
            holds_without_events=self.count.matches(0),
            asks_presence_only=asks_presence_only,
        )

    def _different(self, person: Facts, moment: Moment) -> int:
        """In how many different periods the events happened."""
        return len({*self._periods_of(self.events.among(person, moment), person, moment)})

    def _periods_of(self, events: Sequence[Event], person: Facts, moment: Moment) -> list[date]:
        """The first day of the period of each event."""
        calendar = moment.calendar(person)
        return [calendar.period_of(self._period, event.occurred_at) for event in events]

    @property
    def _period(self) -> Period:
        return _COUNTED[self.operator]


def regularity_of(given: Given) -> EventRegularity | None:
    """The leaf of the coerced fields of an event filter, at most one of which is a field of REGULARITY. None if none is."""
    for operator in _COUNTED:
        if operator in given:
            return EventRegularity(events=EventSelection.of(given), operator=operator, count=given[operator])
    return None


REGULARITY: Final = tuple(
    InputField(
        name=operator,
        type=COUNT_FILTER,
        description=(
            f"Instead of `times`: {'on' if period == 'day' else 'in'} how many different {period}s of the calendar where the person lives."
        ),
    )
    for operator, period in _COUNTED.items()
)
