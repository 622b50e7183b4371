"""What imports say about rows: refusals and notices, and how they are forgotten with the people whom they name.

It must not know how far an import is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg

from audience_gql.storage.people.facts import Identity
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.reads.slices import Entries, Slice

_FORGOTTEN: Final = "the reason is no longer kept"


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
