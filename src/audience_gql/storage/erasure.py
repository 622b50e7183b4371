"""Deletes everything that belongs to one person.

The caller holds the locks of the person and of the bucket, and has already logged that the person left every list.
"""

from __future__ import annotations

from audience_gql.storage.database import Connection
from audience_gql.storage.engine.membership import ListKind
from audience_gql.storage.facts import Identity
from audience_gql.storage.statements import load_statements

_SQL = load_statements(__file__)
_IN_TURN = (
    "erase_events",
    "erase_event_keys",
    "erase_memberships",
    "erase_marks",
    "erase_responses",
    "erase_person",
)


async def hold_person(connection: Connection, bucket_id: int, subscriber_id: int) -> bool:
    """Lock the person against every writer until the end of the transaction. Returns False when the person does not exist."""
    return await connection.fetchval(_SQL["hold_person"], bucket_id, subscriber_id) is not None


async def lists_of(connection: Connection, bucket_id: int, subscriber_id: int) -> list[tuple[ListKind, int]]:
    """The lists that the person is in according to the log, as (kind, id). A group that no tick has logged yet is left out."""
    rows = await connection.fetch(_SQL["lists_of"], bucket_id, subscriber_id)
    return [(row["list_kind"], row["list_id"]) for row in rows]


async def erase(
    connection: Connection, workspace_id: int, bucket_id: int, subscriber_id: int
) -> list[Identity]:
    """Delete the person's rows in every table except the log, where the random id stays. Returns the person's keys."""
    keys = await connection.fetch(_SQL["erase_identities"], workspace_id, bucket_id, subscriber_id)
    for statement in _IN_TURN:
        await connection.execute(_SQL[statement], bucket_id, subscriber_id)
    return [(row["kind"], row["value"]) for row in keys]
