"""The events of a person that a leaf selects, by name, properties and time.

Future events are never selected.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, Self

from audience_gql.conditions.base import PROFILE, AnyEdge, DayEdge, Edge, Moment, Read
from audience_gql.conditions.facts import Event, Facts
from audience_gql.conditions.filters.calendar_window import CalendarWindow, SlidingCalendarWindow
from audience_gql.conditions.filters.interval import Interval
from audience_gql.conditions.filters.properties import (
    PropertyFilter,
    dump_where,
    event_name,
    words_of_where,
)
from audience_gql.conditions.filters.sliding import SlidingWindow
from audience_gql.conditions.filters.window import TimeWindow
from audience_gql.conditions.input.shapes import Given, InputField, Scalar
from audience_gql.conditions.periods import Period
from audience_gql.conditions.sql.questions import Aggregate, Parameters, ZoneWindow, all_of
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.conditions.words.wording import named

_ITS_INSTANT: Final = timedelta()
_NEWEST_SHOWN: Final = 10
_NEWEST_COUNTED: Final = 20
"""For a larger number of events, finding the newest ones costs more than evaluating the person."""
_TICK: Final = timedelta.resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSelection:
    """All requirements apply to the same event."""

    name: str
    where: tuple[PropertyFilter, ...] = ()
    within: TimeWindow | CalendarWindow | None = None

    @classmethod
    def of(cls, given: Given) -> Self:
        """The selection of the coerced fields `name`, `where` and `within` of a shape."""
        return cls(name=given["name"], where=given.get("where", ()), within=given.get("within"))

    def among(self, person: Facts, moment: Moment) -> list[Event]:
        counts = self.counting(person, moment)
        return [
            event
            for event in person.events
            if event.name == self.name
            and counts(event.occurred_at)
            and all(item.matches(event.properties, moment.now) for item in self.where)
        ]

    def observed(self, person: Facts, moment: Moment) -> dict[str, Json]:
        """For an explanation: how many events there are, when the newest happened, and which of them decide the next change."""
        times = sorted((event.occurred_at for event in self.among(person, moment)), reverse=True)
        deciding = [] if moment.until is None else self._turning(person, replace(moment, now=moment.until))
        return {
            "count": len(times),
            "newest": [instant_text(time) for time in times[:_NEWEST_SHOWN]],
            "deciding": [instant_text(time) for time in deciding],
        }

    def aggregate(
        self,
        function: str,
        parameters: Parameters,
        *,
        of_nothing: Literal["0"] | None = None,
        is_of_days: bool = False,
    ) -> Aggregate:
        """The aggregate `function` over these events, alias `e`. With `is_of_days`, it uses their local days."""
        in_window, since, window = self._in_window(parameters)
        rest = all_of(*(item.sql(parameters) for item in self.where))
        return Aggregate(
            event_name=self.name,
            function=function,
            upto=parameters.instant(),
            where=all_of(in_window, rest),
            since=since,
            of_nothing=of_nothing,
            window=window,
            rest=rest,
            is_of_days=is_of_days,
        )

    def reads(self) -> frozenset[Read]:
        own = Read(source="event", ref=self.name)
        return frozenset({own, PROFILE} if self.periods() else {own})  # the profile has the person's zone

    def periods(self) -> frozenset[Period]:
        """The calendar periods that the selection depends on."""
        return frozenset({self.within.period} if isinstance(self.within, CalendarWindow) else ())

    def edges(self, vocabulary: Vocabulary, *, newest: int | None = None) -> frozenset[AnyEdge]:
        """The edges of a leaf. Give `newest` if the verdict depends only on the number of events, and is the same from it on."""
        leaves_by_age = (
            isinstance(self.within, TimeWindow) and self.within.operator == "last" and not self.where
        )
        own = event_edges(self.name, self._offsets, vocabulary, newest=newest if leaves_by_age else None)
        if not (own and isinstance(self.within, CalendarWindow)):
            return own
        return own | {self.within.edge(vocabulary.event_names[self.name], vocabulary.week_start)}

    def whenever(self, person: Facts, now: datetime) -> list[Event]:
        """The selected events at any time, future ones too, in order of time."""
        events = (
            event
            for event in person.events
            if event.name == self.name and all(item.matches(event.properties, now) for item in self.where)
        )
        return sorted(events, key=lambda event: event.occurred_at)

    def window(
        self, events: Sequence[Event], person: Facts, moment: Moment
    ) -> SlidingWindow | SlidingCalendarWindow:
        """A window that says which of these events count at later and later instants. The events are in order of time."""
        times = [event.occurred_at for event in events]
        if isinstance(self.within, CalendarWindow):
            return SlidingCalendarWindow(times, self.within, moment.calendar(person))
        return SlidingWindow(times, Interval() if self.within is None else self.within.interval())

    def dump(self) -> dict[str, Json]:
        within: dict[str, Json] = {} if self.within is None else {"within": self.within.dump()}
        return {"name": self.name} | within | dump_where(self.where)

    def counting(self, person: Facts, moment: Moment) -> Callable[[datetime], bool]:
        """A function that says whether events of an instant count."""
        now, window = moment.now, self.within
        match window:
            case None:
                return lambda time: time <= now
            case CalendarWindow():
                calendar = moment.calendar(person)
                return lambda time: time <= now and window.contains(time, now, calendar)
        return lambda time: time <= now and window.contains(time, now)

    def _turning(self, person: Facts, moment: Moment) -> list[datetime]:
        """The times of the events that enter or leave the window at exactly this instant."""
        counts = self.counting(person, moment)
        counted = self.counting(person, replace(moment, now=moment.now - _TICK))
        turning = {
            event.occurred_at
            for event in person.events
            if event.name == self.name
            and counts(event.occurred_at) is not counted(event.occurred_at)
            and all(item.matches(event.properties, moment.now) for item in self.where)
        }
        return sorted(turning)

    def in_window(self, parameters: Parameters) -> tuple[str | None, str | None]:
        """A predicate on the time of an event `e`, and an instant before which none passes it. None means that there is no bound."""
        predicate, since, _ = self._in_window(parameters)
        return predicate, since

    def _in_window(
        self, parameters: Parameters
    ) -> tuple[str | None, str | None, Callable[[], ZoneWindow] | None]:
        """A predicate on the time of an event `e`, an instant before which none passes it, and the parts if it depends on the zone."""
        if isinstance(self.within, CalendarWindow):
            return self.within.sql("e.occurred_at", parameters)
        interval = Interval() if self.within is None else self.within.interval()
        bounds = interval.bounds(parameters)
        return interval.sql("e.occurred_at", bounds), bounds[0], None

    @property
    def _offsets(self) -> frozenset[timedelta]:
        return self.within.interval().offsets() if isinstance(self.within, TimeWindow) else frozenset()

    def words(self) -> str:
        """A noun: `order_placed (brand is "Acme")`."""
        return named(self.name) + words_of_where(self.where)

    def words_of_window(self) -> str:
        """The words that follow the events: ` in the last 30 days`."""
        return "" if self.within is None else f" {self.within.words()}"


def event_edges(
    name: str, offsets: Collection[timedelta], vocabulary: Vocabulary, *, newest: int | None = None
) -> frozenset[Edge | DayEdge]:
    """The edges of a leaf about events of this name. `newest` says how many of the newest can alter its verdict by their age.

    An event's own instant is always an edge, because it may be in the future.
    """
    name_id = vocabulary.event_names.get(name)
    if name_id is None:
        return frozenset()
    if newest is not None and newest > _NEWEST_COUNTED:
        newest = None
    by_age = (
        Edge(table="events", ref=name_id, offset=offset, newest=newest)
        for offset in offsets
        if offset and newest != 0
    )
    return frozenset({Edge(table="events", ref=name_id, offset=_ITS_INSTANT), *by_age})


NAME: Final = InputField(
    name="name",
    type=Scalar.STRING,
    required=True,
    check=event_name,
    description="The event's exact name. Nobody has events of a name that was never tracked.",
)
