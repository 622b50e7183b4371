"""The definitions of a workspace's segments as ticks and fills read them, and which segments a segment reads.

It must not know who is a member.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import asyncpg

from audience_gql.storage.cluster import row_locks
from audience_gql.storage.postgres.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDefinition:
    id: int
    revision: int
    condition: dict[str, Any]  # Any: the JSON of a condition, which conditions.codec types
    failure: str | None
    is_paused: bool


async def segments(connection: Connection, workspace_id: int) -> list[SegmentDefinition]:
    rows = await connection.fetch(
        "SELECT id, revision, condition, failure, is_paused FROM segments WHERE workspace_id = $1 ORDER BY id",
        workspace_id,
    )
    return [_segment(row) for row in rows]


async def segments_with_inner(
    connection: Connection, workspace_id: int, segment_ids: Collection[int]
) -> dict[int, SegmentDefinition]:
    """By id, the existing segments among these and all segments that they read, directly or through others."""
    rows = await connection.fetch(
        "WITH RECURSIVE wanted (id) AS (SELECT w.id FROM unnest($2::bigint[]) AS w (id) "
        "UNION SELECT d.depends_on_id FROM wanted w JOIN segment_dependencies d ON d.segment_id = w.id) "
        "SELECT s.id, s.revision, s.condition, s.failure, s.is_paused "
        "FROM wanted w JOIN segments s ON s.id = w.id WHERE s.workspace_id = $1",
        workspace_id,
        sorted(segment_ids),
    )
    return {row["id"]: _segment(row) for row in rows}


def _segment(row: asyncpg.Record) -> SegmentDefinition:
    return SegmentDefinition(
        id=row["id"],
        revision=row["revision"],
        condition=json.loads(row["condition"]),
        failure=row["failure"],
        is_paused=row["is_paused"],
    )


async def fail_segment(connection: Connection, segment_id: int, reason: str) -> None:
    """Exclude a segment from evaluation until its condition is edited. Locks its workspace's definitions."""
    if row_locks.stand_in(connection):
        workspace_id = await connection.fetchval(
            "SELECT workspace_id FROM segments WHERE id = $1", segment_id
        )
        await row_locks.take(connection, [] if workspace_id is None else [workspace_id])
    await connection.execute(
        "UPDATE workspaces w SET definitions_version = w.definitions_version + 1 FROM segments s "
        "WHERE s.id = $1 AND w.id = s.workspace_id",
        segment_id,
    )
    await connection.execute("UPDATE segments SET failure = $2 WHERE id = $1", segment_id, reason)


async def write_dependencies(connection: Connection, segment_id: int, depends_on: Collection[int]) -> None:
    """Store which segments a segment's condition names."""
    await connection.execute("DELETE FROM segment_dependencies WHERE segment_id = $1", segment_id)
    await connection.execute(
        "INSERT INTO segment_dependencies (segment_id, depends_on_id) "
        "SELECT $1::bigint, d.id FROM unnest($2::bigint[]) AS d (id)",
        segment_id,
        sorted(depends_on),
    )


async def segments_using(connection: Connection, segment_id: int) -> tuple[int, ...]:
    """The segments whose own condition names this one."""
    rows = await connection.fetch(
        "SELECT segment_id FROM segment_dependencies WHERE depends_on_id = $1 ORDER BY segment_id", segment_id
    )
    return tuple(row["segment_id"] for row in rows)


async def readers_of(connection: Connection, segment_id: int) -> list[int]:
    """The segments that read this one, directly or through others, itself not included."""
    rows = await connection.fetch(
        "WITH RECURSIVE readers (id) AS (SELECT d.segment_id FROM segment_dependencies d WHERE d.depends_on_id = $1 "
        "UNION SELECT d.segment_id FROM readers r JOIN segment_dependencies d ON d.depends_on_id = r.id) "
        "SELECT r.id FROM readers r WHERE r.id <> $1 ORDER BY r.id",
        segment_id,
    )
    return [row["id"] for row in rows]


async def raise_generations(connection: Connection, segment_ids: Collection[int]) -> None:
    """Raise the generation of these segments, so that they are filled again: what they read has changed."""
    await connection.execute(
        "UPDATE segments SET generation = generation + 1, failure = NULL WHERE id = ANY($1::bigint[])",
        sorted(segment_ids),
    )
