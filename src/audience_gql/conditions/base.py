"""The base classes of conditions: what every node and every kind of leaf must implement.

A kind is one file of `kinds/`, from its input shape to its SQL. This module must not know a particular kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal, TypeAlias

from audience_gql.conditions.calendar import LocalCalendar, local_day, zone_of
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.periods import DEFAULT_WEEK_START, Period, WeekStart
from audience_gql.conditions.sql.questions import Parameters, Test
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec, SegmentAt, Vocabulary

_INSTANTS_TRIED: Final = 400

Path: TypeAlias = tuple[str, ...]
ProblemCode: TypeAlias = Literal[
    "REQUIRED", "MALFORMED", "OUT_OF_RANGE", "TOO_MANY", "UNKNOWN", "WRONG_TYPE", "CONFLICT"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem of a condition. `path` leads to it from the root: ("all", "1", "country", "is")."""

    code: ProblemCode
    message: str
    path: Path


class InvalidCondition(Exception):  # without "Error", like every expected failure
    """The condition is not acceptable. Carries all problems that were found, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(
            "; ".join(f"{'.'.join(problem.path)}: {problem.message}" for problem in problems[:3])
        )
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A source of facts whose change can alter the verdict. `ref` is an id; 0 for the profile.

    For events and channels it is a name: an event name may have no id yet, and a channel never has one.
    """

    source: Literal["profile", "field", "event", "group", "segment", "channel"]
    ref: int | str


PROFILE: Final = Read(source="profile", ref=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A way in which the clock alone can alter the verdict.

    A person must be evaluated again at T1 if they have a row in `table` for `ref` (an event name, a date, a group, a
    channel or a segment) whose instant plus `offset` is in (T0, T1].
    """

    table: Literal["events", "subscriber_dates", "group_members", "channel_states", "segment_members"]
    ref: int | str
    offset: timedelta
    newest: int | None = None
    """A number n means that only the person's n newest events of that name can alter the verdict by crossing. For example, only the
    third newest matters to "at least three times" in a window. None means that any event can."""

    def earlier(self, by: timedelta) -> Edge:
        """The edge of a condition that is evaluated `by` later than now."""
        return replace(self, offset=self.offset - by)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayEdge:
    """The same for calendar days: the day that is `days` after the person's date in `field_id` begins, where they live, in (T0, T1].

    With `yearly`, each anniversary of the date counts instead of the date itself. With `lead`, the instant so long before the day's
    beginning counts.
    """

    field_id: int
    days: int
    yearly: bool = False
    lead: timedelta = timedelta()

    def earlier(self, by: timedelta) -> DayEdge:
        """The edge of a condition that is evaluated `by` later than now."""
        return replace(self, lead=self.lead + by)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEdge:
    """The same for calendar periods: a day that is the first of its period begins, where the person lives, in (T0, T1].

    The person has an event of the name `ref` in the local periods from `first` periods before that one to before `last` periods before it.
    With `lead`, the instant so long before the day's beginning counts.
    """

    ref: int
    period: Period
    first: int
    last: int
    week_start: WeekStart
    lead: timedelta = timedelta()

    def earlier(self, by: timedelta) -> CalendarEdge:
        """The edge of a condition that is evaluated `by` later than now."""
        return replace(self, lead=self.lead + by)


AnyEdge: TypeAlias = Edge | DayEdge | CalendarEdge


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of groups and segments in summaries, by id."""

    groups: Mapping[int, str]
    segments: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The inputs of an evaluation besides the person: one instant, and the verdicts of the segments that the condition reads."""

    now: datetime
    """The instant to evaluate. Inside `later` it is that much after the present one."""
    timezone: str
    """The workspace's, for people without one."""
    week_start: WeekStart = DEFAULT_WEEK_START
    """The workspace's."""
    verdicts: Mapping[SegmentAt, bool]
    next_changes: Mapping[SegmentAt, datetime | None] = field(default_factory=dict)
    """The first instant at which the clock may change such a verdict, so much later as the verdict is. Only explanations need them."""
    later: timedelta = timedelta()
    """How long `now` is after the present instant."""
    until: datetime | None = None
    """Until when the verdict of the observed leaf lasts. None means for ever, or that no leaf is observed."""

    def today(self, person: Facts) -> date:
        """Today's date where the person lives."""
        return local_day(self.now, person.profile.get("timezone"), self.timezone)

    def calendar(self, person: Facts) -> LocalCalendar:
        """The calendar where the person lives."""
        zone = zone_of(person.profile.get("timezone"), self.timezone)
        return LocalCalendar(zone=zone, week_start=self.week_start)

    def moved(self, by: timedelta) -> Moment:
        """The moment `by` later, with the same facts."""
        return replace(self, now=self.now + by, later=self.later + by)


class Condition(ABC):
    """A node of the tree. It is immutable and compared by value.

    It is true or false: a missing value makes a comparison false, never unknown.
    """

    __slots__ = ()

    @property
    def children(self) -> tuple[Condition, ...]:
        return ()

    @property
    def lead(self) -> timedelta:
        """How much later than this node its children are evaluated."""
        return timedelta()

    @abstractmethod
    def dump(self, ids: IdCodec) -> dict[str, Json]:
        """The input that parses to this condition, coerced: `{kind: …}`."""

    @abstractmethod
    def summary(self, names: Names) -> str:
        """A clause that can follow "people": `whose country is "LT"`."""

    def negation(self, names: Names) -> str | None:  # noqa: ARG002  # only some kinds name groups and segments
        """The clause for everybody else, such as `who are not in the group "VIP"`. None if "not among those …" has to say it."""
        return None

    @abstractmethod
    def evaluate(self, person: Facts, moment: Moment) -> bool:
        """Whether the condition holds, computed from the facts.

        Tests compare the SQL with this, so neither may be derived from the other.
        """


class Leaf(Condition):
    """A condition that looks at facts, or at another segment."""

    __slots__ = ()

    @abstractmethod
    def reads(self) -> frozenset[Read]:
        """The facts whose change can alter the verdict. The clock is not among them; see `edges`."""

    @abstractmethod
    def sql(self, parameters: Parameters) -> Test:
        """The same condition as a question to the database."""

    @abstractmethod
    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:
        """The values that decided the verdict, for an explanation."""

    def segments(self, later: timedelta) -> frozenset[SegmentAt]:  # noqa: ARG002  # subclasses need it
        """The verdicts of segments that the leaf reads when it is evaluated so much later than now."""
        return frozenset()

    def periods(self) -> frozenset[Period]:
        """The calendar periods that the verdict depends on, besides days on which a date or an anniversary is."""
        return frozenset()

    def edges(self, vocabulary: Vocabulary) -> frozenset[AnyEdge]:  # noqa: ARG002  # subclasses need it
        """The edges at which the clock can alter the verdict. Too many are allowed, a missing one is not."""
        return frozenset()

    def instants(self, person: Facts, moment: Moment) -> Iterable[datetime]:  # noqa: ARG002  # same
        """The instants at which the clock can alter this person's verdict, in any order. Past ones may be among them."""
        return ()

    def next_change(self, person: Facts, moment: Moment) -> datetime | None:
        """The instant at which the clock next alters the verdict if no fact is added; None if it never does.

        It is exact, or a lower bound when there are more than 400 instants to try.
        """
        verdict = self.evaluate(person, moment)
        ahead = sorted({at for at in self.instants(person, moment) if at > moment.now})
        for tried, at in enumerate(ahead):
            if tried == _INSTANTS_TRIED or self.evaluate(person, replace(moment, now=at)) is not verdict:
                return at
        return None


def leaves(condition: Condition) -> Iterator[Leaf]:
    """All leaves, from left to right."""
    waiting = [condition]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Leaf):
            yield node
        waiting.extend(reversed(node.children))


def leaves_in_time(condition: Condition, later: timedelta = timedelta()) -> Iterator[tuple[Leaf, timedelta]]:
    """All leaves, each with how much later than now it is evaluated if the whole condition is evaluated `later` than now."""
    waiting = [(condition, later)]
    while waiting:
        node, lead = waiting.pop()
        if isinstance(node, Leaf):
            yield node, lead
        elif node.children:
            lead += node.lead
            waiting += [(child, lead) for child in reversed(node.children)]
