"""Calendar periods: days, weeks, months, quarters and years, and which of them a day belongs to."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, Literal, TypeAlias

Period: TypeAlias = Literal["day", "week", "month", "quarter", "year"]
WeekStart: TypeAlias = Literal["MONDAY", "SATURDAY", "SUNDAY"]

WEEK_STARTS: Final[dict[WeekStart, int]] = {"MONDAY": 0, "SATURDAY": 5, "SUNDAY": 6}
"""The days on which weeks may begin, each with the number of days after Monday."""
DEFAULT_WEEK_START: Final[WeekStart] = "MONDAY"

MONTHS: Final[dict[Period, int]] = {"month": 1, "quarter": 3, "year": 12}
"""The length in months of the periods that consist of months."""

_WEEK: Final = 7
_YEAR: Final = 12


def period_start(day: date, period: Period, week_start: WeekStart, *, moved: int = 0) -> date:
    """The first day of the period that a day belongs to, or of one that is `moved` periods later (earlier, if negative)."""
    match period:
        case "day":
            return day + timedelta(days=moved)
        case "week":
            since = (day.weekday() - WEEK_STARTS[week_start]) % _WEEK
            return day + timedelta(days=_WEEK * moved - since)
        case _:
            length = MONTHS[period]
            months = (day.year * _YEAR + day.month - 1) // length * length + moved * length
            return date(months // _YEAR, months % _YEAR + 1, 1)
