"""What a condition is, and what every kind of leaf has to know about itself.

A kind lives in one file of `kinds/`, from its input shape to its SQL. Nothing here may know a particular
kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from audience_gql.conditions.facts import Facts
from audience_gql.conditions.sql import Parameters, Test
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary

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

    Events are named, since a name may have no id yet.
    """

    source: Literal["profile", "field", "event", "group", "segment"]
    ref: int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Where the clock alone can alter the verdict.

    Whoever has a row in `table` with these `keys`, whose `column` plus `offset` lies in (T0, T1], must be
    evaluated anew at T1.
    """

    table: Literal["events", "subscriber_dates", "group_members"]
    keys: tuple[tuple[str, int], ...]
    column: str
    offset: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What summaries call groups and segments, by id."""

    groups: Mapping[int, str]
    segments: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What an evaluation takes as given: the one instant, and the verdicts of the segments that are read."""

    now: datetime
    verdicts: Mapping[int, bool]


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
    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge]:
        """How the clock can alter it; more than there are is allowed, fewer is not."""

    @abstractmethod
    def sql(self, parameters: Parameters) -> Test:
        """The same meaning as a question to the database."""


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every leaf, from left to right."""
    waiting = [condition]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Leaf):
            yield node
        waiting.extend(reversed(node.children))
