"""CalendarWindow: selects events by the calendar period in which they happened, where the person lives."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.conditions.base import CalendarEdge
from audience_gql.conditions.calendar import LocalCalendar
from audience_gql.conditions.filters.duration import DURATION, Duration
from audience_gql.conditions.filters.spans import Span
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import (
    Enumeration,
    EnumerationValue,
    Given,
    InputField,
    Scalar,
    Shape,
)
from audience_gql.conditions.limits import MAX_WINDOW
from audience_gql.conditions.periods import Period, WeekStart
from audience_gql.conditions.sql.days import day_start
from audience_gql.conditions.sql.questions import Parameters, ZoneWindow
from audience_gql.conditions.values import Json
from audience_gql.conditions.words.wording import counted

_NAMED: Final[dict[str, tuple[Period, int]]] = {
    "TODAY": ("day", 0),
    "YESTERDAY": ("day", 1),
    "THIS_WEEK": ("week", 0),
    "LAST_WEEK": ("week", 1),
    "THIS_MONTH": ("month", 0),
    "LAST_MONTH": ("month", 1),
    "THIS_QUARTER": ("quarter", 0),
    "LAST_QUARTER": ("quarter", 1),
    "THIS_YEAR": ("year", 0),
    "LAST_YEAR": ("year", 1),
}
"""By name: the period, and how many periods ago it is."""
_COUNTED: Final[dict[str, tuple[Period, int]]] = {
    "calendarDays": ("day", MAX_WINDOW.days),
    "calendarMonths": ("month", 120),
}
"""By unit: the period, and how many there can be, which is ten years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarWindow:
    """From the beginning of a period up to now, or, for a past period, up to its end.

    Days begin where the person lives. Future events never count.
    """

    period: Period
    first: int
    """How many periods before the present one the window begins."""
    is_past: bool = False
    """Whether it ends where the present period begins. A window that is not past is open."""
    operator: str
    """How it was given: `calendar`, or the unit of `last`."""

    def span(self, now: datetime, calendar: LocalCalendar) -> tuple[datetime, datetime | None]:
        """The instants at which the window begins and ends. None means that it is open."""
        start = calendar.start_of(self.period, now, moved=-self.first)
        return start, calendar.start_of(self.period, now) if self.is_past else None

    def contains(self, time: datetime, now: datetime, calendar: LocalCalendar) -> bool:
        start, end = self.span(now, calendar)
        return start <= time and (end is None or time < end)

    def sql(self, column: str, parameters: Parameters) -> tuple[str, str, Callable[[], ZoneWindow]]:
        """A predicate on an instant, an instant before which none passes it, and a function that makes the predicate in two parts."""
        since = parameters.near_period_start(self.period, -self.first, is_latest=False)
        parts = [f"{column} >= {since}", f"{column} >= {self._start(-self.first, parameters)}"]
        if self.is_past:
            parts.append(f"{column} < {parameters.near_period_start(self.period, 0, is_latest=True)}")
            parts.append(f"{column} < {self._start(0, parameters)}")
        whole = " AND ".join(parts)
        return whole, since, lambda: self._in_two_parts(column, whole, parameters)

    def _in_two_parts(self, column: str, whole: str, parameters: Parameters) -> ZoneWindow:
        begun = parameters.near_period_start(self.period, -self.first, is_latest=True)
        if not self.is_past:
            return ZoneWindow(f"{column} >= {begun}", f"{whole} AND {column} < {begun}")
        over = parameters.near_period_start(self.period, 0, is_latest=False)
        return ZoneWindow(
            f"{column} >= {begun} AND {column} < {over}",
            f"{whole} AND ({column} < {begun} OR {column} >= {over})",
        )

    def edge(self, name_id: int, week_start: WeekStart) -> CalendarEdge:
        """Where a period begins, events of the one that the window leaves, up to those that it reaches, change sides."""
        return CalendarEdge(
            ref=name_id,
            period=self.period,
            first=self.first + 1,
            last=0 if self.is_past else self.first,
            week_start=week_start,
        )

    def dump(self) -> Json:
        if self.operator == "calendar":
            return {"calendar": self._name}
        return {"last": {self.operator: self.first + 1}}

    def words(self) -> str:
        """An adverb: `this month`, `in the last 3 calendar months, this month included`."""
        if self.is_past:
            return "yesterday" if self.period == "day" else f"in the previous calendar {self.period}"
        if not self.first:
            return self._name.lower().replace("_", " ")
        this = "today" if self.period == "day" else f"this {self.period}"
        return f"in the last {counted(self.first + 1, f'calendar {self.period}')}, {this} included"

    def turns_of(self, time: datetime, calendar: LocalCalendar) -> Iterator[datetime]:
        """The instants at which an event of this instant enters or leaves the window after it happened."""
        yield calendar.start_of(self.period, time, moved=self.first + 1)
        if self.is_past:
            yield calendar.start_of(self.period, time, moved=1)

    def span_of(self, first: datetime, last: datetime, calendar: LocalCalendar) -> Span | None:
        """When all events from `first` to `last` have happened and are in the window; None for never."""
        begin = calendar.start_of(self.period, last, moved=1) if self.is_past else last
        until = calendar.start_of(self.period, first, moved=self.first + 1)
        return (begin, until) if begin < until else None

    @property
    def _name(self) -> str:
        ago = self.first if self.is_past or not self.first else 0
        return next(name for name, named in _NAMED.items() if named == (self.period, ago))

    def _start(self, moved: int, parameters: Parameters) -> str:
        """The column with the instant at which such a period begins where the person lives."""
        return parameters.of_zone(day_start(parameters.period_start(self.period, moved)))


class SlidingCalendarWindow:
    """Says which of `times`, which ascend, are in a calendar window at later and later instants."""

    def __init__(self, times: Sequence[datetime], window: CalendarWindow, calendar: LocalCalendar) -> None:
        self._times = times
        self._window = window
        self._calendar = calendar

    def range_at(self, now: datetime) -> tuple[int, int]:
        """The first position and the one after the last. Times after `now` never count."""
        start, end = self._window.span(now, self._calendar)
        first, there = bisect_left(self._times, start), bisect_right(self._times, now)
        last = there if end is None else min(there, bisect_left(self._times, end))
        return first, max(first, last)

    def turns(self, after: datetime) -> Iterator[datetime]:
        """The instants after `after` at which a time enters or leaves the window, in any order."""
        for time in self._times:
            turns = (time, *self._window.turns_of(time, self._calendar))
            yield from (at for at in turns if at > after)


def _build_last(given: Given, parsing: Parsing) -> Duration | CalendarWindow:
    ((unit, amount),) = given.items()
    if unit not in _COUNTED:
        duration = DURATION.build(given, parsing)
        assert isinstance(duration, Duration)  # noqa: S101  # what that shape builds
        return duration
    period, most = _COUNTED[unit]
    if not 1 <= amount <= most:
        parsing.problem("OUT_OF_RANGE", f"must be between 1 and {most:,}, which is ten years", unit)
    return CalendarWindow(period=period, first=amount - 1, operator=unit)


def named_window(name: str) -> CalendarWindow:
    """The window of a `CalendarPeriod`."""
    period, ago = _NAMED[name]
    return CalendarWindow(period=period, first=ago, is_past=ago > 0, operator="calendar")


LAST: Final = Shape(
    name="LastPeriod",
    one_of=True,
    description=(
        "A fixed length of time, up to ten years (3,653 days), or a number of calendar days or months that includes the present one."
    ),
    fields=(
        *DURATION.fields,
        InputField(
            name="calendarDays",
            type=Scalar.INT,
            description="In days of the calendar where the person lives; 1 means today.",
        ),
        InputField(
            name="calendarMonths",
            type=Scalar.INT,
            description="In months of the calendar where the person lives; 1 means this month.",
        ),
    ),
    build=_build_last,
    instead={
        **DURATION.instead,
        "months": "months are not equally long: give calendarMonths, or days, such as 30",
    },
)

CALENDAR_PERIOD: Final = Enumeration(
    name="CalendarPeriod",
    description="A period of the calendar where the person lives. Weeks begin on the day that the workspace chose.",
    values=(
        EnumerationValue(name="TODAY", description="Since the day began."),
        EnumerationValue(name="YESTERDAY", description="The whole day before today."),
        *(
            EnumerationValue(name=f"{which}_{period.upper()}", description=text.format(period))
            for period in ("week", "month", "quarter", "year")
            for which, text in (
                ("THIS", "Since the present {} began."),
                ("LAST", "The whole {} before the present one."),
            )
        ),
    ),
)
