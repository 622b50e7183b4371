"""Deletes a workspace with everything in it, in slices. It may be interrupted anywhere; called again, it continues."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from audience_gql.audience.failures import Failure, InvalidInput, Issue, NotFound
from audience_gql.audience.ports import Ports
from audience_gql.storage import buckets, definitions, workspace_removal
from audience_gql.storage.engine import membership
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Transaction
from audience_gql.storage.tables import BUCKETED

_ROWS: Final = 5_000
"""Rows in one slice: few enough that ticks of other workspaces and the disks keep up."""
_LAST_ROWS: Final = 1_000_000_000


class BeingWritten(Failure):
    """A worker writes an import or an export of the workspace."""


async def begin_removal(*, ports: Ports, workspace: Workspace, confirmed_name: str) -> None:
    """Close a workspace for good: its tokens are revoked, and its definitions, imports and exports are deleted.

    Does nothing to one that is closed already. Raises InvalidInput unless the name is repeated exactly, BeingWritten, and NotFound if it is gone.
    """
    if confirmed_name != workspace.name:
        message = f"to delete the workspace, repeat its name exactly: {workspace.name!r}"
        raise InvalidInput((Issue(code="CONFLICT", message=message, path=("name",)),))

    async def work(transaction: Transaction) -> None:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        row = await Workspace.get_or_none(id=workspace.id)
        if row is None:
            raise NotFound("the workspace is deleted already", ("workspace",))
        if row.deleted_at is not None:
            return
        if await workspace_removal.is_being_written(connection, workspace.id):
            message = "a worker writes an import or an export of this workspace; wait until it has ended, or end it over the API"
            raise BeingWritten(message, ("workspace",))
        await buckets.lock_buckets(connection, workspace.id)
        await workspace_removal.begin(connection, workspace.id, await ports.clock.now(connection))
        transaction.after_commit(lambda: ports.signals.changed([workspace.id]))

    await ports.database.run(work)


async def remove_workspace(*, ports: Ports, workspace: Workspace, rows: int = _ROWS) -> AsyncIterator[int]:
    """Remove everything of a workspace that is closed. Yields how many rows are removed so far, after each slice."""
    async with ports.database.acquire() as connection:
        bucket_ids = await buckets.bucket_ids(connection, workspace.id)
    removed = 0
    for bucket_id in bucket_ids:
        for table in BUCKETED:
            while count := await _remove_slice(ports, bucket_id, table, rows):
                removed += count
                yield removed
    while count := await _remove_identities(ports, workspace.id, rows):
        removed += count
        yield removed
    await _remove_rest(ports, workspace.id, bucket_ids)


async def _remove_slice(ports: Ports, bucket_id: int, table: str, rows: int) -> int:
    async def work(transaction: Transaction) -> int:
        await membership.lock_bucket(transaction.connection, bucket_id)
        return await workspace_removal.remove_from_bucket(transaction.connection, bucket_id, table, rows)

    return await ports.database.run(work)


async def _remove_identities(ports: Ports, workspace_id: int, rows: int) -> int:
    async def work(transaction: Transaction) -> int:
        return await workspace_removal.remove_identities(transaction.connection, workspace_id, rows)

    return await ports.database.run(work)


async def _remove_rest(ports: Ports, workspace_id: int, bucket_ids: list[int]) -> None:
    """Remove what callers wrote in the meantime whose token was checked before, and then the workspace."""

    async def work(transaction: Transaction) -> None:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace_id)
        await buckets.lock_buckets(connection, workspace_id)
        for bucket_id in bucket_ids:
            for table in BUCKETED:
                await workspace_removal.remove_from_bucket(connection, bucket_id, table, _LAST_ROWS)
        await workspace_removal.remove_identities(connection, workspace_id, _LAST_ROWS)
        await workspace_removal.remove_workspace(connection, workspace_id)

    await ports.database.run(work)
