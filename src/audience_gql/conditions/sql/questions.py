"""What a leaf can ask of the database, and the values bound to the question.

A leaf says *what* it asks as one of four tests; the compiler alone decides how each is put to a person or
to a whole range, and scopes it by bucket. Every value is a parameter with a cast: no text of a user and no
constant ever becomes SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from audience_gql.conditions.calendar import days_elsewhere_json, local_day

SqlType: TypeAlias = Literal[
    "bigint",
    "bigint[]",
    "boolean",
    "date",
    "integer",
    "jsonb",
    "numeric",
    "numeric[]",
    "text",
    "text[]",
    "timestamptz",
]


class Bound(Protocol):
    """A parameter's value, which may depend on the instant of the evaluation."""

    def at(self, now: datetime) -> object: ...


@dataclass(frozen=True, slots=True)
class Constant:
    value: object

    def at(self, now: datetime) -> object:  # noqa: ARG002  # the same at any time
        return self.value


@dataclass(frozen=True, slots=True)
class Ago:
    """The instant `now - length`. Computed here, so that no interval and no clock is in the SQL."""

    length: timedelta

    def at(self, now: datetime) -> datetime:
        return now - self.length


@dataclass(frozen=True, slots=True)
class Today:
    """The day that it is in a zone."""

    zone: str

    def at(self, now: datetime) -> date:
        return local_day(now, self.zone, self.zone)


@dataclass(frozen=True, slots=True)
class TodayElsewhere:
    """A JSON object of those zones in which it is another day: Postgres' own zones need not be the same as Python's."""

    zone: str

    def at(self, now: datetime) -> str:
        return days_elsewhere_json(now, self.zone)


class Bindings:
    """All parameters of one statement, in order. There are hundreds, few of which depend on the instant."""

    def __init__(self, bound: Iterable[Bound]) -> None:
        self._bound = tuple(bound)
        self._at_any_time = [each.value if isinstance(each, Constant) else None for each in self]
        self._moving = [(place, each) for place, each in enumerate(self) if not isinstance(each, Constant)]

    def __iter__(self) -> Iterator[Bound]:
        return iter(self._bound)

    def __len__(self) -> int:
        return len(self._bound)

    def at(self, now: datetime) -> list[object]:
        """Their values, a list of the caller's own."""
        values = self._at_any_time.copy()
        for place, bound in self._moving:
            values[place] = bound.at(now)
        return values


class Parameters:
    """The values of one statement, in order; each method gives the text that stands for the value.

    Instants are shared. Constants are not: the SQL stays the same text when an edit makes two of them equal.
    `timezone` is the workspace's.
    """

    def __init__(self, *, first: int, timezone: str) -> None:
        self._first = first
        self._timezone = timezone
        self._bound: list[Bound] = []
        self._instants: dict[timedelta, str] = {}
        self._today: str | None = None

    def constant(self, value: object, sql_type: SqlType) -> str:
        return self.derived(Constant(value), sql_type)

    def instant(self, ago: timedelta = timedelta()) -> str:
        """`now`, or so long before it; after it for a negative length."""
        if ago not in self._instants:
            self._instants[ago] = self.derived(Ago(ago), "timestamptz")
        return self._instants[ago]

    def today(self) -> str:
        """The day that it is where the subscriber `s` lives."""
        if self._today is None:
            elsewhere = self.derived(TodayElsewhere(self._timezone), "jsonb")
            here = self.derived(Today(self._timezone), "date")
            self._today = f"coalesce(({elsewhere} ->> s.timezone)::date, {here})"
        return self._today

    def derived(self, bound: Bound, sql_type: SqlType) -> str:
        """Any other value that is computed from `now`."""
        self._bound.append(bound)
        return f"${self._first + len(self._bound) - 1}::{sql_type}"

    def bound(self) -> Bindings:
        return Bindings(self._bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRow:
    """A boolean expression over the subscriber's own row, alias `s`. Null counts as false."""

    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HasRow:
    """There is a row of a table that hangs off the subscriber for which `where` holds."""

    table: Literal["group_members", "channel_states", "segment_members"]
    alias: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """An aggregate function over the person's events of one name, those of the future left out.

    Expressions use the alias `e`.
    """

    event_name: str
    function: str
    where: str | None = None
    since: str | None = None
    """No event before this instant passes `where`: lets the index range be short."""
    of_nothing: Literal["0"] | None = None
    """Its value over no events; null if left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfEvents:
    """A boolean expression over aggregates, which `test` builds from their SQL. Null counts as false."""

    aggregates: tuple[Aggregate, ...]
    test: Callable[..., str]
    holds_without_events: bool
    """The verdict on people for whom the first aggregate has no event at all: sets know nothing of them."""
    asks_presence_only: bool = False
    """The test comes down to whether there is any event (or none, if it holds without events)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InSegments:
    """The inner condition of at least one of these segments holds.

    With `entered`, a predicate over the instant of entering holds too; whoever enters only now, does so now.
    """

    ids: tuple[int, ...]
    entered: Callable[[str], str] | None = None


Test: TypeAlias = OfRow | HasRow | OfEvents | InSegments


def all_of(*predicates: str | None) -> str | None:
    """The conjunction of those that are there; None for none."""
    there = [predicate for predicate in predicates if predicate is not None]
    return " AND ".join(there) if there else None


def complement(expression: str) -> str:
    """That the expression does not hold, be it for want of a value. A plain NOT would lose those people."""
    return f"({expression} IS NOT TRUE)"


def json_boolean(column: str, key: str) -> str:
    """The truth value at a key; null when it is not a JSON boolean."""
    return f"CASE WHEN jsonb_typeof({column} -> {key}) = 'boolean' THEN ({column} -> {key})::boolean END"


def json_number(column: str, key: str) -> str:
    """The number at a key; null when it is not a JSON number, so that the cast cannot fail."""
    return f"CASE WHEN jsonb_typeof({column} -> {key}) = 'number' THEN ({column} -> {key})::numeric END"
