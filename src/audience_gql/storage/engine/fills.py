"""Which segments wait for a fill, how far they are, and requests for another one. The filling itself is in membership.py."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from audience_gql.storage.database import Connection
from audience_gql.storage.ids import SUBSCRIBER_IDS

_RESULT_KEPT: Final = timedelta(seconds=60)
"""So long a recompute's result is given to whoever asks for another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillProgress:
    fraction: float
    members: int
    entered: int
    left: int
    failure: str | None
    is_paused: bool


async def want(connection: Connection, segment_ids: Collection[int], ticket: int) -> None:
    """Put segments into the queue of fills. `ticket` is an id of the request's own.

    In the transaction that changes what is to be filled: whoever works off an older ticket cannot take this one away.
    """
    await connection.execute(
        "INSERT INTO wanted_fills (segment_id, ticket) SELECT w.segment_id, $2::bigint "
        "FROM unnest($1::bigint[]) AS w (segment_id) ORDER BY w.segment_id "
        "ON CONFLICT (segment_id) DO UPDATE SET ticket = excluded.ticket",
        sorted(segment_ids),
        ticket,
    )


async def wanted_ticket(connection: Connection, segment_id: int) -> int | None:
    """The last request's ticket; None when nobody wants anything of this segment."""
    ticket: int | None = await connection.fetchval(
        "SELECT w.ticket FROM wanted_fills w WHERE w.segment_id = $1", segment_id
    )
    return ticket


async def settle(connection: Connection, segment_id: int, ticket: int) -> None:
    """Nothing is left to do of what was wanted up to this ticket."""
    await connection.execute(
        "DELETE FROM wanted_fills w WHERE w.segment_id = $1 AND w.ticket = $2", segment_id, ticket
    )


async def request_recompute(
    connection: Connection, segment_ids: Collection[int], *, now: datetime, ticket: int
) -> None:
    """Start again at the first person; paused segments are left alone.

    Where a fill or recompute is under way, that one is joined; one that ended everywhere within the last minute stands as it is.
    """
    await connection.execute(
        "UPDATE segment_states SET filled_to = -1, fill_cause = 'REPAIR', fill_entered = 0, fill_left = 0 "
        "WHERE (bucket_id, segment_id) IN (SELECT st.bucket_id, st.segment_id FROM segment_states st "
        "JOIN (SELECT o.segment_id FROM segment_states o WHERE o.segment_id = ANY($1::bigint[]) GROUP BY o.segment_id "
        "HAVING bool_and(o.filled_to IS NULL) AND NOT bool_and(o.fill_cause = 'REPAIR' AND o.filled_at > $2)) stale "
        "ON stale.segment_id = st.segment_id "
        "WHERE NOT EXISTS (SELECT FROM segments s WHERE s.id = st.segment_id AND s.is_paused) "
        "ORDER BY st.bucket_id, st.segment_id FOR NO KEY UPDATE OF st)",
        list(segment_ids),
        now - _RESULT_KEPT,
    )
    await want(connection, segment_ids, ticket)


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


async def buckets_to_fill(connection: Connection, segment_id: int) -> list[int]:
    """Where a segment has something to be filled, or, once it is deleted, to be forgotten."""
    rows = await connection.fetch(
        "SELECT b.id FROM segments s JOIN buckets b ON b.workspace_id = s.workspace_id "
        "LEFT JOIN segment_states st ON st.bucket_id = b.id AND st.segment_id = s.id "
        "WHERE s.id = $1 AND s.failure IS NULL AND NOT s.is_paused "
        "AND (st.generation IS DISTINCT FROM s.generation OR st.filled_to IS NOT NULL) "
        "UNION ALL "
        "SELECT st.bucket_id FROM segment_states st WHERE st.segment_id = $1 "
        "AND NOT EXISTS (SELECT FROM segments s WHERE s.id = st.segment_id) ORDER BY 1",
        segment_id,
    )
    return [row["id"] for row in rows]


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
