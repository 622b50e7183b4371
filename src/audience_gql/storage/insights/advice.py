"""Reads what advice about segments is made from, and stores when segments were last read and reviewed.

It must not judge: the rules are in the application. The reads belong in one snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from audience_gql.storage.cluster import row_locks
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.reads.records import SEGMENT_STATE, State
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """One segment of the workspace, with its members and its state."""

    id: int
    name: str
    name_folded: str
    created_at: datetime
    reviewed_at: datetime | None
    last_read_at: datetime | None
    state: State
    members: int


async def segments(connection: Connection, workspace_id: int) -> dict[int, SegmentRow]:
    """All segments of the workspace, by id."""
    rows = await connection.fetch(
        "SELECT s.id, s.name, s.name_folded, s.created_at, s.reviewed_at, s.last_read_at, "
        f"{SEGMENT_STATE} AS state, coalesce(sum(t.members), 0)::bigint AS members "
        "FROM segments s LEFT JOIN buckets b ON b.workspace_id = s.workspace_id "
        "LEFT JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = s.id "
        "WHERE s.workspace_id = $1 GROUP BY s.id ORDER BY s.id",
        workspace_id,
    )
    return {row["id"]: SegmentRow(**row) for row in rows}


async def segments_starting_automations(connection: Connection, workspace_id: int) -> frozenset[int]:
    rows = await connection.fetch(_SQL["triggers"], workspace_id)
    return frozenset(row["list_id"] for row in rows)


async def conditions_of_automations(
    connection: Connection, workspace_id: int
) -> list[dict[str, Any]]:  # Any: the JSON of a condition, which conditions.codec types
    """The conditions that people must match for automations to act."""
    rows = await connection.fetch(_SQL["conditions_of_automations"], workspace_id)
    return [json.loads(row["condition"]) for row in rows]


async def count_people(connection: Connection, workspace_id: int) -> int:
    people: int = await connection.fetchval(_SQL["people"], workspace_id)
    return people


async def last_changes(
    connection: Connection, bucket_ids: Collection[int], segment_ids: Collection[int]
) -> dict[int, datetime]:
    """When each segment's membership last changed; in the shortened part of the log, the hour. Segments that never changed are left out."""
    found: dict[int, datetime] = {}
    for bucket_id in bucket_ids:
        changes = await connection.fetch(_SQL["last_change"], bucket_id, list(segment_ids))
        hours = await connection.fetch(_SQL["last_hour"], bucket_id, list(segment_ids))
        for segment_id, at in (*changes, *hours):
            found[segment_id] = max(found.get(segment_id, at), at)
    return found


async def members_by_segment(
    connection: Connection, bucket_id: int, segment_ids: Collection[int]
) -> Mapping[int, int]:
    """How many members of the segments are in the bucket."""
    rows = await connection.fetch(_SQL["members_by_segment"], bucket_id, list(segment_ids))
    return {row["segment_id"]: row["members"] for row in rows}


async def members(
    connection: Connection, bucket_id: int, segment_ids: Collection[int], *, after: int, through: int
) -> Mapping[int, list[int]]:
    """The members of each segment with ids in (after, through] of the bucket. Segments without one are left out."""
    rows = await connection.fetch(_SQL["members"], bucket_id, list(segment_ids), after, through)
    return {row["segment_id"]: row["subscriber_ids"] for row in rows}


async def note_reads(
    connection: Connection,
    workspace_id: int,
    segment_ids: Collection[int],
    now: datetime,
    *,
    before: datetime,
) -> None:
    """Store that the segments were read now, unless it is stored that they were read since `before`."""
    statement = _SQL["note_reads"]
    if row_locks.stand_in(connection):
        await row_locks.take(connection, [workspace_id])
        statement = _SQL["note_reads_alone"]
    await connection.execute(statement, workspace_id, list(segment_ids), now, before)


async def mark_reviewed(
    connection: Connection, workspace_id: int, segment_ids: Collection[int], now: datetime
) -> None:
    await row_locks.take(connection, [workspace_id])
    await connection.execute(_SQL["mark_reviewed"], workspace_id, list(segment_ids), now)
