"""A workspace's definitions: its buckets, fields, groups, event names and segments, as the application and the engine read them.

It must not write facts. Definitions are few, and every function is one statement.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from audience_gql.conditions.base import Names
from audience_gql.conditions.periods import WeekStart
from audience_gql.conditions.vocabulary import FieldRef, GroupRef, Vocabulary
from audience_gql.storage import row_locks
from audience_gql.storage.database import Connection
from audience_gql.storage.ids import SUBSCRIBER_IDS, IdBlocks

_COUNTED_PART = 64
_IS_UNLOCKED: Final = ContextVar("is_unlocked", default=False)
_LISTS: Final = (
    "SELECT 'group' AS kind, id, name, name_folded AS detail FROM groups WHERE workspace_id = $1 "
    "UNION ALL SELECT 'segment', id, name, NULL FROM segments WHERE workspace_id = $1"
)
_WORDS: Final = (
    f"{_LISTS} UNION ALL SELECT 'event', id, name, NULL FROM event_names WHERE workspace_id = $1 "
    "UNION ALL SELECT 'field', id, key, type FROM custom_fields WHERE workspace_id = $1 "
    "UNION ALL SELECT 'workspace', id, timezone, week_start FROM workspaces WHERE id = $1"
)
"""What a workspace's conditions may name, in one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDefinition:
    id: int
    revision: int
    condition: dict[str, Any]  # Any: the JSON of a condition, which conditions.codec types
    failure: str | None
    is_paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketInstant:
    """How far in time a bucket has been evaluated."""

    bucket_id: int
    evaluated_through: datetime
    has_people_put_off: bool
    """Whether later ticks may still evaluate people who crossed an edge before that instant."""


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


async def lock_buckets(connection: Connection, workspace_id: int) -> None:
    """Lock every bucket: this waits for running ticks and fills, and later ones see what this transaction writes.

    Call lock_workspace before, so that no bucket is opened in the meantime. One after the other, because no statement locks rows of several machines.
    The next turn begins, so that a tick or fill whose lock stayed behind while its bucket moved to another machine writes nothing.
    """
    found = await bucket_ids(connection, workspace_id)
    await connection.executemany(
        "UPDATE buckets SET turn = turn + 1 WHERE id = $1", [(bucket_id,) for bucket_id in found]
    )


async def bucket_ids(connection: Connection, workspace_id: int) -> list[int]:
    rows = await connection.fetch("SELECT id FROM buckets WHERE workspace_id = $1 ORDER BY id", workspace_id)
    return [row["id"] for row in rows]


async def bucket_instants(connection: Connection, workspace_id: int) -> list[BucketInstant]:
    rows = await connection.fetch(
        "SELECT b.id AS bucket_id, b.evaluated_through, "
        "EXISTS (SELECT FROM dirty d WHERE d.bucket_id = b.id AND d.lane = 1) AS has_people_put_off "
        "FROM buckets b WHERE b.workspace_id = $1 ORDER BY b.id",
        workspace_id,
    )
    return [BucketInstant(**row) for row in rows]


async def open_bucket_ids(connection: Connection, workspace_id: int) -> list[int]:
    """The buckets for new people, in order; the last one gets them. There are two only while another one takes the place of a full one."""
    rows = await connection.fetch(
        "SELECT id FROM buckets WHERE workspace_id = $1 AND is_open ORDER BY id", workspace_id
    )
    return [row["id"] for row in rows]


async def add_bucket(connection: Connection, workspace_id: int, bucket_id: int, now: datetime) -> None:
    """Open a bucket. It is empty, so every segment counts as filled in it. Call lock_workspace before."""
    await connection.execute(
        "INSERT INTO buckets (id, workspace_id, last_instant, evaluated_through) VALUES ($1, $2, $3, $3)",
        bucket_id,
        workspace_id,
        now,
    )
    await connection.execute(
        "INSERT INTO segment_states (bucket_id, segment_id, generation, fill_cause, filled_at) "
        "SELECT $1::bigint, s.id, s.generation, 'DEFINITION', $3::timestamptz FROM segments s WHERE s.workspace_id = $2",
        bucket_id,
        workspace_id,
        now,
    )
    await connection.execute(
        "INSERT INTO automation_places (bucket_id, automation_id, sequence, begun_after) "
        "SELECT $1::bigint, a.id, 0, 0 FROM automations a WHERE a.workspace_id = $2",
        bucket_id,
        workspace_id,
    )


async def close_bucket(connection: Connection, bucket_id: int, *, beside: int) -> None:
    """Close a bucket for new people, unless the one beside it is not open: there must always be one. Running transactions may still add people.

    It locks both, by writing to them, so that nobody closes the other one meanwhile, nor moves it.
    """
    opened: set[int] = set()
    for id_ in sorted((bucket_id, beside)):
        held = "UPDATE buckets SET turn = turn + 1 WHERE id = $1 RETURNING is_open"
        if await connection.fetchval(held, id_):
            opened.add(id_)
    if beside in opened:
        await connection.execute("UPDATE buckets SET is_open = false WHERE id = $1", bucket_id)
        if (known := getattr(connection, "known_buckets", None)) is not None:
            known.forget_open(bucket_id)


async def estimated_people(connection: Connection, bucket_id: int) -> int:
    """The number of people in a bucket, exact to a few per cent when it is full: it counts the first 64th of the ids."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM subscribers WHERE bucket_id = $1 AND id < $2",
        bucket_id,
        SUBSCRIBER_IDS // _COUNTED_PART,
    )
    return count * _COUNTED_PART


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
    groups: dict[str, GroupRef] = {}
    by_kind: dict[str, dict[int, str]] = {"group": {}, "segment": {}, "event": {}}
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
                if kind == "group":
                    groups[row["detail"]] = GroupRef(id=row["id"], name=row["name"])
    assert timezone is not None  # noqa: S101  # callers know that the workspace exists
    words = Vocabulary(
        fields=fields,
        group_ids=by_kind["group"].keys(),
        groups_by_name=groups,
        segment_ids=by_kind["segment"].keys(),
        event_names={name: id_ for id_, name in by_kind["event"].items()},
        timezone=timezone,
        week_start=week_start,
    )
    return words, Names(groups=by_kind["group"], segments=by_kind["segment"])


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


async def names(connection: Connection, workspace_id: int) -> Names:
    """The names of groups and segments, for summaries."""
    by_kind: dict[str, dict[int, str]] = {"group": {}, "segment": {}}
    for row in await connection.fetch(_LISTS, workspace_id):
        by_kind[row["kind"]][row["id"]] = row["name"]
    return Names(groups=by_kind["group"], segments=by_kind["segment"])


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
