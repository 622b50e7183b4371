"""Deletes everything that belongs to people of one bucket.

The caller holds the locks of the people and of the bucket, and has already logged that the people left every list.
"""

from __future__ import annotations

from collections.abc import Collection

from audience_gql.storage.engine.membership import ListKind
from audience_gql.storage.people.facts import Identity
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import load_statements

_SQL = load_statements(__file__)
_IN_TURN = (
    "erase_events",
    "erase_event_keys",
    "erase_memberships",
    "erase_marks",
    "erase_effects",
    "erase_responses",
    "erase_people",
)


async def hold_people(connection: Connection, bucket_id: int, ids: Collection[int]) -> set[int]:
    """Lock people against every writer until the end of the transaction. Returns the ids of those who exist."""
    rows = await connection.fetch(_SQL["hold_people"], bucket_id, sorted(ids))
    return {row["id"] for row in rows}


async def lists_of(
    connection: Connection, bucket_id: int, ids: Collection[int]
) -> list[tuple[int, ListKind, int]]:
    """The lists that people are in according to the log, as (person, kind, id). A group that no tick has logged yet is left out."""
    rows = await connection.fetch(_SQL["lists_of"], bucket_id, list(ids))
    return [(row["subscriber_id"], row["list_kind"], row["list_id"]) for row in rows]


async def erase(
    connection: Connection, workspace_id: int, bucket_id: int, ids: Collection[int]
) -> list[Identity]:
    """Delete the people's rows in every table except the log, where the random ids stay. Returns the people's keys."""
    keys = await connection.fetch(_SQL["erase_identities"], workspace_id, bucket_id, list(ids))
    for statement in _IN_TURN:
        await connection.execute(_SQL[statement], bucket_id, list(ids))
    return [(row["kind"], row["value"]) for row in keys]
