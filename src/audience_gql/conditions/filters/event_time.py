"""EventTimeFilter: when the newest or the oldest of several events happened. Without an event, that time is missing."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Self

from audience_gql.conditions.base import AnyEdge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.properties import WHERE, event_name
from audience_gql.conditions.filters.selection import NAME, EventSelection, event_edges
from audience_gql.conditions.filters.sliding import first_turn
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql.questions import OfEvents, Parameters
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary
from audience_gql.conditions.words.wording import named


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTime(Leaf):
    """The time of the event that the kind picks passes a filter.

    With `not_followed_by`, there also is no event of that name at or after it.
    """

    kind: ClassVar[str]
    word: ClassVar[str]
    """The word before the event's name in a summary: "last"."""
    newest_counting: ClassVar[int | None] = None
    """Only this many of the newest events can be picked; None when any can."""
    pick_sql: ClassVar[str]

    events: EventSelection
    at: TimeFilter
    not_followed_by: str | None = None

    @classmethod
    def of(cls, given: Given, _: Parsing) -> Self:
        """The leaf of the coerced fields of EVENT_TIME_FILTER."""
        return cls(
            events=EventSelection.of(given), at=given["at"], not_followed_by=given.get("notFollowedBy")
        )

    @staticmethod
    @abstractmethod
    def pick(times: Iterable[datetime]) -> datetime | None:
        """The time that counts among those of the events; None without events."""

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        at: dict[str, Json] = {"at": self.at.dump()}
        follower: dict[str, Json] = (
            {} if self.not_followed_by is None else {"notFollowedBy": self.not_followed_by}
        )
        return {self.kind: self.events.dump() | at | follower}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        if self.at.holds_when_missing:  # nothing can follow a missing event
            return f"who never did {self.events.words()}"
        if isinstance(self.at.value, bool):
            return f"who at some time did {self.events.words()}{self._follower(f'the {self.word} one')}"
        return f"whose {self.word} {self.events.words()} was {self.at.words()}{self._follower('it')}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        time = self._time(person, moment)
        if not self.at.matches(time, moment.now):
            return False
        return time is None or not any(time <= other for other in self._followers(person, moment))

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        time = self._time(person, moment)
        at = None if time is None else instant_text(time)
        if self.not_followed_by is None:
            return {"at": at}
        followers = [] if time is None else [it for it in self._followers(person, moment) if it >= time]
        return {"at": at, "followedAt": instant_text(min(followers)) if followers else None}

    def reads(self) -> frozenset[Read]:
        if self.not_followed_by is None:
            return self.events.reads()
        return self.events.reads() | {Read(source="event", ref=self.not_followed_by)}

    def edges(self, vocabulary: Vocabulary) -> frozenset[AnyEdge]:
        newest = self.newest_counting if not self.events.where else None
        own = event_edges(self.events.name, self.at.offsets(), vocabulary, newest=newest)
        if self.not_followed_by is None:
            return own
        return own | event_edges(self.not_followed_by, (), vocabulary)

    def next_change(self, person: Facts, moment: Moment) -> datetime | None:
        times = [event.occurred_at for event in self.events.whenever(person, moment.now)]
        followers = sorted(event.occurred_at for event in person.events if event.name == self.not_followed_by)

        def picked_at(now: datetime) -> datetime | None:
            there = bisect_right(times, now)
            return self.pick((times[0], times[there - 1])) if there else None

        def holds_at(now: datetime) -> bool:
            time = picked_at(now)
            return self.at.matches(time, now) and not _is_followed(time, followers, now)

        ahead = times[bisect_right(times, moment.now) :]
        picked = {picked_at(now) for now in (moment.now, *ahead)}
        turns = {*ahead, *followers, *(at for time in picked for at in self.at.instants(time))}
        return first_turn((at for at in turns if at > moment.now), moment.now, holds_at)

    def sql(self, parameters: Parameters) -> OfEvents:
        picked = self.events.aggregate(self.pick_sql, parameters)
        if self.not_followed_by is None:
            return OfEvents(
                aggregates=(picked,),
                test=lambda time: self.at.sql(time, parameters),
                holds_without_events=self.at.holds_when_missing,
            )
        # The newest follower is enough: if any follower is at or after the event, the newest is.
        follower = EventSelection(name=self.not_followed_by).aggregate("max(e.occurred_at)", parameters)
        return OfEvents(
            aggregates=(picked, follower),
            test=lambda time, after: f"{self.at.sql(time, parameters)} AND ({after} >= {time}) IS NOT TRUE",
            holds_without_events=self.at.holds_when_missing,
        )

    def _followers(self, person: Facts, moment: Moment) -> Iterator[datetime]:
        """The times of all events of the name `not_followed_by`, also of those before the picked event."""
        for event in person.events:
            if event.name == self.not_followed_by and event.occurred_at <= moment.now:
                yield event.occurred_at

    def _follower(self, followed: str) -> str:
        if self.not_followed_by is None:
            return ""
        return f", with no {named(self.not_followed_by)} at or after {followed}"

    def _time(self, person: Facts, moment: Moment) -> datetime | None:
        return self.pick(event.occurred_at for event in self.events.among(person, moment))


def _is_followed(time: datetime | None, followers: Sequence[datetime], now: datetime) -> bool:
    """Whether one of the followers, which are in order of time, is at or after `time` and not after `now`."""
    if time is None:
        return False
    following = bisect_left(followers, time)
    return following < len(followers) and followers[following] <= now


def _not_ahead(at: TimeFilter, parsing: Parsing) -> TimeFilter:
    if at.operator == "inNext":
        parsing.problem("OUT_OF_RANGE", "future events do not count before their instant", "inNext")
    return at


EVENT_TIME_FILTER: Final = Shape(
    name="EventTimeFilter",
    description="When an event happened. Without such an event only `isSet: false` holds.",
    fields=(
        NAME,
        InputField(
            name="at",
            type=TIME_FILTER,
            required=True,
            check=_not_ahead,
            description="When it happened. `inNext` is refused, because future events do not count yet.",
        ),
        WHERE,
        InputField(
            name="notFollowedBy",
            type=Scalar.STRING,
            check=event_name,
            description="No event of this name happened at or after it. Example: a cart without a later order.",
        ),
    ),
    build=lambda given, _: given,
)
