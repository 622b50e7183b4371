"""event: how often an event happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from audience_gql.conditions.base import AnyEdge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Event, Facts
from audience_gql.conditions.filters.calendar_window import SlidingCalendarWindow
from audience_gql.conditions.filters.count import AT_LEAST_ONCE, COUNT_FILTER, CountFilter
from audience_gql.conditions.filters.exclusive import at_most_one
from audience_gql.conditions.filters.properties import WHERE, nonempty
from audience_gql.conditions.filters.regularity import REGULARITY, EventRegularity, regularity_of
from audience_gql.conditions.filters.sameness import by_value, sameness_sql
from audience_gql.conditions.filters.selection import NAME, EventSelection
from audience_gql.conditions.filters.sliding import SlidingWindow, first_turn
from audience_gql.conditions.filters.window import TIME_WINDOW
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.periods import Period
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import FromEvents, OfEvents, Parameters, all_of, complement
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary
from audience_gql.conditions.words.wording import named


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCount(Leaf):
    """The number of these events passes a filter. Without a filter, it is at least one.

    With `per_property`, it is the largest number of events with the same value of that property.
    """

    events: EventSelection
    times: CountFilter | None = None
    per_property: str | None = None

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        times: dict[str, Json] = {} if self.times is None else {"times": self.times.dump()}
        per: dict[str, Json] = {} if self.per_property is None else {"perProperty": self.per_property}
        return {"event": self.events.dump() | times | per}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        if not self._count.matches(1) and self._count.matches(0):
            return self._never()
        events, window = self.events.words(), self.events.words_of_window()
        same = "" if self.per_property is None else f" with the same {named(self.per_property)}"
        return f"who did {events}{same} {self._count.words()}{window}"

    def negation(self, names: Names) -> str | None:  # noqa: ARG002  # same
        return self._never() if self._count == AT_LEAST_ONCE else None

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return self._count.matches(len(self._most(person, moment)))

    def reads(self) -> frozenset[Read]:
        return self.events.reads()

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        observed = self.events.observed(person, moment)
        if self.per_property is None:
            return observed
        most = self._most(person, moment)
        value = most[0].properties[self.per_property] if most else None
        return observed | {"most": len(most), "value": cast(Json, value)}

    def periods(self) -> frozenset[Period]:
        return self.events.periods()

    def edges(self, vocabulary: Vocabulary) -> frozenset[AnyEdge]:
        newest = self._count.same_from if self.per_property is None else None
        return self.events.edges(vocabulary, newest=newest)

    def next_change(self, person: Facts, moment: Moment) -> datetime | None:
        windows = [self.events.window(events, person, moment) for events in self._alike(person, moment)]

        def holds_at(now: datetime) -> bool:
            return self._count.matches(max((_size(window, now) for window in windows), default=0))

        turns = (at for window in windows for at in window.turns(moment.now))
        return first_turn(turns, moment.now, holds_at)

    def sql(self, parameters: Parameters) -> OfEvents | FromEvents:
        if self.per_property is not None:
            return self._query(self.per_property, parameters)
        return OfEvents(
            aggregates=(self.events.aggregate("count(*)", parameters, of_nothing="0"),),
            test=lambda count: self._count.sql(count, parameters),
            holds_without_events=self._count.matches(0),
            asks_presence_only=self._count.asks_presence_only,
        )

    def _query(self, per_property: str, parameters: Parameters) -> FromEvents:
        """Those whose largest count passes, or, if a count of 0 passes, all but those whose largest count fails."""
        wanted, holds_without = self.events.aggregate("count(*)", parameters), self._count.matches(0)
        same = sameness_sql(per_property, parameters)
        verdict = self._count.sql("max(g.events)", parameters)

        def query(source: str, name_id: Callable[[str], str]) -> str:
            rows = all_of(
                source,
                f"e.name_id = {name_id(wanted.event_name)}",
                f"e.occurred_at <= {wanted.upto}",
                wanted.where,
                f"{same} IS NOT NULL",
            )
            counts = f"SELECT e.subscriber_id, count(*) AS events {rows} GROUP BY e.subscriber_id, {same}"
            passes = complement(verdict) if holds_without else verdict
            return f"SELECT g.subscriber_id FROM ({counts}) g GROUP BY g.subscriber_id HAVING {passes}"

        return FromEvents(query=query, is_complement=holds_without, is_of_zone=wanted.is_of_zone)

    def _most(self, person: Facts, moment: Moment) -> list[Event]:
        """The events that are counted: all, or those with the value that the most events have."""
        events = self.events.among(person, moment)
        if self.per_property is None:
            return events
        return max(by_value(events, self.per_property).values(), default=[], key=len)

    def _alike(self, person: Facts, moment: Moment) -> Iterable[list[Event]]:
        """The events of all times that are counted together, in order of time."""
        events = self.events.whenever(person, moment.now)
        return [events] if self.per_property is None else by_value(events, self.per_property).values()

    def _never(self) -> str:
        some = "" if self.per_property is None else f" with any {named(self.per_property)}"
        return f"who never did {self.events.words()}{some}{self.events.words_of_window()}"

    @property
    def _count(self) -> CountFilter:
        return self.times or AT_LEAST_ONCE


def _size(window: SlidingWindow | SlidingCalendarWindow, now: datetime) -> int:
    first, end = window.range_at(now)
    return end - first


def _build(given: Given, parsing: Parsing) -> EventCount | EventRegularity:
    days_and_weeks = [field.name for field in REGULARITY]
    at_most_one(given, ("times", *days_and_weeks), parsing)
    if "perProperty" in given:
        at_most_one(given, ("perProperty", *days_and_weeks), parsing)
    return regularity_of(given) or EventCount(
        events=EventSelection.of(given), times=given.get("times"), per_property=given.get("perProperty")
    )


_EVENT_FILTER: Final = Shape(
    name="EventFilter",
    description="How often an event happened. By default: at least once, at any time.",
    fields=(
        NAME,
        InputField(name="times", type=COUNT_FILTER, description="How often. Default: at least once."),
        *REGULARITY,
        InputField(name="within", type=TIME_WINDOW, description="When. Default: at any time up to now."),
        WHERE,
        InputField(
            name="perProperty",
            type=Scalar.STRING,
            check=nonempty,
            description="Count events with the same value of this property, and take the largest of these counts. Events without the property do "
            "not count. Default: count all events.",
        ),
    ),
    build=_build,
    example='{name: "order_placed"}',
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
