"""TimeWindow: selects events by when they happened.

Future events never count; the caller excludes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.conditions.filters.calendar_window import (
    CALENDAR_PERIOD,
    LAST,
    CalendarWindow,
    named_window,
)
from audience_gql.conditions.filters.duration import DURATION, Duration
from audience_gql.conditions.filters.interval import Interval
from audience_gql.conditions.filters.time import TIME_RANGE, TimeRange
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.words.wording import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationRange:
    """A range of ages: events at least `shortest` and less than `longest` ago."""

    longest: Duration
    shortest: Duration

    def dump(self) -> Json:
        return {"from": self.longest.dump(), "to": self.shortest.dump()}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """One operator and its value."""

    operator: str
    value: Duration | DurationRange | TimeRange | datetime

    def contains(self, time: datetime, now: datetime) -> bool:
        match self.operator, self.value:
            case "last", Duration(length=length):
                return time > now - length
            case "olderThan", Duration(length=length):
                return time <= now - length
            case "ago", DurationRange(longest=longest, shortest=shortest):
                return now - longest.length < time <= now - shortest.length
            case "between", TimeRange(start=start, end=end):
                return start <= time < end
            case "since", datetime() as start:
                return time >= start
        raise AssertionError(self)

    def interval(self) -> Interval:
        match self.operator, self.value:
            case "last", Duration(length=length):
                return Interval(start=length)
            case "olderThan", Duration(length=length):
                return Interval(end=length)
            case "ago", DurationRange(longest=longest, shortest=shortest):
                return Interval(start=longest.length, end=shortest.length)
            case "between", TimeRange(start=start, end=end):
                return Interval(start=start, start_is=">=", end=end, end_is="<")
            case "since", datetime() as start:
                return Interval(start=start, start_is=">=")
        raise AssertionError(self)

    def dump(self) -> Json:
        return {
            self.operator: instant_text(self.value) if isinstance(self.value, datetime) else self.value.dump()
        }

    def words(self) -> str:
        """An adverb: `in the last 30 days`."""
        match self.operator, self.value:
            case "last", Duration() as duration:
                return f"in the last {duration.words_of_span()}"
            case "olderThan", Duration() as duration:
                return f"{duration.words()} ago or earlier"
            case "ago", DurationRange(longest=longest, shortest=shortest):
                return f"between {longest.words()} and {shortest.words()} ago"
            case "between", TimeRange() as stretch:
                return stretch.words()
            case "since", datetime() as start:
                return f"since {instant(start)}"
        raise AssertionError(self)


def _build_range(given: Given, parsing: Parsing) -> DurationRange:
    if given["from"].length <= given["to"].length:
        parsing.problem("OUT_OF_RANGE", "`from` must be longer ago than `to`")
    return DurationRange(longest=given["from"], shortest=given["to"])


def _build(given: Given, _: Parsing) -> TimeWindow | CalendarWindow:
    ((operator, value),) = given.items()
    if operator == "calendar":
        return named_window(value)
    return value if isinstance(value, CalendarWindow) else TimeWindow(operator=operator, value=value)


_DURATION_RANGE: Final = Shape(
    name="DurationRange",
    description="A range from longer ago to less long ago, such as from 60 days to 30 days ago.",
    fields=(
        InputField(name="from", type=DURATION, required=True, description="Less than this long ago."),
        InputField(name="to", type=DURATION, required=True, description="At least this long ago."),
    ),
    build=_build_range,
)

TIME_WINDOW: Final = Shape(
    name="TimeWindow",
    one_of=True,
    description="Selects events by when they happened. A future event counts from its instant on.",
    fields=(
        InputField(
            name="last",
            type=LAST,
            description="Less than this long ago, or in so many calendar days or months; moves with the clock.",
        ),
        InputField(
            name="calendar",
            type=CALENDAR_PERIOD,
            description="In a calendar period where the person lives; moves with the clock.",
        ),
        InputField(
            name="olderThan", type=DURATION, description="At least this long ago; moves with the clock."
        ),
        InputField(
            name="ago",
            type=_DURATION_RANGE,
            description="Between two lengths of time ago; moves with the clock.",
        ),
        InputField(
            name="between", type=TIME_RANGE, description="In a range that includes `from`, but not `to`."
        ),
        InputField(name="since", type=Scalar.DATE_TIME, description="At this instant or after it."),
    ),
    build=_build,
)
