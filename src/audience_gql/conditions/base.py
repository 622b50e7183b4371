"""What a condition is, and what every kind of leaf has to know about itself.

A kind lives in one file of `kinds/`, from its input shape to its SQL. Nothing here may know a particular
kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal, TypeAlias

from audience_gql.conditions.calendar import local_day
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.sql.questions import Parameters, Test
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary

_INSTANTS_TRIED: Final = 400

Path: TypeAlias = tuple[str, ...]
ProblemCode: TypeAlias = Literal[
    "REQUIRED", "MALFORMED", "OUT_OF_RANGE", "TOO_MANY", "UNKNOWN", "WRONG_TYPE", "CONFLICT"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a condition. `path` starts at the condition: ("all", "1", "country", "is")."""

    code: ProblemCode
    message: str
    path: Path


class InvalidCondition(Exception):  # named for what it says, like every expected failure
    """The condition cannot be accepted. Carries every problem found, not just the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(
            "; ".join(f"{'.'.join(problem.path)}: {problem.message}" for problem in problems[:3])
        )
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Something whose change can alter the verdict. `ref` is the id, 0 for the profile.

    Events and channels are named: an event's name may have no id yet, a channel never has one.
    """

    source: Literal["profile", "field", "event", "group", "segment", "channel"]
    ref: int | str


PROFILE: Final = Read(source="profile", ref=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Where the clock alone can alter the verdict.

    Whoever has a row in `table` for `ref` (an event name, a date, a group, a channel, a segment), whose instant
    plus `offset` lies in (T0, T1], must be evaluated anew at T1.
    """

    table: Literal["events", "subscriber_dates", "group_members", "channel_states", "segment_members"]
    ref: int | str
    offset: timedelta
    newest: int | None = None
    """Set: only one of the person's so many newest events of that name alters a verdict by crossing, as when the third newest
    leaves the window of "at least three times". None: any of them may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayEdge:
    """The same for calendar days: whoever has a date in `field_id`, `days` after which a day begins, where she lives, in (T0, T1].

    `yearly` means each anniversary of the date instead of the date itself.
    """

    field_id: int
    days: int
    yearly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What summaries call groups and segments, by id."""

    groups: Mapping[int, str]
    segments: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What an evaluation takes as given: the one instant, and the verdicts of the segments that are read."""

    now: datetime
    timezone: str
    """The workspace's, for people without one."""
    verdicts: Mapping[int, bool]
    next_changes: Mapping[int, datetime | None] = field(default_factory=dict)
    """The first instants at which those verdicts may change by the clock; only explanations need them."""
    until: datetime | None = None
    """Until when the verdict of the leaf that is observed lasts; None for ever, and where nothing is observed."""

    def today(self, person: Facts) -> date:
        """The day that it is where the person lives."""
        return local_day(self.now, person.profile.get("timezone"), self.timezone)


class Condition(ABC):
    """A node of the tree. Immutable, comparable by value.

    Two-valued: what is missing makes it false, never unknown.
    """

    __slots__ = ()

    @property
    def children(self) -> tuple[Condition, ...]:
        return ()

    @abstractmethod
    def dump(self, ids: IdCodec) -> dict[str, Json]:
        """The input that this was parsed from, coerced: `{kind: …}`."""

    @abstractmethod
    def summary(self, names: Names) -> str:
        """A clause that can follow "people": `whose country is "LT"`."""

    @abstractmethod
    def evaluate(self, person: Facts, moment: Moment) -> bool:
        """The meaning, straight from the facts.

        The SQL is tested against this, so it must not be derived from it.
        """


class Leaf(Condition):
    """A condition that looks at facts, or at another segment."""

    __slots__ = ()

    @abstractmethod
    def reads(self) -> frozenset[Read]:
        """The facts whose change can alter the verdict, the clock aside."""

    @abstractmethod
    def sql(self, parameters: Parameters) -> Test:
        """The same meaning as a question to the database."""

    @abstractmethod
    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:
        """What the verdict was decided from, for an explanation."""

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge | DayEdge]:  # noqa: ARG002  # for those whom the clock moves
        """How the clock can alter the verdict; more than there are is allowed, fewer is not."""
        return frozenset()

    def instants(self, person: Facts, moment: Moment) -> Iterable[datetime]:  # noqa: ARG002  # same
        """When the clock can alter this person's verdict: her edges, past ones too, in any order."""
        return ()

    def next_change(self, person: Facts, moment: Moment) -> datetime | None:
        """The instant at which the clock first alters the verdict, if no fact is added; None if it never does.

        Exact, or a lower bound where very many facts would have to be tried.
        """
        verdict = self.evaluate(person, moment)
        ahead = sorted({at for at in self.instants(person, moment) if at > moment.now})
        for tried, at in enumerate(ahead):
            if tried == _INSTANTS_TRIED or self.evaluate(person, replace(moment, now=at)) is not verdict:
                return at
        return None


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every leaf, from left to right."""
    waiting = [condition]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Leaf):
            yield node
        waiting.extend(reversed(node.children))
