"""DateFilter: compares a calendar day with a fixed day, or with today where the person lives.

A missing day matches only `isSet: false`. A day is not its own anniversary: the first one comes a year later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from audience_gql.conditions.base import DayEdge, Moment
from audience_gql.conditions.calendar import ONE_DAY, anniversary, day_start, zone_of
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.limits import MAX_WINDOW
from audience_gql.conditions.sql.questions import Parameters
from audience_gql.conditions.values import Json
from audience_gql.conditions.words.wording import counted, month_name

_LONGEST_YEAR: Final = 366
_YEARS_AHEAD: Final = 10
"""Enough, because leap years are at most eight years apart. Only in those does a window of a year less a day change its verdict."""
_MONTHS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """A range of days that includes both ends."""

    first: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """A number of days that includes today."""

    count: int

    def words(self) -> str:
        return counted(self.count, "day")


@dataclass(frozen=True, slots=True, kw_only=True)
class DateFilter:
    """One operator and its value."""

    operator: str
    value: date | DateRange | Days | int | bool

    def matches(self, day: date | None, today: date) -> bool:
        match self.value:
            case bool() as wanted:
                return (day is not None) is wanted
            case _ if day is None:
                return False
            case date() as limit:
                return {"on": day == limit, "before": day < limit, "after": day > limit}[self.operator]
            case DateRange(first=first, last=last):
                return first <= day <= last
            case Days(count=count):
                return any(self._is_near(one, today, count) for one in self._occurrences(day, today))
            case month:
                return day.month == month

    def sql(self, column: str, parameters: Parameters) -> str:
        """`column` is an expression of type date."""
        match self.operator, self.value:
            case _, bool() as wanted:
                return f"{column} IS {'NOT NULL' if wanted else 'NULL'}"
            case operator, date() as limit:
                return f"{column} {_COMPARISONS[operator]} {parameters.constant(limit, 'date')}"
            case _, DateRange(first=first, last=last):
                bounds = parameters.constant(first, "date"), parameters.constant(last, "date")
                return f"{column} BETWEEN {bounds[0]} AND {bounds[1]}"
            case "month", int() as month:
                return f"extract(month FROM {column}) = {parameters.constant(month, 'integer')}"
            case operator, Days(count=count):
                return self._sql_of_window(
                    column, operator, parameters.constant(count, "integer"), parameters
                )
        raise AssertionError(self)

    def edges(self, field_id: int) -> frozenset[DayEdge]:
        return frozenset(
            DayEdge(field_id=field_id, days=days, yearly=self._is_yearly) for days in self._turns()
        )

    def turning_days(self, day: date, today: date) -> Iterable[date]:
        """All days from today on at whose beginning the verdict may change, for anniversaries within ten years; earlier days too."""
        base = [day]
        if self._is_yearly:
            first = max(day.year + 1, today.year - 1)
            base = [anniversary(day, year) for year in range(first, first + _YEARS_AHEAD + 1)]
        return [one + timedelta(days=days) for one in base for days in self._turns()]

    @property
    def looks_at_today(self) -> bool:
        return isinstance(self.value, Days)

    def dump(self) -> Json:
        match self.value:
            case bool() | int():
                return {self.operator: self.value}
            case date():
                return {self.operator: self.value.isoformat()}
            case DateRange(first=first, last=last):
                return {self.operator: {"from": first.isoformat(), "to": last.isoformat()}}
            case Days(count=count):
                return {self.operator: {"days": count}}

    def words(self) -> str:
        """A predicate: `is in the last 7 days`."""
        match self.operator, self.value:
            case _, bool() as wanted:
                return "is set" if wanted else "is not set"
            case operator, date() as limit:
                return f"is {operator} {limit}"
            case _, DateRange(first=first, last=last):
                return f"is between {first} and {last}, both included"
            case "month", int() as month:
                return f"is in {month_name(month)}"
            case operator, Days() as days:
                anniversaries = "has its anniversary" if self._is_yearly else "is"
                direction = "last" if operator.endswith("Last") else "next"
                when = f"in the {direction} {days.words()}, today included" if days.count > 1 else "today"
                return f"{anniversaries} {when}"
        raise AssertionError(self)

    def _occurrences(self, day: date, today: date) -> tuple[date, ...]:
        if not self._is_yearly:
            return (day,)
        other_year = today.year - 1 if self.operator.endswith("Last") else today.year + 1
        return tuple(anniversary(day, year) for year in (today.year, other_year) if year > day.year)

    def _is_near(self, day: date, today: date, count: int) -> bool:
        if self.operator.endswith("Last"):
            return today - count * ONE_DAY < day <= today
        return today <= day < today + count * ONE_DAY

    def _sql_of_window(self, column: str, operator: str, count: str, parameters: Parameters) -> str:
        today = parameters.today()
        if operator == "inLast":
            return f"({column} > {today} - {count} AND {column} <= {today})"
        if operator == "inNext":
            return f"({column} >= {today} AND {column} < {today} + {count})"
        this_year = anniversary_sql(column, f"extract(year FROM {today})::integer")
        if operator == "anniversaryInLast":
            first = f"greatest({today} - {count}, {column})"
            last_year = anniversary_sql(column, f"extract(year FROM {today})::integer - 1")
            return f"(({this_year} > {first} AND {this_year} <= {today}) OR {last_year} > {first})"
        next_year = anniversary_sql(column, f"extract(year FROM {today})::integer + 1")
        return (
            f"(({this_year} >= {today} AND {this_year} < {today} + {count} AND {this_year} > {column}) "
            f"OR ({next_year} < {today} + {count} AND {next_year} > {column}))"
        )

    @property
    def _is_yearly(self) -> bool:
        return self.operator.startswith("anniversary")

    def _turns(self) -> tuple[int, ...]:
        """How many days after the day (or its anniversary) the verdict changes, at the beginning of a day."""
        if not isinstance(self.value, Days):
            return ()
        return (0, self.value.count) if self.operator.endswith("Last") else (1 - self.value.count, 1)


def anniversary_sql(column: str, year: str) -> str:
    """The anniversary of the day in that year. For 29 February it is 1 March in years without one."""
    return (
        f"(make_date({year}, extract(month FROM {column})::integer, 1) "
        f"+ (extract(day FROM {column})::integer - 1))"
    )


def midnights(days: Iterable[date], person: Facts, moment: Moment) -> Iterator[datetime]:
    """The instants at which these days begin where the person lives."""
    zone = zone_of(person.profile.get("timezone"), moment.timezone)
    yield from (day_start(day, zone) for day in days)


_COMPARISONS: Final = {"on": "=", "before": "<", "after": ">"}


def _build_range(given: Given, parsing: Parsing) -> DateRange:
    if given["from"] > given["to"]:
        parsing.problem("OUT_OF_RANGE", "`from` must not be after `to`")
    return DateRange(first=given["from"], last=given["to"])


def _build_days(given: Given, parsing: Parsing) -> Days:
    if not 1 <= given["days"] <= MAX_WINDOW.days:
        parsing.problem("OUT_OF_RANGE", f"must be between 1 and {MAX_WINDOW.days:,}", "days")
    return Days(count=given["days"])


def _within_a_year(days: Days, parsing: Parsing) -> Days:
    if days.count > _LONGEST_YEAR:
        parsing.problem("OUT_OF_RANGE", f"must be between 1 and {_LONGEST_YEAR}", "days")
    return days


def _is_month(month: int, parsing: Parsing) -> int:
    if not 1 <= month <= _MONTHS:
        parsing.problem("OUT_OF_RANGE", "must be between 1 and 12")
    return month


def _build(given: Given, _: Parsing) -> DateFilter:
    ((operator, value),) = given.items()
    return DateFilter(operator=operator, value=value)


_DATE_RANGE: Final = Shape(
    name="DateRange",
    description="A range of days that includes both ends.",
    fields=(
        InputField(name="from", type=Scalar.DATE, required=True, description="The first day."),
        InputField(name="to", type=Scalar.DATE, required=True, description="The last day."),
    ),
    build=_build_range,
)

_DAYS: Final = Shape(
    name="Days",
    description="A number of calendar days that includes today.",
    fields=(
        InputField(
            name="days",
            type=Scalar.INT,
            required=True,
            description="From 1 (today alone) to 3,653; for anniversaries, to 366.",
        ),
    ),
    build=_build_days,
    instead={
        "weeks": "give days, 7 for a week",
        "months": "months are not equally long: give days, such as 30",
        "years": "years are not equally long: give days, such as 365",
        "hours": "a date has no time: give days",
    },
)

DATE_FILTER: Final = Shape(
    name="DateFilter",
    one_of=True,
    description="Compares a day. Today is the date in the subscriber's time zone, or else in the workspace's.",
    fields=(
        InputField(name="on", type=Scalar.DATE, description="Exactly this day."),
        InputField(name="before", type=Scalar.DATE, description="Before this day."),
        InputField(name="after", type=Scalar.DATE, description="After this day."),
        InputField(name="between", type=_DATE_RANGE, description="In a range that includes both ends."),
        InputField(name="inLast", type=_DAYS, description="In the last n days, today included."),
        InputField(name="inNext", type=_DAYS, description="In the next n days, today included."),
        InputField(
            name="anniversaryInNext",
            type=_DAYS,
            check=_within_a_year,
            description="Has an anniversary in the next n days, today included. The first is a year after the date.",
        ),
        InputField(
            name="anniversaryInLast",
            type=_DAYS,
            check=_within_a_year,
            description="Has an anniversary in the last n days, today included. The first is a year after the date.",
        ),
        InputField(
            name="month", type=Scalar.INT, check=_is_month, description="In this month, of any year: 1 to 12."
        ),
        InputField(name="isSet", type=Scalar.BOOLEAN, description="Whether there is any date."),
    ),
    build=_build,
)
