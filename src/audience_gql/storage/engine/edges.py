"""Finds whom the clock moves, and when it next moves anybody: index ranges, never a list of people kept for it.

Every function reads inside the caller's transaction, under the bucket's lock, and decides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeAlias

from audience_gql.conditions.base import DayEdge, Edge
from audience_gql.conditions.calendar import (
    LEAP_YEAR,
    ONE_DAY,
    celebrated_on,
    days_beginning,
    first_today,
    next_anniversary,
    next_beginning,
)
from audience_gql.storage.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)
_SHORT: Final = timedelta(days=2)
"""A longer stretch is looked at without regard to zones, which finds more people than it must."""
_BEFORE_THE_YEAR: Final = datetime(LEAP_YEAR, 1, 1, tzinfo=UTC) - ONE_DAY
_YEAR: Final = 366
_COUNTED: Final = "events"
"""The only table of which somebody may have many rows for one edge."""
_Window: TypeAlias = tuple[int, datetime, datetime]
"""Of dates: key, after, upto."""


@dataclass(frozen=True, slots=True)
class Range:
    """What one statement asks the index of a table."""

    statement: str
    values: tuple[object, ...]
    """All but the bucket."""
    edges: Sequence[Edge | DayEdge]
    """Of each window of the statement, in the order of their positions."""


def crossed(
    edges: Collection[Edge | DayEdge], after: datetime, upto: datetime, *, timezone: str
) -> list[Range]:
    """The edges of segments between two instants, (after, upto], as ranges of indexes. `timezone` is the workspace's."""
    return [*_ranges(edges, after, upto), *_day_ranges(_day_edges(edges), after, upto, timezone)]


def clock_ref(edge: Edge | DayEdge) -> int:
    """What an edge looks at, as marks call it; two edges may share it, which only has more looked at than must be."""
    ref = edge.field_id if isinstance(edge, DayEdge) else edge.ref
    return abs(ref) if isinstance(ref, int) else 0


async def people_on_edges(
    connection: Connection, bucket_id: int, ranges: Collection[Range], *, limit: int
) -> dict[int, set[Edge | DayEdge]] | None:
    """Everybody with a fact that crosses an edge, and which; None when there are too many of such facts."""
    people: dict[int, set[Edge | DayEdge]] = defaultdict(set)
    for asked in ranges:
        rows = await connection.fetch(
            f"{_SQL[asked.statement]} LIMIT {limit + 1:d}", bucket_id, *asked.values
        )
        if len(rows) > limit:
            return None
        for subscriber_id, _, position in rows:
            people[subscriber_id].add(asked.edges[position - 1])
    return people if len(people) <= limit else None


async def mark_people_on_edges(
    connection: Connection, bucket_id: int, ranges: Collection[Range], *, after: int, upto: int
) -> None:
    """Put everybody with an id in (after, upto] off to later ticks who crosses an edge; twice who crosses two, for to sort a crowd takes longer."""
    for asked in ranges:
        bounds = len(asked.values) + 2
        await connection.execute(
            "INSERT INTO dirty (bucket_id, lane, subscriber_id, kind, ref) "
            "SELECT $1::bigint, 1::smallint, p.subscriber_id, 'clock', abs(p.ref) "
            f"FROM ({_SQL[asked.statement]}) p WHERE p.subscriber_id > ${bounds} AND p.subscriber_id <= ${bounds + 1}",
            bucket_id,
            *asked.values,
            after,
            upto,
        )


async def due_by_edge(
    connection: Connection, bucket_id: int, edges: Collection[Edge | DayEdge], after: datetime
) -> dict[Edge | DayEdge, datetime]:
    """The first instant after `after` at which any fact crosses each edge, at the earliest; edges that none will cross are left out."""
    due: dict[Edge | DayEdge, datetime] = {}
    for table, group in _by_table(edges).items():
        values: list[object] = [[edge.ref for edge in group], [after - edge.offset for edge in group]]
        if table == _COUNTED:
            values += [[edge.newest for edge in group], after]
        rows = await connection.fetch(_SQL[f"next_of_{table}"], bucket_id, *values)
        due.update(
            (group[row["position"] - 1], row["at"] + group[row["position"] - 1].offset) for row in rows
        )
    return due | await _due_by_day_edge(connection, bucket_id, _day_edges(edges), after)


def _ranges(edges: Collection[Edge | DayEdge], after: datetime, upto: datetime) -> Iterator[Range]:
    for table, group in _by_table(edges).items():
        refs = [edge.ref for edge in group]
        bounds = [after - edge.offset for edge in group], [upto - edge.offset for edge in group]
        counted = ([edge.newest for edge in group], upto) if table == _COUNTED else ()
        yield Range(f"edges_of_{table}", (refs, *bounds, *counted), group)


def _day_ranges(
    edges: Collection[DayEdge], after: datetime, upto: datetime, timezone: str
) -> Iterator[Range]:
    if not edges:
        return
    if upto - after > _SHORT:
        windows = [(edge, window) for edge in edges for window in _long_windows(edge, after, upto)]
        yield Range("edges_of_subscriber_dates", _columns(windows), [edge for edge, _ in windows])
        return
    for day, zones in days_beginning(after, upto):
        windows = [(edge, window) for edge in edges for window in _windows(edge, day)]
        values = (*_columns(windows), list(zones), timezone in zones)
        yield Range("edges_of_days", values, [edge for edge, _ in windows])


async def _due_by_day_edge(
    connection: Connection, bucket_id: int, edges: Collection[DayEdge], after: datetime
) -> dict[Edge | DayEdge, datetime]:
    """Where the date next in turn belongs to somebody for whom the day has begun already, the instant is too early, never too late."""
    if not edges:
        return {}
    behind = first_today(after)  # whatever day began up to here has begun for everybody
    probes = [(edge, _midnight(start)) for edge in edges for start in _probe_starts(edge, behind)]
    rows = await connection.fetch(
        _SQL["next_of_subscriber_dates"],
        bucket_id,
        [_key(edge) for edge, _ in probes],
        [start for _, start in probes],
    )
    due: dict[Edge | DayEdge, datetime] = {}
    for row in rows:
        edge = probes[row["position"] - 1][0]
        at = next_beginning(_turning_day(edge, row["at"].date(), behind), after)
        if at is not None:
            due[edge] = min(at, due.get(edge, at))
    return due


def _probe_starts(edge: DayEdge, behind: date) -> tuple[date, ...]:
    """The dates after which to look: where the year turns, also from its beginning."""
    start = behind - timedelta(days=edge.days)
    if not edge.yearly:
        return (start,)
    return start.replace(year=LEAP_YEAR), _BEFORE_THE_YEAR.date()


def _turning_day(edge: DayEdge, found: date, behind: date) -> date:
    """The local day at whose beginning somebody with this date crosses the edge next."""
    length = timedelta(days=edge.days)
    return (next_anniversary(found, behind - length + ONE_DAY) if edge.yearly else found) + length


def _windows(edge: DayEdge, day: date) -> Iterator[_Window]:
    """Which dates cross the edge when this day begins."""
    crossing = day - timedelta(days=edge.days)
    for one in celebrated_on(crossing) if edge.yearly else (crossing,):
        yield _key(edge), _midnight(one - ONE_DAY), _midnight(one)


def _long_windows(edge: DayEdge, after: datetime, upto: datetime) -> Iterator[_Window]:
    """The same for all days that begin anywhere in the stretch."""
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
    """Under which the dates are kept; anniversaries, as months and days, under the opposite."""
    return -edge.field_id if edge.yearly else edge.field_id


def _midnight(day: date) -> datetime:
    """As which a date is kept, wherever anybody lives."""
    return datetime.combine(day, time(), UTC)


def _by_table(edges: Iterable[Edge | DayEdge]) -> Mapping[str, list[Edge]]:
    tables: dict[str, list[Edge]] = {}
    instants = [edge for edge in edges if isinstance(edge, Edge)]
    for edge in sorted(instants, key=lambda edge: (edge.table, edge.ref, edge.offset, edge.newest or 0)):
        tables.setdefault(edge.table, []).append(edge)
    return tables


def _day_edges(edges: Iterable[Edge | DayEdge]) -> list[DayEdge]:
    days = [edge for edge in edges if isinstance(edge, DayEdge)]
    return sorted(days, key=lambda edge: (edge.field_id, edge.yearly, edge.days))


def _columns(
    windows: Collection[tuple[DayEdge, _Window]],
) -> tuple[list[int], list[datetime], list[datetime]]:
    return (
        [key for _, (key, _, _) in windows],
        [after for _, (_, after, _) in windows],
        [upto for _, (_, _, upto) in windows],
    )
