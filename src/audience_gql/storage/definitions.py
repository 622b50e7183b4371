"""What a workspace has defined, as the application and the engine read it: fields, groups, event names, and everything that a condition may name.

It also locks all definitions of a workspace. It must not write facts. Definitions are few, and every function is one statement.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Final

from audience_gql.conditions.base import Names
from audience_gql.conditions.periods import WeekStart
from audience_gql.conditions.vocabulary import FieldRef, ListRef, Vocabulary
from audience_gql.storage.cluster import row_locks
from audience_gql.storage.ids import IdBlocks
from audience_gql.storage.postgres.database import Connection

_IS_UNLOCKED: Final = ContextVar("is_unlocked", default=False)
_LISTS: Final = (
    "SELECT 'group' AS kind, id, name, name_folded AS detail FROM groups WHERE workspace_id = $1 "
    "UNION ALL SELECT 'segment', id, name, name_folded FROM segments WHERE workspace_id = $1"
)
_WORDS: Final = (
    f"{_LISTS} UNION ALL SELECT 'event', id, name, NULL FROM event_names WHERE workspace_id = $1 "
    "UNION ALL SELECT 'field', id, key, type FROM custom_fields WHERE workspace_id = $1 "
    "UNION ALL SELECT 'workspace', id, timezone, week_start FROM workspaces WHERE id = $1"
)
"""What a workspace's conditions may name, in one statement."""


async def lock_workspace(connection: Connection, workspace_id: int) -> None:
    """Lock the workspace's definitions to change them, so that changes of segments and openings of buckets happen one after the other.

    Ticks after this transaction see a new version and read the segments again. It locks nothing inside `unlocked`.
    """
    if _IS_UNLOCKED.get():
        return
    await row_locks.take(connection, [workspace_id])
    await connection.execute(
        "UPDATE workspaces SET definitions_version = definitions_version + 1 WHERE id = $1", workspace_id
    )


@contextmanager
def unlocked() -> Iterator[None]:
    """During the context, lock_workspace locks nothing. Only for work on a snapshot that is rolled back."""
    token = _IS_UNLOCKED.set(True)
    try:
        yield
    finally:
        _IS_UNLOCKED.reset(token)


async def hold_workspace(connection: Connection, workspace_id: int) -> None:
    """Keep the workspace's definitions from being changed before the end of the transaction, so that several reads agree."""
    if row_locks.stand_in(connection):
        await row_locks.share(connection, [workspace_id])
    else:
        await connection.execute("SELECT 1 FROM workspaces WHERE id = $1 FOR SHARE", workspace_id)


async def fields_by_key(connection: Connection, workspace_id: int) -> dict[str, FieldRef]:
    rows = await connection.fetch(
        "SELECT id, key, type FROM custom_fields WHERE workspace_id = $1", workspace_id
    )
    return {row["key"]: FieldRef(id=row["id"], key=row["key"], type=row["type"]) for row in rows}


async def hold_fields(
    connection: Connection, workspace_id: int, keys: Collection[str]
) -> dict[str, FieldRef]:
    """The existing fields among these, by key. None of them can be deleted before the transaction ends."""
    if not keys:
        return {}
    if row_locks.stand_in(connection):
        known = await fields_by_key(connection, workspace_id)
        await row_locks.share(connection, {ref.id for key, ref in known.items() if key in keys})
        present = await fields_by_key(connection, workspace_id)
        return {key: ref for key, ref in present.items() if key in keys and ref == known.get(key)}
    rows = await connection.fetch(
        "SELECT id, key, type FROM custom_fields WHERE workspace_id = $1 AND key = ANY($2::text[]) "
        "ORDER BY id FOR KEY SHARE",
        workspace_id,
        list(keys),
    )
    return {row["key"]: FieldRef(id=row["id"], key=row["key"], type=row["type"]) for row in rows}


async def hold_groups(
    connection: Connection, workspace_id: int, group_ids: Collection[int]
) -> frozenset[int]:
    """The existing groups among these. None of them can be deleted before the transaction ends.

    Every writer of members must call this, because no foreign key keeps members of a deleted group out.
    """
    if not group_ids:
        return frozenset()
    if row_locks.stand_in(connection):
        await row_locks.share(connection, group_ids)
        return (await all_group_ids(connection, workspace_id)).intersection(group_ids)
    rows = await connection.fetch(
        "SELECT id FROM groups WHERE workspace_id = $1 AND id = ANY($2::bigint[]) ORDER BY id FOR KEY SHARE",
        workspace_id,
        list(group_ids),
    )
    return frozenset(row["id"] for row in rows)


async def all_group_ids(connection: Connection, workspace_id: int) -> frozenset[int]:
    rows = await connection.fetch("SELECT id FROM groups WHERE workspace_id = $1", workspace_id)
    return frozenset(row["id"] for row in rows)


async def event_names(connection: Connection, workspace_id: int) -> dict[str, int]:
    rows = await connection.fetch("SELECT name, id FROM event_names WHERE workspace_id = $1", workspace_id)
    return {row["name"]: row["id"] for row in rows}


async def intern_event_names(
    connection: Connection,
    workspace_id: int,
    names: Collection[str],
    ids: IdBlocks,
    *,
    known: Mapping[str, int] | None = None,
) -> Mapping[str, int]:
    """The ids of these names and of all others, new ones included. `known` is the result of event_names, if the caller has read it."""
    if known is None:
        known = await event_names(connection, workspace_id)
    missing = sorted(set(names) - known.keys())
    if not missing:
        return known
    await row_locks.take(connection, [-workspace_id])  # nobody else adds names to this workspace
    rows = await connection.fetch(
        "INSERT INTO event_names (id, workspace_id, name) SELECT n.id, $1::bigint, n.name "
        "FROM unnest($2::bigint[], $3::text[]) AS n (id, name) ON CONFLICT (workspace_id, name) DO NOTHING RETURNING name, id",
        workspace_id,
        await ids.take(len(missing), connection),
        missing,
    )
    if len(rows) < len(missing):  # another caller has interned one of them first
        return await event_names(connection, workspace_id)
    return {**known, **{row["name"]: row["id"] for row in rows}}


async def vocabulary(connection: Connection, workspace_id: int) -> Vocabulary:
    """Everything that a condition of this workspace may name."""
    found, _ = await vocabulary_and_names(connection, workspace_id)
    return found


async def vocabulary_and_names(connection: Connection, workspace_id: int) -> tuple[Vocabulary, Names]:
    """Everything that a condition of this workspace may name, and the names of groups and segments for summaries."""
    fields: dict[str, FieldRef] = {}
    by_kind: dict[str, dict[int, str]] = {"group": {}, "segment": {}, "event": {}}
    by_name: dict[str, dict[str, ListRef]] = {"group": {}, "segment": {}}
    timezone: str | None = None
    week_start: WeekStart = "MONDAY"
    for row in await connection.fetch(_WORDS, workspace_id):
        match row["kind"]:
            case "workspace":
                timezone, week_start = row["name"], row["detail"]
            case "field":
                fields[row["name"]] = FieldRef(id=row["id"], key=row["name"], type=row["detail"])
            case kind:
                by_kind[kind][row["id"]] = row["name"]
                if kind in by_name:
                    by_name[kind][row["detail"]] = ListRef(id=row["id"], name=row["name"])
    assert timezone is not None  # noqa: S101  # callers know that the workspace exists
    words = Vocabulary(
        fields=fields,
        group_ids=by_kind["group"].keys(),
        groups_by_name=by_name["group"],
        segment_ids=by_kind["segment"].keys(),
        segments_by_name=by_name["segment"],
        event_names={name: id_ for id_, name in by_kind["event"].items()},
        timezone=timezone,
        week_start=week_start,
    )
    return words, Names(groups=by_kind["group"], segments=by_kind["segment"])


async def names(connection: Connection, workspace_id: int) -> Names:
    """The names of groups and segments, for summaries."""
    by_kind: dict[str, dict[int, str]] = {"group": {}, "segment": {}}
    for row in await connection.fetch(_LISTS, workspace_id):
        by_kind[row["kind"]][row["id"]] = row["name"]
    return Names(groups=by_kind["group"], segments=by_kind["segment"])


async def good_tokens(connection: Connection, token_ids: Collection[int], now: datetime) -> frozenset[int]:
    """The tokens among these that are neither revoked nor expired."""
    rows = await connection.fetch(
        "SELECT id FROM api_tokens WHERE id = ANY($1::bigint[]) AND revoked_at IS NULL "
        "AND (expires_at IS NULL OR expires_at > $2)",
        list(token_ids),
        now,
    )
    return frozenset(row["id"] for row in rows)


async def raise_log_epochs(connection: Connection, least: int) -> None:
    """Give every workspace another log epoch, so that all cursors expire."""
    await connection.execute("UPDATE workspaces SET log_epoch = greatest(log_epoch + 1, $1::bigint)", least)
