"""The queue of deleted groups, fields, automations and webhook endpoints that still have rows in buckets, and the statements that delete these rows.

Every function works inside the caller's transaction. The functions about a group's members need the bucket's lock.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from audience_gql.storage.engine.membership import to_the_end
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)

Cleared: TypeAlias = Literal["group", "field", "automation", "endpoint"]


class Wanted(NamedTuple):
    """A deleted group, field, automation or webhook endpoint whose rows still have to be cleared. `ref` is its former id."""

    kind: Cleared
    ref: int


async def want(connection: Connection, workspace_id: int, kind: Cleared, ref: int) -> None:
    """Queue the clearing. Call this in the transaction of the deletion, so that it cannot be lost."""
    await connection.execute(_SQL["want"], kind, ref, workspace_id)


async def workspaces(connection: Connection) -> list[int]:
    """The workspaces with waiting clearings."""
    return [row["workspace_id"] for row in await connection.fetch(_SQL["workspaces"])]


async def wanted(connection: Connection, workspace_id: int) -> list[Wanted]:
    return [Wanted(row["kind"], row["ref"]) for row in await connection.fetch(_SQL["wanted"], workspace_id)]


async def settle(connection: Connection, done: Wanted) -> None:
    """Remove a finished clearing from the queue."""
    await connection.execute(_SQL["settle"], *done)


async def members_end(connection: Connection, bucket_id: int, group_id: int, people: int) -> int | None:
    """The last id of the next slice of members; None when the slice reaches the end."""
    end: int | None = await connection.fetchval(_SQL["members_end"], bucket_id, group_id, people)
    return end


async def take_members(connection: Connection, bucket_id: int, group_id: int, end: int | None) -> list[int]:
    """Delete the members up to an id, with their marks. Returns those who are in the group according to the log."""
    bounds = bucket_id, group_id, to_the_end(end)
    rows = await connection.fetch(_SQL["logged_members"], *bounds)
    await connection.execute(_SQL["forget_marks"], *bounds)
    await connection.execute(_SQL["forget_members"], *bounds)
    return [row["subscriber_id"] for row in rows]


async def forget_group_state(connection: Connection, bucket_id: int, group_id: int) -> None:
    await connection.execute(_SQL["forget_group_state"], bucket_id, group_id)


async def forget_values(
    connection: Connection, bucket_id: int, field_id: int, after: int, end: int | None
) -> None:
    """Remove a custom field's values of the people with ids in (after, end]."""
    bounds = bucket_id, after, to_the_end(end)
    await connection.execute(_SQL["forget_values"], *bounds, str(field_id))
    await connection.execute(_SQL["forget_dates"], *bounds, [field_id, -field_id])
