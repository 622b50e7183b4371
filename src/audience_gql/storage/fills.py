"""Which segments wait for a fill, how far they are, and requests for another one. The filling itself is in membership.py."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from audience_gql.storage.database import Connection

_SUBSCRIBER_IDS = 2**62
"""Ids of people are drawn evenly from [0, 2^62), so an id also says how much of a bucket lies before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillProgress:
    fraction: float
    members: int
    entered: int
    left: int
    failure: str | None
    is_paused: bool


async def request_recompute(connection: Connection, segment_ids: Collection[int]) -> None:
    """Start again at the first person, wherever nothing is under way; paused segments are left alone."""
    await connection.execute(
        "UPDATE segment_states SET filled_to = -1, fill_cause = 'REPAIR', fill_entered = 0, fill_left = 0 "
        "WHERE (bucket_id, segment_id) IN (SELECT st.bucket_id, st.segment_id FROM segment_states st "
        "WHERE st.segment_id = ANY($1::bigint[]) AND st.filled_to IS NULL "
        "AND NOT EXISTS (SELECT FROM segments s WHERE s.id = st.segment_id AND s.is_paused) "
        "ORDER BY st.bucket_id, st.segment_id FOR NO KEY UPDATE)",
        list(segment_ids),
    )


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
        float(_SUBSCRIBER_IDS),
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
    """Every segment, of any workspace, with something to be filled or forgotten."""
    rows = await connection.fetch(
        "SELECT DISTINCT s.id FROM segments s JOIN buckets b ON b.workspace_id = s.workspace_id "
        "LEFT JOIN segment_states st ON st.bucket_id = b.id AND st.segment_id = s.id "
        "WHERE s.failure IS NULL AND NOT s.is_paused AND (st.generation IS DISTINCT FROM s.generation OR st.filled_to IS NOT NULL) "
        "UNION SELECT st.segment_id FROM segment_states st "
        "WHERE NOT EXISTS (SELECT FROM segments s WHERE s.id = st.segment_id) ORDER BY 1"
    )
    return [row["id"] for row in rows]


async def all_segment_ids(connection: Connection) -> list[int]:
    """Every segment, of any workspace, that is kept right."""
    rows = await connection.fetch(
        "SELECT id FROM segments WHERE failure IS NULL AND NOT is_paused ORDER BY id"
    )
    return [row["id"] for row in rows]
