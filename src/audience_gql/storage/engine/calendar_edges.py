"""Where calendar periods move people: which events change sides when a local day begins, and when the next such day begins.

Pure: `edges` reads the events. Every answer may be too wide or too early, but nobody is missing and no instant is too late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeAlias

from audience_gql.conditions.base import CalendarEdge
from audience_gql.conditions.calendar import ONE_DAY, day_start, days_beginning, first_today, next_beginning
from audience_gql.conditions.periods import period_start

_SHORT: Final = timedelta(days=2)
"""For a longer stretch of time, zones are ignored."""
_FARTHEST: Final = timedelta(hours=16)
"""No zone's clocks have ever differed more from UTC."""

Window: TypeAlias = tuple[CalendarEdge, datetime, datetime]
"""The events of the edge's name from the first instant to before the second one."""


def windows(
    edges: Collection[CalendarEdge], after: datetime, upto: datetime
) -> Iterator[tuple[list[Window], tuple[str, ...] | None]]:
    """The windows of events that cross these edges in (after, upto], with the zones where they do. None means any zone."""
    if not edges:
        return
    if upto - after > _SHORT:
        yield [_long_window(edge, after, upto) for edge in edges], None
        return
    for day, zones in days_beginning(after, upto):
        # Where a day was skipped, the next one begins for both.
        is_skipped = any(day_start(day - ONE_DAY, zone) == day_start(day, zone) for zone in zones)
        begun = (day - ONE_DAY, day) if is_skipped else (day,)
        found = [_window(edge, one, zones) for edge in edges for one in begun if _begins_period(edge, one)]
        if found:
            yield found, zones


def search_from(edge: CalendarEdge, after: datetime) -> datetime:
    """An instant such that every event that crosses the edge after `after` happened later."""
    first = period_start(_next_turn(edge, after), edge.period, edge.week_start, moved=-edge.first)
    return _midnight(first) - ONE_DAY


def next_crossing(edge: CalendarEdge, occurred_at: datetime, after: datetime) -> datetime | None:
    """When an event of this instant may first cross the edge after `after`, wherever its person lives. None if it never does."""
    latest = _turn(edge, (occurred_at + _FARTHEST).date(), edge.first)
    return next_crossing_from(edge, occurred_at, after) if latest >= _next_turn(edge, after) else None


def next_crossing_from(edge: CalendarEdge, occurred_at: datetime, after: datetime) -> datetime | None:
    """The same for events of this instant and all later ones, of which some may cross the edge although the first does not."""
    earliest = _turn(edge, (occurred_at - _FARTHEST).date(), edge.last + 1)
    return next_beginning(max(_next_turn(edge, after), earliest), after)


def _next_turn(edge: CalendarEdge, after: datetime) -> date:
    """The next first day of a period that has not begun everywhere."""
    return _turn(edge, first_today(after), 1)


def _turn(edge: CalendarEdge, day: date, moved: int) -> date:
    return period_start(day, edge.period, edge.week_start, moved=moved)


def _begins_period(edge: CalendarEdge, day: date) -> bool:
    return _turn(edge, day, 0) == day


def _window(edge: CalendarEdge, turn: date, zones: tuple[str, ...]) -> Window:
    first, end = _turn(edge, turn, -edge.first), _turn(edge, turn, -edge.last)
    return edge, min(day_start(first, zone) for zone in zones), max(day_start(end, zone) for zone in zones)


def _long_window(edge: CalendarEdge, after: datetime, upto: datetime) -> Window:
    """The events that cross the edge when any period between these instants begins, in any zone."""
    first = _turn(edge, (after - ONE_DAY).date(), -edge.first)
    end = _turn(edge, (upto + ONE_DAY).date(), -edge.last)
    return edge, _midnight(first) - ONE_DAY, _midnight(end) + ONE_DAY


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
