"""Writes and reads the audit trail. It has no statement that changes or deletes an entry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from audience_gql.storage.people.facts import json_text
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.reads.slices import (
    Entries,
    Order,
    Slice,
    by_parent,
    entries_of,
    parents_of_page,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord:
    """One change of one definition. `object_bucket` is null except for people."""

    id: int
    at: datetime
    actor_kind: str
    token_id: int | None
    actor_name: str
    kind: str
    object_id: int
    object_bucket: int | None
    object_name: str | None
    before: dict[str, Any] | None  # Any: JSON that audience.trail.portraits wrote
    after: dict[str, Any] | None  # Any: the same
    lines_added: Sequence[str]
    lines_removed: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionRecord(EntryRecord):
    """An entry about a segment that the change did not delete: a revision in the segment's history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """Which entries to read. None, and () for kinds, admit all."""

    actor_kind: str | None = None
    token_id: int | None = None
    kinds: tuple[str, ...] = ()
    object_id: int | None = None
    object_bucket: int | None = None
    since: datetime | None = None
    until: datetime | None = None


_COLUMNS: Final = ", ".join(f"t.{name}" for name in EntryRecord.__dataclass_fields__)
_ORDER: Final = Order(("t.at", "t.id"))


async def add(connection: Connection, workspace_id: int, entries: Sequence[EntryRecord]) -> None:
    """Append entries, in one statement."""
    await connection.execute(
        "INSERT INTO trail_entries (id, workspace_id, at, actor_kind, token_id, actor_name, kind, object_id, object_bucket, object_name, "
        "before, after, lines_added, lines_removed) "
        "SELECT e.id, $1, e.at, e.actor_kind, e.token_id, e.actor_name, e.kind, e.object_id, e.object_bucket, e.object_name, e.before, "
        "e.after, coalesce(e.lines_added, '{}'), coalesce(e.lines_removed, '{}') "
        "FROM jsonb_to_recordset($2::jsonb) AS e (id bigint, at timestamptz, actor_kind text, token_id bigint, actor_name text, kind text, "
        "object_id bigint, object_bucket bigint, object_name text, before jsonb, after jsonb, lines_added text[], lines_removed text[])",
        workspace_id,
        json_text([_given(entry) for entry in entries]),
    )


def _given(entry: EntryRecord) -> dict[str, object]:
    return {name: getattr(entry, name) for name in EntryRecord.__dataclass_fields__} | {
        "at": entry.at.isoformat()
    }


async def entries(
    database: Database, workspace_id: int, part: Slice, wanted: TrailFilter
) -> Entries[EntryRecord]:
    """The workspace's entries that the filter admits, the latest first."""
    values: list[object] = [
        workspace_id,
        wanted.actor_kind,
        wanted.token_id,
        list(wanted.kinds),
        wanted.object_id,
        wanted.object_bucket,
        wanted.since,
        wanted.until,
    ]
    beyond = _ORDER.beyond(part.after, values)
    rows = await database.fetch(
        f"SELECT {_COLUMNS}, {_ORDER.columns} FROM trail_entries t WHERE t.workspace_id = $1 "
        "AND ($2::text IS NULL OR t.actor_kind = $2) AND ($3::bigint IS NULL OR t.token_id = $3) "
        "AND ($4::text[] = '{}' OR t.kind = ANY($4)) "
        "AND ($5::bigint IS NULL OR (t.object_id = $5 AND t.object_bucket IS NOT DISTINCT FROM $6::bigint)) "
        "AND ($7::timestamptz IS NULL OR t.at >= $7) AND ($8::timestamptz IS NULL OR t.at < $8) "
        f"AND {beyond} ORDER BY {_ORDER.clause} {part.limit}",
        *values,
    )
    return entries_of(rows, _ORDER, _record)


async def entries_by_ids(database: Database, workspace_id: int, ids: Sequence[int]) -> dict[int, EntryRecord]:
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM trail_entries t WHERE t.workspace_id = $1 AND t.id = ANY($2::bigint[])",
        workspace_id,
        list(ids),
    )
    return {row["id"]: _record(row) for row in rows}


async def revisions_by_ids(
    database: Database, workspace_id: int, ids: Sequence[int]
) -> dict[int, RevisionRecord]:
    """Revisions of segments that still exist."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM trail_entries t JOIN segments s ON s.id = t.object_id AND s.workspace_id = t.workspace_id "
        "WHERE t.workspace_id = $1 AND t.id = ANY($2::bigint[]) AND t.object_bucket IS NULL",
        workspace_id,
        list(ids),
    )
    return {row["id"]: _revision(row) for row in rows}


async def revisions_of_segments(
    database: Database, workspace_id: int, segment_ids: Sequence[int], part: Slice
) -> dict[int, Entries[RevisionRecord]]:
    """The revisions of each of these segments, the latest first."""
    bound: list[object] = [workspace_id, list(segment_ids)]
    beyond = _ORDER.beyond(part.after, bound)
    rows = await database.fetch(
        f"SELECT p.number, x.* FROM {parents_of_page(segment_ids)} CROSS JOIN LATERAL ("
        f"SELECT {_COLUMNS}, {_ORDER.columns} FROM trail_entries t "
        f"WHERE t.workspace_id = $1 AND t.object_id = p.id AND t.object_bucket IS NULL AND {beyond} "
        f"ORDER BY {_ORDER.clause} {part.limit}) x ORDER BY p.number, {_ORDER.outer_clause}",
        *bound,
    )
    return by_parent(segment_ids, rows, _ORDER, _revision)


def _record(row: asyncpg.Record) -> EntryRecord:
    return EntryRecord(**_values(row))


def _revision(row: asyncpg.Record) -> RevisionRecord:
    return RevisionRecord(**_values(row))


def _values(row: asyncpg.Record) -> dict[str, Any]:  # Any: the columns' own types
    known = {name: row[name] for name in EntryRecord.__dataclass_fields__}
    read = {name: None if row[name] is None else json.loads(row[name]) for name in ("before", "after")}
    return known | read
