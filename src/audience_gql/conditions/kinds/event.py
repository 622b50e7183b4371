"""event: how often an event happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.conditions.base import AnyEdge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.count import AT_LEAST_ONCE, COUNT_FILTER, CountFilter
from audience_gql.conditions.filters.exclusive import at_most_one
from audience_gql.conditions.filters.properties import WHERE
from audience_gql.conditions.filters.regularity import REGULARITY, EventRegularity, regularity_of
from audience_gql.conditions.filters.selection import NAME, EventSelection
from audience_gql.conditions.filters.sliding import first_turn
from audience_gql.conditions.filters.window import TIME_WINDOW
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Shape
from audience_gql.conditions.periods import Period
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import OfEvents, Parameters
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCount(Leaf):
    """The number of these events passes a filter. Without a filter, it is at least one."""

    events: EventSelection
    times: CountFilter | None = None

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        times: dict[str, Json] = {} if self.times is None else {"times": self.times.dump()}
        return {"event": self.events.dump() | times}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        events, window = self.events.words(), self.events.words_of_window()
        if not self._count.matches(1) and self._count.matches(0):
            return f"who never did {events}{window}"
        return f"who did {events} {self._count.words()}{window}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return self._count.matches(len(self.events.among(person, moment)))

    def reads(self) -> frozenset[Read]:
        return self.events.reads()

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        return self.events.observed(person, moment)

    def periods(self) -> frozenset[Period]:
        return self.events.periods()

    def edges(self, vocabulary: Vocabulary) -> frozenset[AnyEdge]:
        return self.events.edges(vocabulary, newest=self._count.same_from)

    def next_change(self, person: Facts, moment: Moment) -> datetime | None:
        window = self.events.window(self.events.whenever(person, moment.now), person, moment)

        def holds_at(now: datetime) -> bool:
            first, end = window.range_at(now)
            return self._count.matches(end - first)

        return first_turn(window.turns(moment.now), moment.now, holds_at)

    def sql(self, parameters: Parameters) -> OfEvents:
        return OfEvents(
            aggregates=(self.events.aggregate("count(*)", parameters, of_nothing="0"),),
            test=lambda count: self._count.sql(count, parameters),
            holds_without_events=self._count.matches(0),
            asks_presence_only=self._count.asks_presence_only,
        )

    @property
    def _count(self) -> CountFilter:
        return self.times or AT_LEAST_ONCE


def _build(given: Given, parsing: Parsing) -> EventCount | EventRegularity:
    at_most_one(given, ("times", *(field.name for field in REGULARITY)), parsing)
    return regularity_of(given) or EventCount(events=EventSelection.of(given), times=given.get("times"))


_EVENT_FILTER: Final = Shape(
    name="EventFilter",
    description="How often an event happened. By default: at least once, at any time.",
    fields=(
        NAME,
        InputField(name="times", type=COUNT_FILTER, description="How often. Default: at least once."),
        *REGULARITY,
        InputField(name="within", type=TIME_WINDOW, description="When. Default: at any time up to now."),
        WHERE,
    ),
    build=_build,
)

register(
    Kind(
        name="event",
        label="did",
        description="An event happened a number of times.",
        category="BEHAVIORAL",
        type=_EVENT_FILTER,
        build=lambda condition, _: condition,
        example={"name": "email_opened", "times": {"atLeast": 3}, "within": {"last": {"days": 30}}},
    )
)
