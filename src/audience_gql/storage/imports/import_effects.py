"""What imports did to each person, recorded so that an import can be undone, and the reads and writes that undoing needs.

It must not decide what goes back: audience/imports/reverting.py does.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from audience_gql.storage.postgres.database import Connection

_FORGOTTEN_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one batch of an import did to one person."""

    subscriber_id: int
    at: datetime
    """The instant of the batch. Memberships that it added have it as `added_at`."""
    is_created: bool
    updated_at_before: datetime | None
    """None if the batch created the person."""
    updated_at_after: datetime
    joined: Sequence[int]
    """The groups that the batch added the person to."""
    changes: dict[str, Any]  # Any: JSON, which audience/imports/effects.py writes and reads


# ---- while the import writes


async def add(
    connection: Connection, bucket_id: int, *, import_id: int, step: int, effects: Sequence[Effect]
) -> None:
    """Record what one batch did to people of one bucket: at least one effect. All effects have the same instant."""
    await connection.execute(
        "INSERT INTO import_effects (bucket_id, import_id, step, subscriber_id, at, is_created, updated_at_before, updated_at_after, "
        "joined, changes) "
        "SELECT $1::bigint, $2::bigint, $3::bigint, r.subscriber_id, $4::timestamptz, r.is_created, r.updated_at_before, r.updated_at_after, "
        "r.joined::bigint[], r.changes "
        "FROM unnest($5::bigint[], $6::boolean[], $7::timestamptz[], $8::timestamptz[], $9::text[], $10::jsonb[]) "
        "AS r (subscriber_id, is_created, updated_at_before, updated_at_after, joined, changes)",
        bucket_id,
        import_id,
        step,
        effects[0].at,
        [it.subscriber_id for it in effects],
        [it.is_created for it in effects],
        [it.updated_at_before for it in effects],
        [it.updated_at_after for it in effects],
        [f"{{{','.join(map(str, it.joined))}}}" for it in effects],
        [_json_text(it.changes) for it in effects],
    )


# ---- undoing


async def begin(connection: Connection, import_id: int, *, by: str | None, now: datetime) -> None:
    await connection.execute(
        "UPDATE imports SET undo_state = 'RUNNING', undo_started_at = $2, undo_started_by = $3 WHERE id = $1",
        import_id,
        now,
        by,
    )


async def count_undone(connection: Connection, import_id: int, counts: Mapping[str, int]) -> None:
    """Store what the undo has done so far."""
    await connection.execute(
        "UPDATE imports SET undo_counts = $2::text::jsonb WHERE id = $1", import_id, json.dumps(counts)
    )


async def end(connection: Connection, import_id: int, *, now: datetime) -> None:
    await connection.execute(
        "UPDATE imports SET undo_state = 'DONE', undo_ended_at = $2 WHERE id = $1", import_id, now
    )


async def last_step(
    connection: Connection, workspace_id: int, import_id: int
) -> tuple[int, Sequence[int]] | None:
    """The last batch that is still recorded, and the buckets of its people; None if nothing is recorded."""
    rows = await connection.fetch(
        "SELECT b.id, l.step FROM buckets b CROSS JOIN LATERAL ("
        "SELECT e.step FROM import_effects e WHERE e.bucket_id = b.id AND e.import_id = $2 ORDER BY e.step DESC LIMIT 1) l "
        "WHERE b.workspace_id = $1 ORDER BY b.id",
        workspace_id,
        import_id,
    )
    if not rows:
        return None
    step = max(row["step"] for row in rows)
    return step, [row["id"] for row in rows if row["step"] == step]


async def of_step(connection: Connection, bucket_id: int, *, import_id: int, step: int) -> list[Effect]:
    """What one batch did to the people of one bucket."""
    rows = await connection.fetch(
        "SELECT e.subscriber_id, e.at, e.is_created, e.updated_at_before, e.updated_at_after, e.joined, e.changes FROM import_effects e "
        "WHERE e.bucket_id = $1 AND e.import_id = $2 AND e.step = $3 ORDER BY e.subscriber_id",
        bucket_id,
        import_id,
        step,
    )
    return [Effect(**dict(row) | {"changes": json.loads(row["changes"])}) for row in rows]


async def groups_of(
    connection: Connection, bucket_id: int, ids: Collection[int]
) -> dict[int, dict[int, datetime]]:
    """Since when each of these people is in which group. People without groups are left out."""
    rows = await connection.fetch(
        "SELECT g.subscriber_id, g.group_id, g.added_at FROM group_members g "
        "WHERE g.bucket_id = $1 AND g.subscriber_id = ANY($2::bigint[])",
        bucket_id,
        list(ids),
    )
    found: dict[int, dict[int, datetime]] = {}
    for row in rows:
        found.setdefault(row["subscriber_id"], {})[row["group_id"]] = row["added_at"]
    return found


async def with_events(connection: Connection, bucket_id: int, ids: Collection[int]) -> set[int]:
    """Those of these people who have an event."""
    rows = await connection.fetch(
        "SELECT p.id FROM unnest($2::bigint[]) AS p (id) WHERE EXISTS ("
        "SELECT FROM events e WHERE e.bucket_id = $1 AND e.subscriber_id = p.id)",
        bucket_id,
        list(ids),
    )
    return {row["id"] for row in rows}


async def remove_members_since(
    connection: Connection, bucket_id: int, members: Mapping[tuple[int, int], datetime]
) -> list[tuple[int, int]]:
    """Take people out of groups, given as (group, subscriber), if they are in them since exactly these instants. Returns the pairs removed."""
    rows = await connection.fetch(
        "DELETE FROM group_members g USING unnest($2::bigint[], $3::bigint[], $4::timestamptz[]) AS m (group_id, subscriber_id, at) "
        "WHERE g.bucket_id = $1 AND g.group_id = m.group_id AND g.subscriber_id = m.subscriber_id AND g.added_at = m.at "
        "RETURNING g.group_id, g.subscriber_id",
        bucket_id,
        *_columns(members),
    )
    return [(row["group_id"], row["subscriber_id"]) for row in rows]


async def restore_members(
    connection: Connection, bucket_id: int, members: Mapping[tuple[int, int], datetime]
) -> list[tuple[int, int]]:
    """Put people back into groups, given as (group, subscriber), since these instants. Returns the pairs that are new."""
    rows = await connection.fetch(
        "INSERT INTO group_members (bucket_id, group_id, subscriber_id, added_at) "
        "SELECT $1::bigint, m.group_id, m.subscriber_id, m.at "
        "FROM unnest($2::bigint[], $3::bigint[], $4::timestamptz[]) AS m (group_id, subscriber_id, at) "
        "ON CONFLICT (bucket_id, group_id, subscriber_id) DO NOTHING RETURNING group_id, subscriber_id",
        bucket_id,
        *_columns(members),
    )
    return [(row["group_id"], row["subscriber_id"]) for row in rows]


async def take_over(
    connection: Connection, bucket_id: int, times: Mapping[int, tuple[datetime, datetime]]
) -> None:
    """Tell the records of earlier batches, also of other imports, that a profile is again as they left it.

    By person: the `updated_at` that they left, and the present one.
    """
    await connection.execute(
        "UPDATE import_effects e SET updated_at_after = t.present "
        "FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) AS t (subscriber_id, past, present) "
        "WHERE e.bucket_id = $1 AND e.subscriber_id = t.subscriber_id AND e.updated_at_after = t.past",
        bucket_id,
        list(times),
        [past for past, _ in times.values()],
        [present for _, present in times.values()],
    )


async def forget_step(connection: Connection, bucket_id: int, *, import_id: int, step: int) -> None:
    await connection.execute(
        "DELETE FROM import_effects e WHERE e.bucket_id = $1 AND e.import_id = $2 AND e.step = $3",
        bucket_id,
        import_id,
        step,
    )


# ---- retention


async def expired(connection: Connection, started_before: datetime) -> list[tuple[int, int]]:
    """(id, workspace id) of the imports that were started before an instant and still have records, except those that are being undone."""
    rows = await connection.fetch(
        "SELECT id, workspace_id FROM imports "
        "WHERE created_at < $1 AND is_recorded AND undo_state IS DISTINCT FROM 'RUNNING' AND state NOT IN ('WAITING', 'RUNNING')",
        started_before,
    )
    return [(row["id"], row["workspace_id"]) for row in rows]


async def bucket_ids(connection: Connection, workspace_id: int) -> list[int]:
    rows = await connection.fetch("SELECT id FROM buckets WHERE workspace_id = $1", workspace_id)
    return [row["id"] for row in rows]


async def forget_some(connection: Connection, bucket_id: int, import_id: int) -> bool:
    """Delete up to 10,000 of an import's records in a bucket. Returns whether there were any."""
    done = await connection.execute(
        "DELETE FROM import_effects e USING ("
        "SELECT x.step, x.subscriber_id FROM import_effects x WHERE x.bucket_id = $1 AND x.import_id = $2 LIMIT $3) f "
        "WHERE e.bucket_id = $1 AND e.import_id = $2 AND e.step = f.step AND e.subscriber_id = f.subscriber_id",
        bucket_id,
        import_id,
        _FORGOTTEN_AT_ONCE,
    )
    return done != "DELETE 0"


async def has_no_more(connection: Connection, import_id: int) -> None:
    """Note that the import's records are deleted, so that it cannot be undone any more."""
    await connection.execute("UPDATE imports SET is_recorded = false WHERE id = $1", import_id)


def _json_text(changes: dict[str, Any]) -> str:
    try:
        return orjson.dumps(changes).decode()
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(
            changes, ensure_ascii=False, separators=(",", ":"), default=lambda it: it.isoformat()
        )


def _columns(members: Mapping[tuple[int, int], datetime]) -> tuple[list[int], list[int], list[datetime]]:
    ordered = sorted(members.items())
    return (
        [group_id for (group_id, _), _ in ordered],
        [person_id for (_, person_id), _ in ordered],
        [at for _, at in ordered],
    )
