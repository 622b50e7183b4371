"""Removes everything that hangs off one person. Only while she and her bucket are held, and after what she was in was logged as left."""

from __future__ import annotations

from audience_gql.storage.database import Connection
from audience_gql.storage.engine.membership import ListKind
from audience_gql.storage.facts import Identity
from audience_gql.storage.statements import load_statements

_SQL = load_statements(__file__)
_IN_TURN = ("erase_events", "erase_event_keys", "erase_memberships", "erase_marks", "erase_person")


async def hold_person(connection: Connection, bucket_id: int, subscriber_id: int) -> bool:
    """Keep every writer about this person out until the end of the transaction. False when there is none."""
    return await connection.fetchval(_SQL["hold_person"], bucket_id, subscriber_id) is not None


async def lists_of(connection: Connection, bucket_id: int, subscriber_id: int) -> list[tuple[ListKind, int]]:
    """The lists that she is in as the log says it, (kind, id) each: a group that no tick has logged yet is none of them."""
    rows = await connection.fetch(_SQL["lists_of"], bucket_id, subscriber_id)
    return [(row["list_kind"], row["list_id"]) for row in rows]


async def erase(
    connection: Connection, workspace_id: int, bucket_id: int, subscriber_id: int
) -> list[Identity]:
    """Delete their rows in every table but the log, where their random id stays. Returns the keys that they had."""
    keys = await connection.fetch(_SQL["erase_identities"], workspace_id, bucket_id, subscriber_id)
    for statement in _IN_TURN:
        await connection.execute(_SQL[statement], bucket_id, subscriber_id)
    return [(row["kind"], row["value"]) for row in keys]
