"""Writes and reads the documents that a workspace trusts. A document is named by the SHA-256 of its text, in hexadecimal digits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from audience_gql.storage.cluster import row_locks
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.reads.slices import Entries, Order, Slice, entries_of


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRecord:
    """A trusted document."""

    id: int
    sha256: str
    text: str
    operations: Sequence[str]
    """The names of its operations, in order; an empty text for one without a name."""
    published_at: datetime
    published_by: str


_COLUMNS: Final = ", ".join(f"d.{name}" for name in DocumentRecord.__dataclass_fields__)
_ORDER: Final = Order(("d.published_at", "d.id"))


async def lock(connection: Connection, workspace_id: int) -> None:
    """Wait until nobody else changes the workspace's documents. The lock lasts as long as the transaction."""
    if row_locks.stand_in(connection):
        await row_locks.take(connection, [workspace_id])
    else:
        await connection.execute("SELECT 1 FROM workspaces w WHERE w.id = $1 FOR NO KEY UPDATE", workspace_id)


async def add(connection: Connection, workspace_id: int, documents: Sequence[DocumentRecord]) -> None:
    """Add documents that the workspace does not have yet."""
    await connection.executemany(
        "INSERT INTO trusted_documents (id, workspace_id, sha256, text, operations, published_at, published_by) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (it.id, workspace_id, it.sha256, it.text, list(it.operations), it.published_at, it.published_by)
            for it in documents
        ],
    )


async def remove(connection: Connection, workspace_id: int, ids: Collection[int]) -> None:
    await connection.execute(
        "DELETE FROM trusted_documents d WHERE d.workspace_id = $1 AND d.id = ANY($2::bigint[])",
        workspace_id,
        list(ids),
    )


async def count(connection: Connection, workspace_id: int) -> int:
    found: int = await connection.fetchval(
        "SELECT count(*) FROM trusted_documents d WHERE d.workspace_id = $1", workspace_id
    )
    return found


async def named(
    connection: Connection, workspace_id: int, hashes: Collection[str]
) -> dict[str, DocumentRecord]:
    """The documents with these hashes, by hash."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM trusted_documents d WHERE d.workspace_id = $1 AND d.sha256 = ANY($2::text[])",
        workspace_id,
        list(hashes),
    )
    return {row["sha256"]: _record(row) for row in rows}


async def text_of(database: Database, workspace_id: int, sha256: str) -> str | None:
    """The text of the document with this hash; None if the workspace does not trust it."""
    text: str | None = await database.fetchval(
        "SELECT d.text FROM trusted_documents d WHERE d.workspace_id = $1 AND d.sha256 = $2",
        workspace_id,
        sha256,
    )
    return text


async def has_any(database: Database, workspace_id: int) -> bool:
    """Whether the workspace trusts any document."""
    found: bool = await database.fetchval(
        "SELECT EXISTS (SELECT FROM trusted_documents d WHERE d.workspace_id = $1)", workspace_id
    )
    return found


async def documents(database: Database, workspace_id: int, part: Slice) -> Entries[DocumentRecord]:
    """The workspace's documents, those published last first."""
    values: list[object] = [workspace_id]
    beyond = _ORDER.beyond(part.after, values)
    rows = await database.fetch(
        f"SELECT {_COLUMNS}, {_ORDER.columns} FROM trusted_documents d WHERE d.workspace_id = $1 AND {beyond} "
        f"ORDER BY {_ORDER.clause} {part.limit}",
        *values,
    )
    return entries_of(rows, _ORDER, _record)


async def documents_by_ids(
    database: Database, workspace_id: int, ids: Sequence[int]
) -> dict[int, DocumentRecord]:
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM trusted_documents d WHERE d.workspace_id = $1 AND d.id = ANY($2::bigint[])",
        workspace_id,
        list(ids),
    )
    return {row["id"]: _record(row) for row in rows}


def _record(row: asyncpg.Record) -> DocumentRecord:
    return DocumentRecord(**{name: row[name] for name in DocumentRecord.__dataclass_fields__})
