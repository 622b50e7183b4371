"""The questions that a leaf can ask the database, and the values bound to them.

A leaf returns one of five tests. The compiler decides how to ask it for a person or for a range, and scopes it by
bucket. Every value is a parameter with a cast: neither user text nor constants become SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, Protocol, TypeAlias

from audience_gql.conditions.calendar import (
    ONE_DAY,
    days_elsewhere_json,
    first_today,
    local_day,
    periods_elsewhere_json,
)
from audience_gql.conditions.periods import (
    DEFAULT_WEEK_START,
    WEEK_STARTS,
    Period,
    WeekStart,
    period_start,
)
from audience_gql.conditions.vocabulary import SegmentAt

SqlType: TypeAlias = Literal[
    "bigint",
    "bigint[]",
    "boolean",
    "date",
    "double precision",
    "integer",
    "interval",
    "jsonb",
    "numeric",
    "numeric[]",
    "text",
    "text[]",
    "timestamp",
    "timestamptz",
]

_MOST_DAYS_AT_ONCE: Final = timedelta(days=2)
"""At no instant do two zones' dates differ more."""


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
    """The instant `now - length`. Python computes it, so that the SQL has no interval and no clock."""

    length: timedelta

    def at(self, now: datetime) -> datetime:
        return now - self.length


@dataclass(frozen=True, slots=True)
class PeriodStart:
    """The first midnight of a zone's period, today's or one that is `moved` periods later, as a local time."""

    zone: str
    period: Period
    moved: int
    week_start: WeekStart
    later: timedelta = timedelta()

    def at(self, now: datetime) -> datetime:
        today = local_day(now + self.later, self.zone, self.zone)
        return datetime.combine(period_start(today, self.period, self.week_start, moved=self.moved), time())


@dataclass(frozen=True, slots=True)
class PeriodStartElsewhere:
    """A JSON object of the zones in which that day is another one, with their days."""

    here: PeriodStart

    def at(self, now: datetime) -> str:
        here = self.here
        return periods_elsewhere_json(now + here.later, here.zone, here.period, here.week_start, here.moved)


@dataclass(frozen=True, slots=True)
class NearPeriodStart:
    """An instant shortly before that midnight in all zones, or, with `is_latest`, shortly after it in all."""

    period: Period
    moved: int
    week_start: WeekStart
    is_latest: bool
    later: timedelta = timedelta()

    def at(self, now: datetime) -> datetime:
        today = first_today(now + self.later) + (_MOST_DAYS_AT_ONCE if self.is_latest else timedelta())
        start = period_start(today, self.period, self.week_start, moved=self.moved)
        return datetime.combine(start, time(), UTC) + (ONE_DAY if self.is_latest else -ONE_DAY)


@dataclass(frozen=True, slots=True)
class Today:
    """The date in a zone, today or `later`."""

    zone: str
    later: timedelta = timedelta()

    def at(self, now: datetime) -> date:
        return local_day(now + self.later, self.zone, self.zone)


@dataclass(frozen=True, slots=True)
class TodayElsewhere:
    """A JSON object of the zones in which it is another day then, with their days. Python computes it, as Postgres' zones may differ."""

    zone: str
    later: timedelta = timedelta()

    def at(self, now: datetime) -> str:
        return days_elsewhere_json(now + self.later, self.zone)


class Bindings:
    """All parameters of one statement, in order. There can be hundreds, and few depend on the instant."""

    def __init__(self, bound: Iterable[Bound]) -> None:
        self._bound = tuple(bound)
        self._at_any_time = [each.value if isinstance(each, Constant) else None for each in self]
        self._moving = [(place, each) for place, each in enumerate(self) if not isinstance(each, Constant)]

    def __iter__(self) -> Iterator[Bound]:
        return iter(self._bound)

    def __len__(self) -> int:
        return len(self._bound)

    def at(self, now: datetime) -> list[object]:
        """The values at an instant, as a new list."""
        values = self._at_any_time.copy()
        for place, bound in self._moving:
            values[place] = bound.at(now)
        return values


class Parameters:
    """Collects the values of one statement, in order. Each method returns the SQL text that stands for the value.

    Equal instants share a parameter. Constants do not, so that an edit which makes two of them equal keeps the SQL text.
    `timezone` and `week_start` are the workspace's. `later` says how much later than now the condition is evaluated: all instants and dates are moved.
    """

    def __init__(self, *, first: int, timezone: str, week_start: WeekStart = DEFAULT_WEEK_START) -> None:
        self.later = timedelta()
        self._first = first
        self._timezone = timezone
        self._bound: list[Bound] = []
        self._instants: dict[timedelta, str] = {}
        self._todays: dict[timedelta, str] = {}
        self._week_start = week_start
        self._periods: dict[PeriodStart, str] = {}
        self._of_workspace: dict[str, str] = {}
        self._zone_columns: dict[str, str] = {}

    def moved(self, by: timedelta) -> Parameters:
        """The parameters of the same statement for a condition that is evaluated `by` later than this one."""
        view = copy(self)  # shares everything that is collected
        view.later = self.later + by
        return view

    def constant(self, value: object, sql_type: SqlType) -> str:
        return self.derived(Constant(value), sql_type)

    def instant(self, ago: timedelta = timedelta()) -> str:
        """`now`, or the instant `ago` before it; after it when `ago` is negative."""
        before_present = ago - self.later
        if before_present not in self._instants:
            self._instants[before_present] = self.derived(Ago(before_present), "timestamptz")
        return self._instants[before_present]

    def today(self) -> str:
        """Today's date where the subscriber `s` lives."""
        if self.later not in self._todays:
            elsewhere = self.derived(TodayElsewhere(self._timezone, self.later), "jsonb")
            here = self.derived(Today(self._timezone, self.later), "date")
            self._todays[self.later] = f"coalesce(({elsewhere} ->> s.timezone)::date, {here})"
        return self._todays[self.later]

    def period_start(self, period: Period, moved: int) -> str:
        """The first midnight of the present period in the zone of the row `zone`, or of one `moved` periods later, as a local time."""
        start = PeriodStart(self._timezone, period, moved, self._week_start, self.later)
        if start not in self._periods:
            elsewhere = self.derived(PeriodStartElsewhere(start), "jsonb")
            here = self.derived(start, "timestamp")
            self._periods[start] = f"coalesce(({elsewhere} ->> zone.zone)::timestamp, {here})"
        return self._periods[start]

    def near_period_start(self, period: Period, moved: int, *, is_latest: bool) -> str:
        """An instant shortly before that midnight in all zones, or, with `is_latest`, shortly after it in all."""
        bound = NearPeriodStart(period, moved, self._week_start, is_latest, self.later)
        return self.derived(bound, "timestamptz")

    def home(self) -> str:
        """The workspace's time zone."""
        return self._once("home", self._timezone, "text")

    def week_start(self) -> str:
        """How many days after Monday a week begins."""
        return self._once("week_start", WEEK_STARTS[self._week_start], "integer")

    def of_zone(self, expression: str) -> str:
        """The column for a value that is the same for everybody in a zone. The expression uses the row `zone`, the zone's clock."""
        return self._zone_columns.setdefault(expression, f"calendar.c{len(self._zone_columns)}")

    @property
    def zone_columns(self) -> Mapping[str, str]:
        """The expressions of the columns that were asked for, each with its column."""
        return self._zone_columns

    def derived(self, bound: Bound, sql_type: SqlType) -> str:
        """Any other value that is computed from `now`."""
        self._bound.append(bound)
        return f"${self._first + len(self._bound) - 1}::{sql_type}"

    def _once(self, name: str, value: object, sql_type: SqlType) -> str:
        if name not in self._of_workspace:
            self._of_workspace[name] = self.constant(value, sql_type)
        return self._of_workspace[name]

    def bound(self) -> Bindings:
        return Bindings(self._bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRow:
    """A boolean expression over the subscriber's own row, alias `s`. Null counts as false."""

    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HasRow:
    """The subscriber has a row in a table for which `where` holds."""

    table: Literal["group_members", "channel_states", "segment_members"]
    alias: str
    where: str


@dataclass(frozen=True, slots=True)
class ZoneWindow:
    """A window whose ends depend on where the person lives, in two parts.

    An event that passes `sure` is in it wherever its person lives. The other events in it pass `unsure`, which uses columns of the person's
    zone (see `Parameters.of_zone`).
    """

    sure: str
    unsure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """An aggregate function over the person's events of one name that happened up to an instant.

    Expressions use the alias `e`.
    """

    event_name: str
    function: str
    upto: str
    """SQL of the instant of the evaluation. Later events are excluded."""
    where: str | None = None
    since: str | None = None
    """SQL of an instant. No event before it passes `where`, so that a short range of the index is enough."""
    window: Callable[[], ZoneWindow] | None = None
    """Makes the part of `where` about a window that depends on the person's zone. None means that nothing in `where` does."""
    rest: str | None = None
    """The other part of `where`."""
    is_of_days: bool = False
    """Whether `function` uses the event's local day."""

    @property
    def is_of_zone(self) -> bool:
        """Whether `where` uses columns of the person's zone, which `Parameters.of_zone` makes."""
        return self.window is not None

    of_nothing: Literal["0"] | None = None
    """The value over no events. None means null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfEvents:
    """A boolean expression over aggregates, which `test` builds from their SQL. Null counts as false."""

    aggregates: tuple[Aggregate, ...]
    test: Callable[..., str]
    holds_without_events: bool
    """The verdict on people without any event for the first aggregate. A set of ids cannot contain them."""
    asks_presence_only: bool = False
    """The test only asks whether there is any event (or none, if it holds without events)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromEvents:
    """The subscriber is among those whom a query over events finds. For a complement, they are not.

    `query` makes a SELECT of `subscriber_id`, perhaps with duplicates. It receives the SQL of FROM and WHERE for the events, alias `e`, to
    which it adds its requirements with AND, and a function from an event name to the SQL of its id. It must exclude future events itself.
    """

    query: Callable[[str, Callable[[str], str]], str]
    is_of_zone: bool = False
    """Whether the query uses columns of the person's zone. They must be made by `Parameters.of_zone` before the query is."""
    is_complement: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """The condition of the segment holds, the one of `but_not` does not, and `entered` holds for when the person entered the segment.

    `entered` makes a predicate on that instant, which is stored for members of the present instant. Anybody else enters at the instant
    of the evaluation.
    """

    segment: SegmentAt
    but_not: SegmentAt | None = None
    entered: Callable[[str], str] | None = None

    @property
    def is_of_present(self) -> bool:
        """Whether the verdict is the one of the present instant, so that whoever matches is a member or becomes one."""
        return not self.segment.later


@dataclass(frozen=True, slots=True, kw_only=True)
class InSegments:
    """At least one of these holds."""

    choices: tuple[Inside, ...]


Test: TypeAlias = OfRow | HasRow | OfEvents | FromEvents | InSegments


def all_of(*predicates: str | None) -> str | None:
    """The conjunction of the predicates that are not None; None if all are."""
    there = [predicate for predicate in predicates if predicate is not None]
    return " AND ".join(there) if there else None


def complement(expression: str) -> str:
    """The expression is false or null. A plain NOT would lose people with a missing value."""
    return f"({expression} IS NOT TRUE)"


def json_boolean(column: str, key: str) -> str:
    """The truth value at a key; null when it is not a JSON boolean."""
    return f"CASE WHEN jsonb_typeof({column} -> {key}) = 'boolean' THEN ({column} -> {key})::boolean END"


def json_number(column: str, key: str) -> str:
    """The number at a key; null when it is not a JSON number, so that the cast cannot fail."""
    return f"CASE WHEN jsonb_typeof({column} -> {key}) = 'number' THEN ({column} -> {key})::numeric END"
