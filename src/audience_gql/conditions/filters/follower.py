"""EventFollower: the event that must not happen at or after another one, such as an order after a cart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from audience_gql.conditions.base import DayEdge, Edge
from audience_gql.conditions.facts import Event, Facts
from audience_gql.conditions.filters.duration import DURATION, Duration
from audience_gql.conditions.filters.properties import WHERE, nonempty
from audience_gql.conditions.filters.sameness import by_value, sameness
from audience_gql.conditions.filters.selection import NAME, EventSelection, event_edges
from audience_gql.conditions.filters.spans import Span
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql.questions import Parameters
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.conditions.words.wording import named


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFollower:
    """Such an event must not happen from the followed event on, until `within` after it.

    Whether it happens is certain only when `within` is over, so nothing holds before. With `same_property`, only events with the same
    value of that property as the followed event are followers, and an event without the property cannot be the followed one.
    """

    events: EventSelection
    within: Duration | None = None
    same_property: str | None = None

    def can_follow(self, event: Event) -> bool:
        """Whether followers of this event can exist at all."""
        return self.same_property is None or event.properties.get(self.same_property) is not None

    def times(self, person: Facts) -> Callable[[Event | None], Sequence[datetime]]:
        """A function from an event to the instants of everything that may follow it, also of the future and of the past, in order of time."""
        followers = self.events.whenever(person, person.created_at)
        if self.same_property is None:
            times = [event.occurred_at for event in followers]
            return lambda _: times
        key, found = self.same_property, by_value(followers, self.same_property)
        by_key = {value: [event.occurred_at for event in events] for value, events in found.items()}
        return lambda event: by_key.get(sameness(event and event.properties.get(key)), ())

    def is_absent(self, time: datetime, followers: Sequence[datetime], now: datetime) -> bool:
        """Whether none of the followers, which are in order of time, follows `time`, and none can any more."""
        span = self.span(time, followers)
        return span is not None and span[0] <= now and (span[1] is None or now < span[1])

    def first(self, time: datetime, followers: Sequence[datetime], now: datetime) -> datetime | None:
        """The instant of the first follower up to `now`; None without one."""
        until = now if self.within is None else min(now, time + self.within.length)
        following = bisect_left(followers, time)
        return next((at for at in followers[following : following + 1] if at <= until), None)

    def span(self, time: datetime, followers: Sequence[datetime]) -> Span | None:
        """When that is so; None for never."""
        following = bisect_left(followers, time)
        first = followers[following] if following < len(followers) else None
        if self.within is None:
            return None if first == time else (time, first)
        until = time + self.within.length
        return (until, None) if first is None or first > until else None

    def certain_after(self) -> frozenset[timedelta]:
        """How long after the followed event the clock can change the verdict."""
        return frozenset() if self.within is None else frozenset({self.within.length})

    def edges(
        self, followed: str, vocabulary: Vocabulary, *, newest: int | None = None
    ) -> frozenset[Edge | DayEdge]:
        """The edges of this requirement. `newest` is as in `Edge`, for events of the name `followed`."""
        certain = event_edges(followed, self.certain_after(), vocabulary, newest=newest)
        return certain | event_edges(self.events.name, (), vocabulary)

    def absence_sql(self, followed: str, first_follower: str, parameters: Parameters) -> str:
        """A predicate over the SQL of the followed instant and of the first follower's, which is null without one."""
        if self.within is None:
            return f"{first_follower} IS NULL"
        length = parameters.constant(self.within.length, "interval")
        is_over = f"{followed} <= {parameters.instant(self.within.length)}"
        return f"{is_over} AND ({first_follower} - {followed} <= {length}) IS NOT TRUE"

    def dump(self) -> dict[str, Json]:
        within: dict[str, Json] = {} if self.within is None else {"within": self.within.dump()}
        same: dict[str, Json] = {} if self.same_property is None else {"sameProperty": self.same_property}
        return self.events.dump() | within | same

    def words(self, followed: str) -> str:
        """The words that follow a clause about the followed event: `, with no order_placed at or after it`."""
        same = "" if self.same_property is None else f" with the same {named(self.same_property)}"
        when = f"at or after {followed}"
        if self.within is not None:
            when = f"until {self.within.words()} after {followed}"
        return f", with no {self.events.words()}{same} {when}"


def _build(given: Given, _: Parsing) -> EventFollower:
    return EventFollower(
        events=EventSelection(name=given["name"], where=given.get("where", ())),
        within=given.get("within"),
        same_property=given.get("sameProperty"),
    )


_EVENT_FOLLOWER: Final = Shape(
    name="EventFollower",
    description="The event that must not follow another one, at the same instant or later.",
    example='{name: "order_placed"}',
    fields=(
        NAME,
        WHERE,
        InputField(
            name="within",
            type=DURATION,
            description="It must not happen until so long after the other event, this instant included. The condition holds from then on, and not "
            "earlier. Default: it must never happen.",
        ),
        InputField(
            name="sameProperty",
            type=Scalar.STRING,
            check=nonempty,
            description="Only events with the same value of this property as the other event follow it. Events without the property do not count.",
        ),
    ),
    build=_build,
)

NOT_FOLLOWED_BY: Final = InputField(
    name="notFollowedBy",
    type=_EVENT_FOLLOWER,
    description="No such event happened at or after it. Example: a cart without a later order.",
)
