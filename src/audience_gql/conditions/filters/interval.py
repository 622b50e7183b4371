"""An interval of time whose ends are fixed or move with the clock. Filters of instants become intervals in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from audience_gql.conditions.filters.spans import Span
from audience_gql.conditions.sql.questions import Parameters, all_of

End: TypeAlias = datetime | timedelta
"""An instant, or how long before `now` it is (after it, for a negative length)."""
Bounds: TypeAlias = tuple[str | None, str | None]
"""The SQL of the start and the end; None for an open end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From `start` to `end`; None means an open end.

    By default the start is excluded and the end is included, as in rolling windows.
    """

    start: End | None = None
    end: End | None = None
    start_is: Literal[">", ">="] = ">"
    end_is: Literal["<", "<="] = "<="

    def bounds(self, parameters: Parameters) -> Bounds:
        """Binds both ends. The statement must use both, because Postgres refuses a parameter without a use."""
        return _bound(self.start, parameters), _bound(self.end, parameters)

    def sql(self, column: str, bounds: Bounds) -> str | None:
        """A predicate: the column is in the interval. None when every instant is. In SQL it is null for a missing instant."""
        start, end = bounds
        return all_of(
            None if start is None else f"{column} {self.start_is} {start}",
            None if end is None else f"{column} {self.end_is} {end}",
        )

    def offsets(self) -> frozenset[timedelta]:
        """How long after an instant the clock alone moves it into or out of the interval."""
        return frozenset(end for end in (self.start, self.end) if isinstance(end, timedelta))

    def span(self, first: datetime, last: datetime) -> Span | None:
        """When all events from `first` to `last` have happened and are in the interval; None for never."""
        begin, until = last, None
        if isinstance(self.start, timedelta):
            until = first + self.start
        elif self.start is not None and not (
            first >= self.start if self.start_is == ">=" else first > self.start
        ):
            return None
        if isinstance(self.end, timedelta):
            begin = max(begin, last + self.end)
        elif self.end is not None and not (last <= self.end if self.end_is == "<=" else last < self.end):
            return None
        return (begin, until) if until is None or begin < until else None


def _bound(end: End | None, parameters: Parameters) -> str | None:
    if end is None:
        return None
    return parameters.instant(end) if isinstance(end, timedelta) else parameters.constant(end, "timestamptz")
