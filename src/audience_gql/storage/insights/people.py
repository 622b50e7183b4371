"""The people of a workspace by ranges of their ids, which are random: a range of ids is a random share of the audience."""

from __future__ import annotations

from collections.abc import Collection

from audience_gql.storage.people.facts import Owner
from audience_gql.storage.postgres.database import Connection


async def count(connection: Connection, workspace_id: int, *, upto: int) -> int:
    """How many people have an id up to this one."""
    people: int = await connection.fetchval(
        "SELECT count(*) FROM buckets b JOIN subscribers s ON s.bucket_id = b.id AND s.id <= $2 WHERE b.workspace_id = $1",
        workspace_id,
        upto,
    )
    return people


async def owners(connection: Connection, workspace_id: int, *, after: int, upto: int) -> list[Owner]:
    """The people with an id in (after, upto]."""
    rows = await connection.fetch(
        "SELECT s.bucket_id, s.id FROM buckets b JOIN subscribers s ON s.bucket_id = b.id AND s.id > $2 AND s.id <= $3 "
        "WHERE b.workspace_id = $1",
        workspace_id,
        after,
        upto,
    )
    return [(row["bucket_id"], row["id"]) for row in rows]


async def members(connection: Connection, workspace_id: int, segment_id: int) -> int:
    """How many people are in a segment."""
    total: int = await connection.fetchval(
        "SELECT coalesce(sum(t.members), 0)::bigint FROM buckets b "
        "JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = $2 WHERE b.workspace_id = $1",
        workspace_id,
        segment_id,
    )
    return total


async def members_among(
    connection: Connection, workspace_id: int, segment_id: int, chosen: Collection[Owner]
) -> set[Owner]:
    """Those of these people who are in a segment."""
    rows = await connection.fetch(
        "SELECT m.bucket_id, m.subscriber_id FROM unnest($3::bigint[], $4::bigint[]) AS k (bucket_id, id) "
        "JOIN buckets b ON b.id = k.bucket_id AND b.workspace_id = $1 "
        "JOIN segment_members m ON m.bucket_id = b.id AND m.segment_id = $2 AND m.subscriber_id = k.id",
        workspace_id,
        segment_id,
        [bucket_id for bucket_id, _ in chosen],
        [id_ for _, id_ in chosen],
    )
    return {(row["bucket_id"], row["subscriber_id"]) for row in rows}


async def stay(connection: Connection) -> None:
    """Show that the transaction is still needed. Postgres ends one that waits for its client for some seconds."""
    await connection.execute("SELECT 1")
