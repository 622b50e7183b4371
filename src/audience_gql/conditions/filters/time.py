"""TimeFilter: compares an instant with fixed instants or with `now`.

A missing instant matches only `isSet: false`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from audience_gql.conditions.filters.duration import DURATION, Duration
from audience_gql.conditions.filters.interval import Interval
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql.questions import Parameters
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.words.wording import instant

_NOW: Final = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """A range of time that includes its start and excludes its end."""

    start: datetime
    end: datetime

    def dump(self) -> Json:
        return {"from": instant_text(self.start), "to": instant_text(self.end)}

    def words(self) -> str:
        return f"from {instant(self.start)} until before {instant(self.end)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFilter:
    """One operator and its value."""

    operator: str
    value: datetime | TimeRange | Duration | bool

    def matches(self, time: datetime | None, now: datetime) -> bool:
        if isinstance(self.value, bool):
            return (time is not None) is self.value
        if time is None:
            return False
        match self.value:
            case datetime() as limit:
                return time < limit if self.operator == "before" else time > limit
            case TimeRange(start=start, end=end):
                return start <= time < end
            case Duration(length=length):
                verdicts = {
                    "inLast": now - length < time <= now,
                    "notInLast": time <= now - length,
                    "inNext": now < time <= now + length,
                }
                return verdicts[self.operator]

    def sql(self, column: str, parameters: Parameters) -> str:
        if isinstance(self.value, bool):
            return f"{column} IS {'NOT NULL' if self.value else 'NULL'}"
        interval = self._interval()
        return f"({interval.sql(column, interval.bounds(parameters))})"

    @property
    def holds_when_missing(self) -> bool:
        return self.value is False

    def offsets(self) -> frozenset[timedelta]:
        """How long after the compared instant the clock can change the verdict.

        Empty for filters with fixed instants.
        """
        if not isinstance(self.value, Duration):
            return frozenset()
        return self._interval().offsets() | {_NOW}

    def instants(self, time: datetime | None) -> Iterator[datetime]:
        """The instants at which the clock can change the verdict on `time`."""
        if time is not None:
            yield from (time + offset for offset in self.offsets())

    def next_change(self, time: datetime, now: datetime) -> datetime | None:
        """The first instant after `now` at which the clock alters the verdict on `time`; None if it never does."""
        verdict = self.matches(time, now)
        ahead = sorted(at for at in self.instants(time) if at > now)
        return next((at for at in ahead if self.matches(time, at) is not verdict), None)

    def next_change_of_now(self, now: datetime) -> datetime | None:
        """When the clock may first alter the verdict on the present instant, from `now` on; None if it never does."""
        interval = Interval() if isinstance(self.value, bool) else self._interval()
        fixed = (end for end in (interval.start, interval.end) if isinstance(end, datetime))
        return min((at for at in (*fixed, *self.instants(now)) if at > now), default=None)

    def dump(self) -> Json:
        match self.value:
            case bool():
                return {self.operator: self.value}
            case datetime():
                return {self.operator: instant_text(self.value)}
            case value:
                return {self.operator: value.dump()}

    def words(self) -> str:
        """An adverb: `in the last 7 days`."""
        match self.operator, self.value:
            case _, bool() as wanted:
                return "at some time" if wanted else "at no time"
            case "notInLast", Duration() as duration:
                return f"{duration.words()} ago or earlier"
            case operator, Duration() as duration:
                return f"in the {'next' if operator == 'inNext' else 'last'} {duration.words_of_span()}"
            case operator, datetime() as limit:
                return f"{operator} {instant(limit)}"
            case _, TimeRange() as stretch:
                return stretch.words()
        raise AssertionError(self)

    def predicate(self) -> str:
        """A predicate for a time that may be missing: `is in the last 7 days`, `is not set`."""
        if isinstance(self.value, bool):
            return "is set" if self.value else "is not set"
        return f"is {self.words()}"

    def _interval(self) -> Interval:
        match self.operator, self.value:
            case "before", datetime() as limit:
                return Interval(end=limit, end_is="<")
            case "after", datetime() as limit:
                return Interval(start=limit)
            case "between", TimeRange(start=start, end=end):
                return Interval(start=start, start_is=">=", end=end, end_is="<")
            case "inLast", Duration(length=length):
                return Interval(start=length, end=_NOW)
            case "notInLast", Duration(length=length):
                return Interval(end=length)
            case "inNext", Duration(length=length):
                return Interval(start=_NOW, end=-length)
        raise AssertionError(self)


def _build_range(given: Given, parsing: Parsing) -> TimeRange:
    if given["from"] >= given["to"]:
        parsing.problem("OUT_OF_RANGE", "`from` must be before `to`")
    return TimeRange(start=given["from"], end=given["to"])


def _build(given: Given, _: Parsing) -> TimeFilter:
    ((operator, value),) = given.items()
    return TimeFilter(operator=operator, value=value)


TIME_RANGE: Final = Shape(
    name="TimeRange",
    description="A range of time that includes its start and excludes its end.",
    fields=(
        InputField(
            name="from",
            type=Scalar.DATE_TIME,
            required=True,
            description="The start, included.",
        ),
        InputField(
            name="to",
            type=Scalar.DATE_TIME,
            required=True,
            description="The end, excluded.",
        ),
    ),
    build=_build_range,
)

TIME_FILTER: Final = Shape(
    name="TimeFilter",
    one_of=True,
    description="Compares an instant. Relative windows move with the clock, to the microsecond.",
    fields=(
        InputField(name="before", type=Scalar.DATE_TIME, description="Strictly before this instant."),
        InputField(name="after", type=Scalar.DATE_TIME, description="Strictly after this instant."),
        InputField(
            name="between", type=TIME_RANGE, description="In a range that includes `from`, but not `to`."
        ),
        InputField(
            name="inLast",
            type=DURATION,
            description="Less than this long ago, and not in the future: 12:00 leaves the last hour at exactly 13:00.",
        ),
        InputField(name="notInLast", type=DURATION, description="Set, and at least this long ago."),
        InputField(name="inNext", type=DURATION, description="In the future, at most this long from now."),
        InputField(name="isSet", type=Scalar.BOOLEAN, description="Whether there is an instant at all."),
    ),
    build=_build,
)
