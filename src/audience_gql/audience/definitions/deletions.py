"""Deletes groups and custom fields: they disappear at once, and what they leave behind is cleared in the background.

A million people may be in a group or have a value, so clearing.py removes members and values bucket by bucket.
"""

from __future__ import annotations

from typing import Literal

from audience_gql.audience.definitions.readers import automations_naming, segments_reading
from audience_gql.audience.definitions.segments import InUse
from audience_gql.audience.failures import NotFound
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.entries import Change, record
from audience_gql.conditions.base import Read
from audience_gql.storage import clearing, definitions
from audience_gql.storage.cluster import row_locks
from audience_gql.storage.orm.models import CustomField, Group, Workspace
from audience_gql.storage.postgres.database import Transaction


async def delete_group(*, ports: Ports, workspace: Workspace, group_id: int | None) -> None:
    """Delete a group. Its members leave it in the background, and the log records it. Raises NotFound, InUse."""
    await _delete(ports, workspace, Group, "group", group_id)


async def delete_custom_field(*, ports: Ports, workspace: Workspace, field_id: int | None) -> None:
    """Delete a custom field. Its key is free at once; people's values are deleted in the background. Raises NotFound, InUse."""
    await _delete(ports, workspace, CustomField, "field", field_id)


async def _delete(
    ports: Ports,
    workspace: Workspace,
    model: type[Group | CustomField],
    kind: Literal["group", "field"],
    id_: int | None,
) -> None:
    async def work(transaction: Transaction) -> None:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        row = None if id_ is None else await model.get_or_none(id=id_, workspace_id=workspace.id)
        if row is None:
            noun = "group" if kind == "group" else "custom field"
            raise NotFound(f"there is no {noun} with this id", ("id",))
        used_by = await segments_reading(connection, workspace.id, Read(source=kind, ref=row.id))
        automations = await automations_naming(connection, workspace.id, Read(source=kind, ref=row.id))
        if used_by or automations:
            raise InUse(used_by, automations)
        await row_locks.take(connection, [row.id])
        await row.delete()  # waits for transactions that write members or values, and keeps out new ones
        await clearing.want(connection, workspace.id, kind, row.id)
        await record(ports, transaction, workspace.id, await ports.clock.now(connection), _change(row))
        transaction.after_commit(lambda: ports.jobs.clear(workspace.id))

    await ports.database.run(work)


def _change(row: Group | CustomField) -> Change:
    if isinstance(row, Group):
        before = portraits.of_group(row)
        return Change(kind="GROUP_DELETED", object_id=row.id, object_name=row.name, before=before)
    before = portraits.of_field(row)
    return Change(kind="CUSTOM_FIELD_DELETED", object_id=row.id, object_name=row.key, before=before)
