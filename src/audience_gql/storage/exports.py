"""Exports of lists, and their files in pieces.

Files are stored in Postgres, because it is the only lasting storage that the process that writes a file shares with those that serve it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import asyncpg

from audience_gql.storage import definitions
from audience_gql.storage.cluster import row_locks
from audience_gql.storage.engine.membership import ListKind
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.reads.records import SEGMENT_STATE, State

_COLUMNS: Final = (
    "id, workspace_id, state, list_kind, list_id, list_name, plan, secret_hash, attempt, total, rows, bytes, heads, failure, "
    "created_at, taken_at, expires_at"
)
_MEMBERS: Final[Mapping[ListKind, tuple[str, str, str]]] = {
    "SEGMENT": ("segment_members", "segment_id", "entered_at"),
    "GROUP": ("group_members", "group_id", "added_at"),
}
_CHANNELS: Final = (
    "LEFT JOIN LATERAL (SELECT json_object_agg(c.channel, c.status) AS channels FROM channel_states c "
    "WHERE c.bucket_id = $1 AND c.subscriber_id = m.subscriber_id) h ON true"
)
MemberRow: TypeAlias = Mapping[str, Any]  # Any: the columns' own types
"""A member: `id`, `entered_at`, and the columns that were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecord:
    """One export and its progress."""

    id: int
    workspace_id: int
    state: str
    list_kind: ListKind
    list_id: int
    list_name: str
    plan: dict[str, Any]  # Any: JSON, which its reader types
    secret_hash: bytes
    attempt: int
    total: int | None
    rows: int
    bytes: int
    heads: Mapping[int, int] | None
    """The last sequence in the log of each bucket, when the snapshot was taken."""
    failure: str | None
    created_at: datetime
    taken_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ExportedList:
    """A list as it is now."""

    name: str
    state: State
    """A group is always READY."""


# ---- requests


async def lock_exports(connection: Connection, workspace_id: int) -> None:
    """Lock the workspace's exports against other requests and claims. It waits for erasures that are under way: see hold_exports."""
    if row_locks.stand_in(connection):
        await row_locks.take(connection, [workspace_id])
    else:
        await connection.execute("SELECT 1 FROM workspaces WHERE id = $1 FOR NO KEY UPDATE", workspace_id)


async def hold_exports(connection: Connection, workspace_id: int) -> None:
    """No export of the workspace takes its snapshot until the transaction ends. Erasures do not wait for each other."""
    await definitions.hold_workspace(connection, workspace_id)


async def counts(connection: Connection, workspace_id: int) -> tuple[int, int]:
    """How many exports of a workspace are waiting or running, and how many have a file."""
    row = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE state <> 'DONE') AS open, count(*) FILTER (WHERE state = 'DONE') AS done "
        "FROM exports WHERE workspace_id = $1 AND state IN ('WAITING', 'RUNNING', 'DONE')",
        workspace_id,
    )
    return (row["open"], row["done"]) if row else (0, 0)


async def add(
    connection: Connection,
    *,
    export_id: int,
    workspace_id: int,
    list_kind: ListKind,
    list_id: int,
    list_name: str,
    plan: object,
    secret_hash: bytes,
    now: datetime,
    expires_at: datetime,
) -> None:
    await connection.execute(
        "INSERT INTO exports (id, workspace_id, state, list_kind, list_id, list_name, plan, secret_hash, created_at, expires_at) "
        "VALUES ($1, $2, 'WAITING', $3, $4, $5, $6::text::jsonb, $7, $8, $9)",
        export_id,
        workspace_id,
        list_kind,
        list_id,
        list_name,
        json.dumps(plan),
        secret_hash,
        now,
        expires_at,
    )


async def exports_by_ids(
    database: Database, workspace_id: int, ids: Sequence[int]
) -> dict[int, ExportRecord]:
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM exports WHERE workspace_id = $1 AND id = ANY($2::bigint[])",
        workspace_id,
        list(ids),
    )
    return {row["id"]: _record(row) for row in rows}


async def find(connection: Connection, export_id: int) -> ExportRecord | None:
    """Find an export in any workspace. Only for callers that have the id from us: in a download URL with its secret, or in a job."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM exports WHERE id = $1", export_id)
    return None if row is None else _record(row)


async def read_chunk(connection: Connection, export_id: int, attempt: int, position: int) -> bytes | None:
    """The piece that begins at a position; None if it is not stored."""
    content: bytes | None = await connection.fetchval(
        "SELECT content FROM export_chunks WHERE export_id = $1 AND attempt = $2 AND position = $3",
        export_id,
        attempt,
        position,
    )
    return content


# ---- the work


async def to_work_off(connection: Connection, silent_since: datetime) -> list[tuple[int, int]]:
    """The exports that no worker is writing, as (export id, workspace id), the oldest first."""
    rows = await connection.fetch(
        "SELECT id, workspace_id FROM exports WHERE state IN ('WAITING', 'RUNNING', 'DONE') "
        "AND (state = 'WAITING' OR (state = 'RUNNING' AND seen_at < $1)) ORDER BY id",  # the first line names the index
        silent_since,
    )
    return [(row["id"], row["workspace_id"]) for row in rows]


async def claim(
    connection: Connection, export_id: int, *, now: datetime, silent_since: datetime
) -> ExportRecord | None:
    """Begin another attempt to write an export's file. None if it is not open, or another worker is writing it."""
    row = await connection.fetchrow(
        "UPDATE exports SET state = 'RUNNING', attempt = attempt + 1, total = NULL, rows = 0, bytes = 0, heads = NULL, taken_at = NULL, "
        "seen_at = $2 WHERE id = $1 AND expires_at > $2 AND (state = 'WAITING' OR (state = 'RUNNING' AND seen_at < $3)) "
        f"RETURNING {_COLUMNS}",
        export_id,
        now,
        silent_since,
    )
    return None if row is None else _record(row)


async def find_list(
    connection: Connection, workspace_id: int, list_kind: ListKind, list_id: int
) -> ExportedList | None:
    if list_kind == "GROUP":
        row = await connection.fetchrow(
            "SELECT name, 'READY' AS state FROM groups WHERE workspace_id = $1 AND id = $2",
            workspace_id,
            list_id,
        )
    else:
        row = await connection.fetchrow(
            f"SELECT s.name, {SEGMENT_STATE} AS state FROM segments s LEFT JOIN buckets b ON b.workspace_id = s.workspace_id "
            "LEFT JOIN segment_states t ON t.segment_id = s.id AND t.bucket_id = b.id "
            "WHERE s.workspace_id = $1 AND s.id = $2 GROUP BY s.id",
            workspace_id,
            list_id,
        )
    return None if row is None else ExportedList(row["name"], row["state"])


async def count_members(connection: Connection, bucket_id: int, list_kind: ListKind, list_id: int) -> int:
    table, column, _ = _MEMBERS[list_kind]
    count: int = await connection.fetchval(
        f"SELECT count(*) FROM {table} m WHERE m.bucket_id = $1 AND m.{column} = $2", bucket_id, list_id
    )
    return count


async def members(
    connection: Connection,
    bucket_id: int,
    list_kind: ListKind,
    list_id: int,
    *,
    after: int,
    limit: int,
    columns: Sequence[str],
    with_channels: bool,
) -> Sequence[MemberRow]:
    """The next members in a bucket, ordered by id. `columns` are columns of the table `subscribers`.

    `channels` is the JSON of an object with a status for each channel, or null.
    """
    table, column, entered_at = _MEMBERS[list_kind]
    wanted = "".join(f", s.{name}" for name in columns) + (", h.channels" if with_channels else "")
    return await connection.fetch(  # type: ignore[return-value]  # a driver row has a mapping's methods
        f"SELECT s.id, m.{entered_at} AS entered_at{wanted} FROM {table} m "
        f"JOIN subscribers s ON s.bucket_id = $1 AND s.id = m.subscriber_id {_CHANNELS if with_channels else ''} "
        f"WHERE m.bucket_id = $1 AND m.{column} = $2 AND m.subscriber_id > $3 ORDER BY m.subscriber_id LIMIT $4",
        bucket_id,
        list_id,
        after,
        limit,
    )


async def begin(
    connection: Connection,
    of: ExportRecord,
    *,
    total: int,
    heads: Mapping[int, int],
    now: datetime,
    taken_at: datetime,
) -> bool:
    """Record the snapshot of an attempt. Returns False if the attempt is over."""
    changed = await connection.fetchval(
        "UPDATE exports SET total = $3, heads = $4::text::jsonb, seen_at = $5, taken_at = $6 "
        "WHERE id = $1 AND attempt = $2 AND state = 'RUNNING' RETURNING id",
        of.id,
        of.attempt,
        total,
        json.dumps(heads),
        now,
        taken_at,
    )
    return changed is not None


async def advance(
    connection: Connection,
    of: ExportRecord,
    *,
    rows: int,
    position: int,
    pieces: Sequence[bytes],
    is_last: bool,
    now: datetime,
) -> bool:
    """Store the next pieces, which begin at `position`. Returns False and stores nothing if the attempt is over."""
    changed = await connection.fetchval(
        "UPDATE exports SET rows = $3, bytes = $4, seen_at = $5, state = CASE WHEN $6 THEN 'DONE' ELSE state END "
        "WHERE id = $1 AND attempt = $2 AND state = 'RUNNING' RETURNING id",
        of.id,
        of.attempt,
        rows,
        position + sum(map(len, pieces)),
        now,
        is_last,
    )
    if changed is None:
        return False
    for piece in pieces:
        await connection.execute(
            "INSERT INTO export_chunks (export_id, attempt, position, content) VALUES ($1, $2, $3, $4)",
            of.id,
            of.attempt,
            position,
            piece,
        )
        position += len(piece)
    return True


# ---- the end


async def fail(connection: Connection, of: ExportRecord, message: str) -> None:
    await connection.execute(
        "UPDATE exports SET state = 'FAILED', failure = $3 WHERE id = $1 AND attempt = $2 AND state = 'RUNNING'",
        of.id,
        of.attempt,
        message,
    )


async def expire(connection: Connection, workspace_id: int, export_id: int) -> None:
    """End one export. Its file is not served any more."""
    await connection.execute(
        "UPDATE exports SET state = 'EXPIRED' WHERE workspace_id = $1 AND id = $2 AND state <> 'FAILED'",
        workspace_id,
        export_id,
    )


async def expire_due(connection: Connection, now: datetime) -> None:
    """End every export whose time is over."""
    await connection.execute(
        "UPDATE exports SET state = 'EXPIRED' WHERE state IN ('WAITING', 'RUNNING', 'DONE') AND expires_at <= $1",
        now,
    )


async def forget_files(connection: Connection, workspace_id: int) -> None:
    """End all exports of a workspace that have a file, and let those that are being written begin again.

    Call hold_exports at the beginning of the transaction, so that no snapshot is taken in the meantime.
    """
    await connection.execute(
        "UPDATE exports SET state = CASE state WHEN 'DONE' THEN 'EXPIRED' ELSE 'WAITING' END "
        "WHERE workspace_id = $1 AND state IN ('RUNNING', 'DONE')",
        workspace_id,
    )


async def forget_leftovers(connection: Connection) -> bool:
    """Delete up to 400 pieces that are never read: those of older attempts, and of exports without a file. Returns whether there were any."""
    deleted = await connection.fetch(
        "DELETE FROM export_chunks WHERE (export_id, attempt, position) IN ("
        "SELECT c.export_id, c.attempt, c.position FROM export_chunks c JOIN exports e ON e.id = c.export_id "
        "WHERE e.state NOT IN ('RUNNING', 'DONE') OR c.attempt <> e.attempt LIMIT 400) RETURNING position"
    )
    return bool(deleted)


def _record(row: asyncpg.Record) -> ExportRecord:
    known = {name: row[name] for name in ExportRecord.__dataclass_fields__}
    heads = None if row["heads"] is None else {int(key): it for key, it in json.loads(row["heads"]).items()}
    return ExportRecord(**known | {"plan": json.loads(row["plan"]), "heads": heads})
