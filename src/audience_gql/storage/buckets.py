"""The buckets of a workspace: which there are, how far each has been evaluated, and how one is opened and closed.

It must not read or write people, except to estimate how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from audience_gql.storage.ids import SUBSCRIBER_IDS
from audience_gql.storage.postgres.database import Connection

_COUNTED_PART = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketInstant:
    """How far in time a bucket has been evaluated."""

    bucket_id: int
    evaluated_through: datetime
    has_people_put_off: bool
    """Whether later ticks may still evaluate people who crossed an edge before that instant."""


async def lock_buckets(connection: Connection, workspace_id: int) -> None:
    """Lock every bucket: this waits for running ticks and fills, and later ones see what this transaction writes.

    Call definitions.lock_workspace before, so that no bucket is opened in the meantime. One after the other, because no statement locks rows of several machines.
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
    """Open a bucket. It is empty, so every segment counts as filled in it. Call definitions.lock_workspace before."""
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
