"""Which segments wait for a fill, how far they are, and requests for another one. The filling itself is in membership.py."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from audience_gql.storage.ids import SUBSCRIBER_IDS
from audience_gql.storage.people.facts import BULK
from audience_gql.storage.postgres.database import Connection

_RESULT_KEPT: Final = timedelta(seconds=60)
"""So long a recompute's result is given to whoever asks for another one."""
_IS_TO_BE_FILLED: Final = "s.failure IS NULL AND NOT s.is_paused AND (st.generation IS DISTINCT FROM s.generation OR st.filled_to IS NOT NULL)"
"""Of a segment `s` in a bucket with the state `st`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillProgress:
    fraction: float
    members: int
    entered: int
    left: int
    failure: str | None
    is_paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSegment:
    """A row of the queue: something of this segment is wanted."""

    segment_id: int
    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFill:
    """A segment that waits in one bucket: to be filled or recomputed, or, once it is deleted, to be forgotten."""

    bucket_id: int
    workspace_id: int
    segment_id: int
    ticket: int
    lane: int


async def want(connection: Connection, segment_ids: Collection[int], *, ticket: int, lane: int) -> None:
    """Put segments into the queue of fills, LIVE or BULK. `ticket` is an id of the request's own.

    In the transaction that changes what is to be filled: whoever works off an older ticket cannot take this one away. A segment that
    waits already stays in its lane if that is the more urgent one.
    """
    await connection.execute(
        "INSERT INTO wanted_fills AS o (segment_id, ticket, lane) SELECT w.segment_id, $2::bigint, $3::smallint "
        "FROM unnest($1::bigint[]) AS w (segment_id) ORDER BY w.segment_id "
        "ON CONFLICT (segment_id) DO UPDATE SET ticket = excluded.ticket, lane = least(o.lane, excluded.lane)",
        sorted(segment_ids),
        ticket,
        lane,
    )


async def first_segments(connection: Connection, limit: int) -> list[WaitingSegment]:
    """The first segments of the queue, of all workspaces: live ones first, and within a lane one of each workspace in turn."""
    rows = await connection.fetch(
        "SELECT x.segment_id, x.ticket FROM ("
        "SELECT w.segment_id, w.ticket, w.lane, "
        "row_number() OVER (PARTITION BY s.workspace_id, w.lane ORDER BY w.ticket, w.segment_id) AS turn "
        "FROM wanted_fills w LEFT JOIN segments s ON s.id = w.segment_id) x "
        f"ORDER BY x.lane, x.turn, x.ticket LIMIT {limit:d}"
    )
    return [WaitingSegment(**row) for row in rows]


async def waiting_fills(connection: Connection, segment_ids: Collection[int]) -> list[WaitingFill]:
    """Where something is to be done for these segments, live ones first, and within a lane in the order of their requests."""
    if not segment_ids:
        return []
    rows = await connection.fetch(
        "SELECT b.id AS bucket_id, b.workspace_id, w.segment_id, w.ticket, w.lane FROM wanted_fills w "
        "JOIN segments s ON s.id = w.segment_id JOIN buckets b ON b.workspace_id = s.workspace_id "
        "LEFT JOIN segment_states st ON st.bucket_id = b.id AND st.segment_id = s.id "
        f"WHERE w.segment_id = ANY($1::bigint[]) AND {_IS_TO_BE_FILLED} "
        "UNION ALL "
        "SELECT b.id, b.workspace_id, w.segment_id, w.ticket, w.lane FROM wanted_fills w "
        "JOIN segment_states st ON st.segment_id = w.segment_id JOIN buckets b ON b.id = st.bucket_id "
        "WHERE w.segment_id = ANY($1::bigint[]) AND NOT EXISTS (SELECT FROM segments s WHERE s.id = w.segment_id) "
        "ORDER BY lane, ticket, segment_id, bucket_id",
        list(segment_ids),
    )
    return [WaitingFill(**row) for row in rows]


async def settle(connection: Connection, segments: Iterable[WaitingSegment | WaitingFill]) -> frozenset[int]:
    """Take those of these segments out of the queue of which nothing is left to do. A later request than theirs stays."""
    tickets = {segment.segment_id: segment.ticket for segment in segments}
    if not tickets:
        return frozenset()
    left = await connection.fetch(
        "SELECT s.id FROM segments s JOIN buckets b ON b.workspace_id = s.workspace_id "
        "LEFT JOIN segment_states st ON st.bucket_id = b.id AND st.segment_id = s.id "
        f"WHERE s.id = ANY($1::bigint[]) AND {_IS_TO_BE_FILLED} GROUP BY s.id "
        "UNION ALL SELECT st.segment_id FROM segment_states st LEFT JOIN segments s ON s.id = st.segment_id "
        "WHERE st.segment_id = ANY($1::bigint[]) AND s.id IS NULL GROUP BY st.segment_id",
        list(tickets),
    )
    for row in left:
        del tickets[row["id"]]
    rows = await connection.fetch(
        "DELETE FROM wanted_fills w USING unnest($1::bigint[], $2::bigint[]) AS d (segment_id, ticket) "
        "WHERE w.segment_id = d.segment_id AND w.ticket = d.ticket RETURNING w.segment_id",
        list(tickets.keys()),
        list(tickets.values()),
    )
    return frozenset(row["segment_id"] for row in rows)


async def request_recompute(
    connection: Connection, segment_ids: Collection[int], *, now: datetime, ticket: int
) -> None:
    """Start again at the first person; paused segments are left alone.

    Where a fill or recompute is under way, that one is joined; one that ended everywhere within the last minute stands as it is.
    """
    found = await connection.fetch(
        "SELECT o.segment_id, array_agg(o.bucket_id) AS bucket_ids FROM segment_states o WHERE o.segment_id = ANY($1::bigint[]) "
        "AND NOT EXISTS (SELECT FROM segments s WHERE s.id = o.segment_id AND s.is_paused) GROUP BY o.segment_id "
        "HAVING bool_and(o.filled_to IS NULL) AND NOT bool_and(o.fill_cause = 'REPAIR' AND o.filled_at > $2)",
        list(segment_ids),
        now - _RESULT_KEPT,
    )
    places = sorted((bucket_id, row["segment_id"]) for row in found for bucket_id in row["bucket_ids"])
    # One row after the other, in the order in which everybody locks them.
    await connection.executemany(
        "UPDATE segment_states SET filled_to = -1, fill_cause = 'REPAIR', fill_entered = 0, fill_left = 0 "
        "WHERE bucket_id = $1 AND segment_id = $2",
        places,
    )
    await want(connection, segment_ids, ticket=ticket, lane=BULK)


async def progress(connection: Connection, segment_id: int) -> FillProgress | None:
    """How far a segment's fill is over all its buckets; None when there is no such segment."""
    row = await connection.fetchrow(
        "SELECT s.failure, s.is_paused, avg(CASE WHEN st.generation IS DISTINCT FROM s.generation THEN 0 "
        "WHEN st.filled_to IS NULL THEN 1 ELSE greatest(st.filled_to, 0)::float8 / $2 END)::float8 AS fraction, "
        "coalesce(sum(st.members), 0)::bigint AS members, coalesce(sum(st.fill_entered), 0)::bigint AS entered, "
        'coalesce(sum(st.fill_left), 0)::bigint AS "left" '
        "FROM segments s JOIN buckets b ON b.workspace_id = s.workspace_id "
        "LEFT JOIN segment_states st ON st.bucket_id = b.id AND st.segment_id = s.id "
        "WHERE s.id = $1 GROUP BY s.id",
        segment_id,
        float(SUBSCRIBER_IDS),
    )
    return None if row is None else FillProgress(**row)


async def segments_to_fill(connection: Connection) -> list[int]:
    """Every segment, of any workspace, of which something is wanted."""
    rows = await connection.fetch("SELECT w.segment_id FROM wanted_fills w ORDER BY w.segment_id")
    return [row["segment_id"] for row in rows]


async def all_segment_ids(connection: Connection) -> list[int]:
    """Every segment, of any workspace, that is kept right."""
    rows = await connection.fetch(
        "SELECT id FROM segments WHERE failure IS NULL AND NOT is_paused ORDER BY id"
    )
    return [row["id"] for row in rows]
