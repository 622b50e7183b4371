"""Imports, and how far each of them is.

It must not know the pieces of a file, nor what an import says about rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.reads.slices import Entries, Order, Slice, entries_of

_LATEST: Final = Order(("i.created_at", "i.id"))
_COLUMNS: Final = (
    "id, workspace_id, state, plan, dry_run, secret_hash, upload_id, bytes, bytes_read, lines_read, header, rows_read, created, "
    "updated, rejected, noticed, failure, created_at, file_name, started_by, ended_at, is_recorded, recorded, undo_state, undo_started_at, "
    "undo_started_by, undo_ended_at, undo_counts"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRecord:
    """One import and its progress."""

    id: int
    workspace_id: int
    state: str
    plan: dict[str, Any]  # Any: JSON, which its reader types
    dry_run: bool
    secret_hash: bytes
    upload_id: int | None
    bytes: int
    bytes_read: int
    lines_read: int
    header: list[str] | None
    rows_read: int
    created: int
    updated: int
    rejected: int
    noticed: int
    failure: str | None
    created_at: datetime
    file_name: str | None
    started_by: str | None
    """The name of a token."""
    ended_at: datetime | None
    is_recorded: bool
    """Whether what the import did to each person is recorded (import_effects.py). It is not for older versions, and after 30 days."""
    recorded: int
    """The number of records that were written."""
    undo_state: str | None
    """RUNNING or DONE; None if nobody asked to undo the import."""
    undo_started_at: datetime | None
    undo_started_by: str | None
    undo_ended_at: datetime | None
    undo_counts: dict[str, int]

    @property
    def fraction(self) -> float:
        if self.state == "DONE":
            return 1.0
        return self.bytes_read / self.bytes if self.bytes else 0.0

    @property
    def undone_fraction(self) -> float:
        if self.undo_state == "DONE":
            return 1.0
        return self.undo_counts.get("records", 0) / self.recorded if self.recorded else 0.0


async def add(
    connection: Connection,
    *,
    import_id: int,
    workspace_id: int,
    plan: object,
    dry_run: bool,
    file_name: str | None,
    started_by: str | None,
    secret_hash: bytes,
    now: datetime,
) -> None:
    await connection.execute(
        "INSERT INTO imports (id, workspace_id, state, plan, dry_run, file_name, started_by, secret_hash, created_at, is_recorded) "
        "VALUES ($1, $2, 'WAITING', $3::text::jsonb, $4, $5, $6, $7, $8, true)",
        import_id,
        workspace_id,
        json.dumps(plan),
        dry_run,
        file_name,
        started_by,
        secret_hash,
        now,
    )


async def latest(database: Database, workspace_id: int, part: Slice) -> Entries[ImportRecord]:
    """A page of a workspace's imports, the latest first."""
    values: list[object] = [workspace_id]
    beyond = _LATEST.beyond(part.after, values)
    rows = await database.fetch(
        f"SELECT {_COLUMNS}, {_LATEST.columns} FROM imports i "
        f"WHERE i.workspace_id = $1 AND {beyond} ORDER BY {_LATEST.clause} {part.limit}",
        *values,
    )
    return entries_of(rows, _LATEST, _record)


async def imports_by_ids(
    database: Database, workspace_id: int, ids: Sequence[int]
) -> dict[int, ImportRecord]:
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM imports WHERE workspace_id = $1 AND id = ANY($2::bigint[])",
        workspace_id,
        list(ids),
    )
    return {row["id"]: _record(row) for row in rows}


async def find(connection: Connection, import_id: int) -> ImportRecord | None:
    """Find an import in any workspace. Only for callers that have the id from us: in an upload URL with its secret, or in a job."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM imports WHERE id = $1", import_id)
    return None if row is None else _record(row)


async def lock(connection: Connection, import_id: int) -> ImportRecord | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM imports WHERE id = $1 FOR NO KEY UPDATE", import_id
    )
    return None if row is None else _record(row)


async def to_work_off(connection: Connection) -> list[int]:
    """The ids of imports whose file has arrived and whose rows are not all written, and of those that are being undone."""
    rows = await connection.fetch(
        "SELECT id FROM imports WHERE state IN ('WAITING', 'RUNNING') AND upload_id IS NOT NULL "
        "UNION ALL SELECT id FROM imports WHERE undo_state = 'RUNNING' ORDER BY id"
    )
    return [row["id"] for row in rows]


async def begin(
    connection: Connection, import_id: int, *, header: Sequence[str] | None, bytes_read: int, lines_read: int
) -> None:
    await connection.execute(
        "UPDATE imports SET state = 'RUNNING', header = $2, bytes_read = $3, lines_read = $4 WHERE id = $1",
        import_id,
        None if header is None else list(header),
        bytes_read,
        lines_read,
    )


async def advance(
    connection: Connection,
    import_id: int,
    *,
    bytes_read: int,
    lines_read: int,
    rows: int,
    created: int,
    updated: int,
    rejected: int,
    noticed: int,
    recorded: int,
) -> None:
    await connection.execute(
        "UPDATE imports SET bytes_read = $2, lines_read = $3, rows_read = rows_read + $4, created = created + $5, "
        "updated = updated + $6, rejected = rejected + $7, noticed = noticed + $8, recorded = recorded + $9 WHERE id = $1",
        import_id,
        bytes_read,
        lines_read,
        rows,
        created,
        updated,
        rejected,
        noticed,
        recorded,
    )


async def end(
    connection: Connection, import_id: int, state: str, failure: str | None = None, *, now: datetime
) -> None:
    await connection.execute(
        "UPDATE imports SET state = $2, failure = $3, ended_at = $4 WHERE id = $1",
        import_id,
        state,
        failure,
        now,
    )


def _record(row: asyncpg.Record) -> ImportRecord:
    known = {name: row[name] for name in ImportRecord.__dataclass_fields__}
    return ImportRecord(
        **known | {"plan": json.loads(row["plan"]), "undo_counts": json.loads(row["undo_counts"])}
    )
