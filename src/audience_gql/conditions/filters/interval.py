"""A stretch of time whose ends stand still or move with the clock: what filters of instants become in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from audience_gql.conditions.sql.questions import Parameters, all_of

End: TypeAlias = datetime | timedelta
"""An instant, or how long before `now` it is (after it, for a negative length)."""
Bounds: TypeAlias = tuple[str | None, str | None]
"""The SQL of both ends, None for open ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From `start` to `end`, None for open ends.

    By default as rolling windows are: without its start, with its end.
    """

    start: End | None = None
    end: End | None = None
    start_is: Literal[">", ">="] = ">"
    end_is: Literal["<", "<="] = "<="

    def bounds(self, parameters: Parameters) -> Bounds:
        """Its ends, bound. Use both: Postgres refuses a parameter that nothing refers to."""
        return _bound(self.start, parameters), _bound(self.end, parameters)

    def sql(self, column: str, bounds: Bounds) -> str | None:
        """That the column lies in it; None when every instant does, null for a missing one."""
        start, end = bounds
        return all_of(
            None if start is None else f"{column} {self.start_is} {start}",
            None if end is None else f"{column} {self.end_is} {end}",
        )

    def offsets(self) -> frozenset[timedelta]:
        """So long after an instant the clock alone can take it in or out."""
        return frozenset(end for end in (self.start, self.end) if isinstance(end, timedelta))


def _bound(end: End | None, parameters: Parameters) -> str | None:
    if end is None:
        return None
    return parameters.instant(end) if isinstance(end, timedelta) else parameters.constant(end, "timestamptz")
