"""Imports, and their files in pieces.

Files are stored in Postgres, because it is the only lasting storage that the process that receives a file shares with the one that processes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import asyncpg

from audience_gql.storage.database import Connection, Database
from audience_gql.storage.facts import Identity
from audience_gql.storage.reads.slices import Entries, Order, Slice, entries_of

_LATEST: Final = Order(("i.created_at", "i.id"))
_FORGOTTEN: Final = "the reason is no longer kept"
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


@dataclass(frozen=True, slots=True)
class RejectRecord:
    """A row that was refused, or a row that was written except for the part that a notice names."""

    line: int
    message: str
    people: Sequence[tuple[int, int]] = ()
    """The people that the message names, as (bucket id, subscriber id). In the message, {0} stands for the first one."""
    keys: Sequence[Identity] = ()
    """The keys in the row. They are stored as hashes, so that erasing an owner of one of them deletes the row."""
    import_id: int = 0
    """The id of its import, if the record was read from the database; otherwise 0."""
    is_notice: bool = False
    """Whether the row was written except for the part that the message names."""


RejectKey: TypeAlias = tuple[int, int]
"""A row: (import id, line)."""
REJECT_COLUMNS: Final = "r.import_id, r.line, r.message, r.people, r.is_notice"


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


# ---- files


async def write_chunk(
    connection: Connection, import_id: int, *, upload_id: int, position: int, content: bytes, now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO import_chunks (import_id, upload_id, position, content, received_at) VALUES ($1, $2, $3, $4, $5)",
        import_id,
        upload_id,
        position,
        content,
        now,
    )


async def read_chunks(
    connection: Connection, import_id: int, upload_id: int, *, start: int, stop: int
) -> list[tuple[int, bytes]]:
    """The pieces that begin in [start, stop), as (position, content), in the order of their positions."""
    rows = await connection.fetch(
        "SELECT position, content FROM import_chunks "
        "WHERE import_id = $1 AND upload_id = $2 AND position >= $3 AND position < $4 ORDER BY position",
        import_id,
        upload_id,
        start,
        stop,
    )
    return [(row["position"], row["content"]) for row in rows]


async def accept_upload(connection: Connection, import_id: int, upload_id: int, size: int) -> bool:
    """Make this upload the import's file. Returns False if another upload was first, or the import has ended."""
    accepted = await connection.fetchval(
        "UPDATE imports SET upload_id = $2, bytes = $3 WHERE id = $1 AND upload_id IS NULL AND state = 'WAITING' RETURNING id",
        import_id,
        upload_id,
        size,
    )
    return accepted is not None


async def forget_pieces(connection: Connection, import_id: int, *, before: int) -> None:
    """Delete the pieces that begin before a position. All of their rows are written."""
    await connection.execute(
        "DELETE FROM import_chunks WHERE import_id = $1 AND position < $2", import_id, before
    )


async def forget_leftovers(connection: Connection, silent_since: datetime) -> None:
    """Delete up to 400 pieces of imports that have ended, and of uploads that broke off before an instant."""
    await connection.execute(
        "DELETE FROM import_chunks WHERE (import_id, upload_id, position) IN ("
        "SELECT c.import_id, c.upload_id, c.position FROM import_chunks c JOIN imports i ON i.id = c.import_id "
        "WHERE i.state NOT IN ('WAITING', 'RUNNING') OR (i.upload_id IS DISTINCT FROM c.upload_id AND NOT EXISTS ("
        "SELECT 1 FROM import_chunks k WHERE k.import_id = c.import_id AND k.upload_id = c.upload_id AND k.received_at >= $1"
        ")) LIMIT 400)",
        silent_since,
    )


# ---- progress


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


async def add_rejects(connection: Connection, import_id: int, rejects: Sequence[RejectRecord]) -> None:
    await connection.execute(
        "INSERT INTO import_rejects (import_id, line, message, people, key_hashes, is_notice) "
        "SELECT $1::bigint, r.line, r.message, r.people::bigint[], r.key_hashes::text[], r.is_notice "
        "FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[]) "
        "AS r (line, message, people, key_hashes, is_notice)",
        import_id,
        [reject.line for reject in rejects],
        [reject.message for reject in rejects],
        [f"{{{','.join(str(number) for owner in reject.people for number in owner)}}}" for reject in rejects],
        [f"{{{','.join(map(hash_of_key, reject.keys))}}}" for reject in rejects],
        [reject.is_notice for reject in rejects],
    )


async def forget_people(
    connection: Connection, workspace_id: int, subscriber_ids: Collection[int], keys: Collection[Identity]
) -> None:
    """Delete the rejects and notices that name these people or keys, and blank the failure reasons and file names that quote a key."""
    needles = quoted_in_messages(keys)
    await connection.execute(
        "DELETE FROM import_rejects r USING imports i WHERE i.id = r.import_id AND i.workspace_id = $1 "
        "AND (r.people && $2::bigint[] OR r.key_hashes && $3::text[] OR EXISTS ("
        "SELECT 1 FROM unnest($4::text[]) AS k (text) WHERE strpos(lower(r.message), k.text) > 0))",
        workspace_id,
        list(subscriber_ids),
        [hash_of_key(key) for key in keys],
        needles,
    )
    await connection.execute(
        "UPDATE imports SET failure = $3 WHERE workspace_id = $1 AND EXISTS ("
        "SELECT 1 FROM unnest($2::text[]) AS k (text) WHERE strpos(lower(failure), k.text) > 0)",
        workspace_id,
        needles,
        _FORGOTTEN,
    )
    await connection.execute(
        "UPDATE imports SET file_name = NULL WHERE workspace_id = $1 AND EXISTS ("
        "SELECT 1 FROM unnest($2::text[]) AS k (text) WHERE strpos(lower(file_name), k.text) > 0)",
        workspace_id,
        [value.lower() for _, value in keys],
    )


async def forget_messages(connection: Connection, started_before: datetime) -> None:
    """Delete the rejects and notices of imports from before an instant, and blank their failure reasons."""
    await connection.execute(
        "DELETE FROM import_rejects r USING imports i WHERE i.id = r.import_id AND i.created_at < $1",
        started_before,
    )
    await connection.execute(
        "UPDATE imports SET failure = $2 WHERE created_at < $1 AND failure <> $2", started_before, _FORGOTTEN
    )


def quoted_in_messages(keys: Collection[Identity]) -> list[str]:
    """How messages of imports quote these keys, in lower case."""
    return [(repr(value) if kind == "externalId" else value).lower() for kind, value in keys]


def hash_of_key(key: Identity) -> str:
    """How a reject keeps a key of its row."""
    return hashlib.sha256(":".join(key).encode()).hexdigest()


async def rejects(
    database: Database, workspace_id: int, import_id: int, part: Slice, *, are_notices: bool
) -> Entries[RejectRecord]:
    """A page of an import's stored rejects or notices, ordered by line, and one more if there is one."""
    rows = await database.fetch(
        f"SELECT {REJECT_COLUMNS} FROM import_rejects r JOIN imports i ON i.id = r.import_id "
        f"WHERE i.workspace_id = $1 AND i.id = $2 AND r.line > $3 AND r.is_notice = $4 ORDER BY r.line {part.limit}",
        workspace_id,
        import_id,
        part.after[0] if part.after else 0,
        are_notices,
    )
    return Entries([reject_of(row) for row in rows], [(row["line"],) for row in rows])


async def rejects_by_keys(
    database: Database, workspace_id: int, keys: Sequence[RejectKey]
) -> dict[RejectKey, RejectRecord]:
    rows = await database.fetch(
        f"SELECT {REJECT_COLUMNS} FROM unnest($2::bigint[], $3::bigint[]) AS k (import_id, line) "
        "JOIN imports i ON i.id = k.import_id AND i.workspace_id = $1 "
        "JOIN import_rejects r ON r.import_id = i.id AND r.line = k.line",
        workspace_id,
        [import_id for import_id, _ in keys],
        [line for _, line in keys],
    )
    return {(row["import_id"], row["line"]): reject_of(row) for row in rows}


def reject_of(row: asyncpg.Record) -> RejectRecord:
    return RejectRecord(
        row["line"],
        row["message"],
        _pairs(row["people"]),
        import_id=row["import_id"],
        is_notice=row["is_notice"],
    )


def _pairs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _record(row: asyncpg.Record) -> ImportRecord:
    known = {name: row[name] for name in ImportRecord.__dataclass_fields__}
    return ImportRecord(
        **known | {"plan": json.loads(row["plan"]), "undo_counts": json.loads(row["undo_counts"])}
    )
