"""EventTimeFilter: when the newest or the oldest of several events happened. Without an event, that time is missing."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Self, cast

from audience_gql.conditions.base import AnyEdge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Event, Facts
from audience_gql.conditions.filters.follower import NOT_FOLLOWED_BY, EventFollower
from audience_gql.conditions.filters.properties import WHERE
from audience_gql.conditions.filters.sameness import by_value, sameness_sql
from audience_gql.conditions.filters.selection import NAME, EventSelection, event_edges
from audience_gql.conditions.filters.sliding import first_turn
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Shape
from audience_gql.conditions.sql.questions import FromEvents, OfEvents, Parameters, all_of
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary
from audience_gql.conditions.words.wording import named


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """Events from which one is picked, and what may follow them, each in order of time."""

    times: Sequence[datetime] = ()
    followers: Sequence[datetime] = ()
    value: Json = None
    """The value of the property that is the same for all of them, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTime(Leaf):
    """The time of the event that the kind picks passes a filter.

    With `not_followed_by`, that event also is not followed. If followers need the same value of a property, the kind picks one event for each
    value, and one of them is enough.
    """

    kind: ClassVar[str]
    word: ClassVar[str]
    """The word before the event's name in a summary: "last"."""
    newest_counting: ClassVar[int | None] = None
    """Only this many of the newest events can be picked; None when any can."""
    pick_sql: ClassVar[str]

    events: EventSelection
    at: TimeFilter
    not_followed_by: EventFollower | None = None

    @classmethod
    def of(cls, given: Given, parsing: Parsing) -> Self:
        """The leaf of the coerced fields of EVENT_TIME_FILTER."""
        at, follower = given["at"], given.get("notFollowedBy")
        if follower is not None and follower.same_property is not None and at.holds_when_missing:
            parsing.problem(
                "CONFLICT",
                "without an event there is no value that could be the same",
                "notFollowedBy",
                "sameProperty",
            )
        return cls(events=EventSelection.of(given), at=at, not_followed_by=follower)

    @staticmethod
    @abstractmethod
    def pick(times: Iterable[datetime]) -> datetime | None:
        """The time that counts among those of the events; None without events."""

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        at: dict[str, Json] = {"at": self.at.dump()}
        follower: dict[str, Json] = (
            {} if self.not_followed_by is None else {"notFollowedBy": self.not_followed_by.dump()}
        )
        return {self.kind: self.events.dump() | at | follower}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        if self.at.holds_when_missing:  # nothing can follow a missing event
            return f"who never did {self.events.words()}"
        if isinstance(self.at.value, bool) and self._same_property is None:
            return f"who at some time did {self.events.words()}{self._follower(f'the {self.word} one')}"
        whose = (
            "whose" if self._same_property is None else f"who have some {named(self._same_property)} whose"
        )
        return f"{whose} {self.word} {self.events.words()} was {self.at.words()}{self._follower('it')}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return any(self._holds(line, moment.now) for line in self._lines(person, moment))

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        """The picked event that decides, or else the newest one."""
        now, lines = moment.now, self._lines(person, moment)
        best = max(
            lines, default=_Line(), key=lambda line: (self._holds(line, now), *self._newest(line, now))
        )
        time = self._picked(best, now)
        observed: dict[str, Json] = {"at": None if time is None else instant_text(time)}
        if self.not_followed_by is None:
            return observed
        first = None if time is None else self.not_followed_by.first(time, best.followers, now)
        observed["followedAt"] = None if first is None else instant_text(first)
        return observed if self._same_property is None else observed | {"value": best.value}

    def reads(self) -> frozenset[Read]:
        if self.not_followed_by is None:
            return self.events.reads()
        return self.events.reads() | self.not_followed_by.events.reads()

    def edges(self, vocabulary: Vocabulary) -> frozenset[AnyEdge]:
        depends_on_newest = not self.events.where and self._same_property is None
        newest = self.newest_counting if depends_on_newest else None
        own = event_edges(self.events.name, self.at.offsets(), vocabulary, newest=newest)
        if self.not_followed_by is None:
            return own
        return own | self.not_followed_by.edges(self.events.name, vocabulary, newest=newest)

    def next_change(self, person: Facts, moment: Moment) -> datetime | None:
        lines = self._lines(person, moment)
        turns = {at for line in lines for at in self._turns(line, moment.now) if at > moment.now}
        return first_turn(turns, moment.now, lambda now: any(self._holds(line, now) for line in lines))

    def sql(self, parameters: Parameters) -> OfEvents | FromEvents:
        follower = (
            None if self.at.holds_when_missing else self.not_followed_by
        )  # nothing follows a missing event
        if follower is not None and (follower.within is not None or follower.same_property is not None):
            return FromEvents(
                query=lambda source, name_id: self._query(follower, parameters, source, name_id)
            )
        picked = self.events.aggregate(self.pick_sql, parameters)
        if follower is None:
            return OfEvents(
                aggregates=(picked,),
                test=lambda time: self.at.sql(time, parameters),
                holds_without_events=self.at.holds_when_missing,
            )
        # The newest follower is enough: if any follower is at or after the event, the newest is.
        newest = follower.events.aggregate("max(e.occurred_at)", parameters)
        return OfEvents(
            aggregates=(picked, newest),
            test=lambda time, after: f"{self.at.sql(time, parameters)} AND ({after} >= {time}) IS NOT TRUE",
            holds_without_events=False,
        )

    def _query(
        self, follower: EventFollower, parameters: Parameters, source: str, name_id: Callable[[str], str]
    ) -> str:
        """One pass over the events finds the picked one of each value, and another one its first follower."""
        own, others = name_id(self.events.name), name_id(follower.events.name)
        picks = all_of(f"e.name_id = {own}", *(item.sql(parameters) for item in self.events.where))
        follows = all_of(f"e.name_id = {others}", *(item.sql(parameters) for item in follower.events.where))
        same, group = None, ""
        if follower.same_property is not None:
            same, group = sameness_sql(follower.same_property, parameters), ", q.same"
        partition = "e.subscriber_id" if same is None else f"e.subscriber_id, {same}"
        columns = [
            "e.subscriber_id",
            "e.occurred_at AS at",
            f"({follows}) AS follows",
            f"{self.pick_sql} FILTER (WHERE {picks}) OVER (PARTITION BY {partition}) AS picked",
            *([] if same is None else [f"{same} AS same"]),
        ]
        rows = all_of(
            source,
            f"e.name_id = ANY(ARRAY[{own}, {others}])",
            f"e.occurred_at <= {parameters.instant()}",
            None if same is None else f"{same} IS NOT NULL",
        )
        first = "min(q.at) FILTER (WHERE q.follows AND q.at >= q.picked)"
        verdict = all_of(
            self.at.sql("q.picked", parameters), follower.absence_sql("q.picked", first, parameters)
        )
        return (
            f"SELECT q.subscriber_id FROM (SELECT {', '.join(columns)} {rows}) q "
            f"GROUP BY q.subscriber_id{group}, q.picked HAVING {verdict}"
        )

    def _lines(self, person: Facts, moment: Moment) -> list[_Line]:
        """The events of all times from which one is picked: all together, or those of each value of the property."""
        events, follower = self.events.whenever(person, moment.now), self.not_followed_by
        if follower is None:
            return [_Line(times=_times(events))]
        followers = follower.times(person)
        if follower.same_property is None:
            return [_Line(times=_times(events), followers=followers(None))]
        key = follower.same_property
        return [
            _Line(times=_times(same), followers=followers(same[0]), value=cast(Json, same[0].properties[key]))
            for same in by_value(events, key).values()
        ]

    def _holds(self, line: _Line, now: datetime) -> bool:
        time = self._picked(line, now)
        if time is None or self.not_followed_by is None:
            return self.at.matches(time, now)
        return self.at.matches(time, now) and self.not_followed_by.is_absent(time, line.followers, now)

    def _picked(self, line: _Line, now: datetime) -> datetime | None:
        there = bisect_right(line.times, now)
        return self.pick((line.times[0], line.times[there - 1])) if there else None

    def _newest(self, line: _Line, now: datetime) -> tuple[datetime, ...]:
        """The picked instant, for comparisons; empty without one."""
        time = self._picked(line, now)
        return () if time is None else (time,)

    def _turns(self, line: _Line, now: datetime) -> Iterator[datetime]:
        """The instants at which the clock can change the verdict on these events."""
        ahead = line.times[bisect_right(line.times, now) :]
        yield from ahead
        yield from line.followers
        certain = () if self.not_followed_by is None else self.not_followed_by.certain_after()
        for time in {self._picked(line, at) for at in (now, *ahead)}:
            yield from self.at.instants(time)
            yield from (time + length for length in certain if time is not None)

    def _follower(self, followed: str) -> str:
        return "" if self.not_followed_by is None else self.not_followed_by.words(followed)

    @property
    def _same_property(self) -> str | None:
        return None if self.not_followed_by is None else self.not_followed_by.same_property


def _times(events: Iterable[Event]) -> list[datetime]:
    return [event.occurred_at for event in events]


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
        NOT_FOLLOWED_BY,
    ),
    build=lambda given, _: given,
)
