"""Finds the people who cross time edges, and the next instant at which anybody does, through index ranges. It keeps no list of timers.

Every function reads inside the caller's transaction and decides nothing. A tick calls them under the bucket's lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeAlias

from audience_gql.conditions.base import AnyEdge, CalendarEdge, DayEdge, Edge
from audience_gql.conditions.calendar import (
    LEAP_YEAR,
    ONE_DAY,
    celebrated_on,
    days_beginning,
    first_today,
    next_anniversary,
    next_beginning,
)
from audience_gql.storage.engine import calendar_edges
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)
_SHORT: Final = timedelta(days=2)
"""For a longer stretch of time, zones are ignored. This finds more people than necessary."""
_BEFORE_THE_YEAR: Final = datetime(LEAP_YEAR, 1, 1, tzinfo=UTC) - ONE_DAY
_YEAR: Final = 366
_NO_ID: Final = -1
_LAST_ID: Final = 2**63 - 1
_COUNTED: Final = "events"
"""The only table in which a person may have many rows for one edge."""
_Window: TypeAlias = tuple[int, datetime, datetime]
"""A window of dates: key, after, upto."""


@dataclass(frozen=True, slots=True)
class Range:
    """A statement that reads ranges of one table's index."""

    statement: str
    values: tuple[object, ...]
    """The bound values, without the bucket."""
    edges: Sequence[AnyEdge]
    """The edge of each window of the statement, by position."""
    is_sliced: bool = False
    """Whether the statement itself takes the range of subscriber ids, as its last two values."""

    def values_for(self, after: int, upto: int) -> tuple[object, ...]:
        """The bound values for people with an id in (after, upto], without the bucket."""
        return (*self.values, after, upto) if self.is_sliced else self.values


def crossed(edges: Collection[AnyEdge], after: datetime, upto: datetime, *, timezone: str) -> list[Range]:
    """The index ranges of the facts that cross these edges in (after, upto]. `timezone` is the workspace's."""
    ranges = [*_ranges(edges, after, upto)]
    for lead, group in _day_edges(edges).items():
        ranges += _day_ranges(group, after + lead, upto + lead, timezone)
    for lead, periods in _calendar_edges(edges).items():
        ranges += _calendar_ranges(periods, after + lead, upto + lead, timezone)
    return ranges


def clock_ref(edge: AnyEdge) -> int:
    """The number by which marks name what an edge looks at. Two edges may share it, and then more is evaluated than necessary."""
    ref = edge.field_id if isinstance(edge, DayEdge) else edge.ref
    return abs(ref) if isinstance(ref, int) else 0


async def people_on_edges(
    connection: Connection, bucket_id: int, ranges: Collection[Range], *, limit: int
) -> dict[int, set[AnyEdge]] | None:
    """By subscriber id, the edges that their facts cross; None when there are more than `limit` such facts."""
    people: dict[int, set[AnyEdge]] = defaultdict(set)
    for asked in ranges:
        values = asked.values_for(_NO_ID, _LAST_ID)
        rows = await connection.fetch(f"{_SQL[asked.statement]} LIMIT {limit + 1:d}", bucket_id, *values)
        if len(rows) > limit:
            return None
        for subscriber_id, _, position in rows:
            people[subscriber_id].add(asked.edges[position - 1])
    return people if len(people) <= limit else None


async def ids_on_edges(
    connection: Connection, bucket_id: int, ranges: Collection[Range], *, above: int, limit: int
) -> list[int]:
    """The lowest `limit` ids above `above` of people whose facts cross one of the edges, ascending."""
    found: set[int] = set()
    for asked in ranges:
        values = asked.values_for(above, _LAST_ID)
        rows = await connection.fetch(
            f"SELECT DISTINCT p.subscriber_id FROM ({_SQL[asked.statement]}) p "
            f"WHERE p.subscriber_id > ${len(values) + 2} ORDER BY p.subscriber_id LIMIT {limit:d}",
            bucket_id,
            *values,
            above,
        )
        found.update(row["subscriber_id"] for row in rows)
    return sorted(found)[:limit]


async def mark_people_on_edges(
    connection: Connection, bucket_id: int, ranges: Collection[Range], *, after: int, upto: int
) -> None:
    """Mark everybody with an id in (after, upto] who crosses an edge, for later ticks.

    A person who crosses two edges is marked twice, because removing duplicates from a crowd takes longer.
    """
    for asked in ranges:
        values = asked.values_for(after, upto)
        bounds = len(values) + 2
        await connection.execute(
            "INSERT INTO dirty (bucket_id, lane, subscriber_id, kind, ref) "
            "SELECT $1::bigint, 1::smallint, p.subscriber_id, 'clock', abs(p.ref) "
            f"FROM ({_SQL[asked.statement]}) p WHERE p.subscriber_id > ${bounds} AND p.subscriber_id <= ${bounds + 1}",
            bucket_id,
            *values,
            after,
            upto,
        )


async def due_by_edge(
    connection: Connection, bucket_id: int, edges: Collection[AnyEdge], after: datetime
) -> dict[AnyEdge, datetime]:
    """By edge, a lower bound of the first instant after `after` at which any fact crosses it. Edges that no fact will cross are left out."""
    due: dict[AnyEdge, datetime] = {}
    for table, group in _by_table(edges).items():
        values: list[object] = [[edge.ref for edge in group], [after - edge.offset for edge in group]]
        if table == _COUNTED:
            values += [[edge.newest for edge in group], after]
        rows = await connection.fetch(_SQL[f"next_of_{table}"], bucket_id, *values)
        due.update(
            (group[row["position"] - 1], row["at"] + group[row["position"] - 1].offset) for row in rows
        )
    for lead, days in _day_edges(edges).items():
        found = await _due_by_day_edge(connection, bucket_id, days, after + lead)
        due.update((edge, at - lead) for edge, at in found.items())
    for lead, periods in _calendar_edges(edges).items():
        found = await _due_by_calendar_edge(connection, bucket_id, periods, after + lead)
        due.update((edge, at - lead) for edge, at in found.items())
    return due


def _ranges(edges: Collection[AnyEdge], after: datetime, upto: datetime) -> Iterator[Range]:
    for table, group in _by_table(edges).items():
        refs = [edge.ref for edge in group]
        bounds = [after - edge.offset for edge in group], [upto - edge.offset for edge in group]
        counted = ([edge.newest for edge in group], upto) if table == _COUNTED else ()
        yield Range(f"edges_of_{table}", (refs, *bounds, *counted), group)


def _day_ranges(
    edges: Collection[DayEdge], after: datetime, upto: datetime, timezone: str
) -> Iterator[Range]:
    """The ranges of edges with the same lead; the instants are as much later."""
    if upto - after > _SHORT:
        windows = [(edge, window) for edge in edges for window in _long_windows(edge, after, upto)]
        yield Range("edges_of_subscriber_dates", _columns(windows), [edge for edge, _ in windows])
        return
    for day, zones in days_beginning(after, upto):
        windows = [(edge, window) for edge in edges for window in _windows(edge, day)]
        values = (*_columns(windows), list(zones), timezone in zones)
        yield Range("edges_of_days", values, [edge for edge, _ in windows])


def _calendar_ranges(
    edges: Collection[CalendarEdge], after: datetime, upto: datetime, timezone: str
) -> Iterator[Range]:
    """The ranges of edges with the same lead; the instants are as much later."""
    for windows, zones in calendar_edges.windows(edges, after, upto):
        crossed = [edge for edge, _, _ in windows]
        bounds = [first for _, first, _ in windows], [end for _, _, end in windows]
        where = (list(zones or ()), zones is None or timezone in zones, zones is None)
        refs = [edge.ref for edge in crossed]
        yield Range("edges_of_periods", (refs, *bounds, *where), crossed, is_sliced=True)


async def _due_by_calendar_edge(
    connection: Connection, bucket_id: int, edges: Sequence[CalendarEdge], after: datetime
) -> dict[AnyEdge, datetime]:
    """The same for calendar periods. The instant may be too early, never too late: the next event may be of a person whose day has begun.

    The edges have the same lead, and the instants are as much later.
    """
    probes = [calendar_edges.search_from(edge, after) for edge in edges]
    refs = [edge.ref for edge in edges]
    rows = await connection.fetch(
        _SQL["next_of_events"], bucket_id, refs, probes, [None for _ in edges], after
    )
    found = {edges[row["position"] - 1]: row["at"] for row in rows}
    due = ((edge, calendar_edges.next_crossing_from(edge, at, after)) for edge, at in found.items())
    return {edge: at for edge, at in due if at is not None}


async def _due_by_day_edge(
    connection: Connection, bucket_id: int, edges: Collection[DayEdge], after: datetime
) -> dict[AnyEdge, datetime]:
    """The same for calendar days. The instant may be too early, never too late: the next date may belong to a person whose day has begun.

    The edges have the same lead, and the instants are as much later.
    """
    behind = first_today(after)  # every day up to this one has begun everywhere
    probes = [(edge, _midnight(start)) for edge in edges for start in _probe_starts(edge, behind)]
    rows = await connection.fetch(
        _SQL["next_of_subscriber_dates"],
        bucket_id,
        [_key(edge) for edge, _ in probes],
        [start for _, start in probes],
    )
    due: dict[AnyEdge, datetime] = {}
    for row in rows:
        edge = probes[row["position"] - 1][0]
        at = next_beginning(_turning_day(edge, row["at"].date(), behind), after)
        if at is not None:
            due[edge] = min(at, due.get(edge, at))
    return due


def _probe_starts(edge: DayEdge, behind: date) -> tuple[date, ...]:
    """The dates after which to search. Anniversaries are also searched from the beginning of the year."""
    start = behind - timedelta(days=edge.days)
    if not edge.yearly:
        return (start,)
    return start.replace(year=LEAP_YEAR), _BEFORE_THE_YEAR.date()


def _turning_day(edge: DayEdge, found: date, behind: date) -> date:
    """The local day at whose beginning a person with this date next crosses the edge."""
    length = timedelta(days=edge.days)
    return (next_anniversary(found, behind - length + ONE_DAY) if edge.yearly else found) + length


def _windows(edge: DayEdge, day: date) -> Iterator[_Window]:
    """The dates that cross the edge when this day begins."""
    crossing = day - timedelta(days=edge.days)
    for one in celebrated_on(crossing) if edge.yearly else (crossing,):
        yield _key(edge), _midnight(one - ONE_DAY), _midnight(one)


def _long_windows(edge: DayEdge, after: datetime, upto: datetime) -> Iterator[_Window]:
    """The dates that cross the edge when any day between these instants begins, in any zone."""
    first, last = (after - ONE_DAY).date(), (upto + ONE_DAY).date()
    if not edge.yearly:
        length = timedelta(days=edge.days)
        yield _key(edge), _midnight(first - length), _midnight(last - length)
    elif (last - first).days >= _YEAR:
        yield _key(edge), _BEFORE_THE_YEAR, _BEFORE_THE_YEAR + _YEAR * ONE_DAY
    else:
        for ahead in range((last - first).days + 1):
            yield from _windows(edge, first + ahead * ONE_DAY)


def _key(edge: DayEdge) -> int:
    """The key under which dates are stored: the field id, or its negative for months and days of anniversaries."""
    return -edge.field_id if edge.yearly else edge.field_id


def _midnight(day: date) -> datetime:
    """The instant that stores a date, independent of where the person lives."""
    return datetime.combine(day, time(), UTC)


def _by_table(edges: Iterable[AnyEdge]) -> Mapping[str, list[Edge]]:
    tables: dict[str, list[Edge]] = {}
    instants = [edge for edge in edges if isinstance(edge, Edge)]
    for edge in sorted(instants, key=lambda edge: (edge.table, edge.ref, edge.offset, edge.newest or 0)):
        tables.setdefault(edge.table, []).append(edge)
    return tables


def _day_edges(edges: Iterable[AnyEdge]) -> Mapping[timedelta, list[DayEdge]]:
    """The edges of calendar days by their lead."""
    leads: dict[timedelta, list[DayEdge]] = {}
    days = [edge for edge in edges if isinstance(edge, DayEdge)]
    for edge in sorted(days, key=lambda edge: (edge.lead, edge.field_id, edge.yearly, edge.days)):
        leads.setdefault(edge.lead, []).append(edge)
    return leads


def _calendar_edges(edges: Iterable[AnyEdge]) -> Mapping[timedelta, list[CalendarEdge]]:
    """The edges of calendar periods by their lead."""
    leads: dict[timedelta, list[CalendarEdge]] = {}
    for edge in edges:
        if isinstance(edge, CalendarEdge):
            leads.setdefault(edge.lead, []).append(edge)
    return leads


def _columns(
    windows: Collection[tuple[DayEdge, _Window]],
) -> tuple[list[int], list[datetime], list[datetime]]:
    return (
        [key for _, (key, _, _) in windows],
        [after for _, (_, after, _) in windows],
        [upto for _, (_, _, upto) in windows],
    )
