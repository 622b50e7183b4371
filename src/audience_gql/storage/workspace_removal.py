"""Removes everything of a workspace, one slice of rows at a time.

Every function works inside the caller's transaction. The slices of a bucket need the bucket's lock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from audience_gql.storage.cluster import row_locks
from audience_gql.storage.postgres.database import Connection

_DEFINITIONS: Final = (
    "DELETE FROM wanted_fills f USING segments s WHERE s.id = f.segment_id AND s.workspace_id = $1",
    "DELETE FROM segment_dependencies d USING segments s WHERE s.id = d.segment_id AND s.workspace_id = $1",
    "DELETE FROM segments s WHERE s.workspace_id = $1",
    "DELETE FROM groups g WHERE g.workspace_id = $1",
    "DELETE FROM custom_fields f WHERE f.workspace_id = $1",
    "DELETE FROM automations a WHERE a.workspace_id = $1",
    "DELETE FROM webhook_endpoints e WHERE e.workspace_id = $1",
    "DELETE FROM wanted_clearings w WHERE w.workspace_id = $1",
    "DELETE FROM trusted_documents d WHERE d.workspace_id = $1",
)
_HELD: Final = (
    "SELECT g.id FROM groups g WHERE g.workspace_id = $1 "
    "UNION ALL SELECT f.id FROM custom_fields f WHERE f.workspace_id = $1"
)
"""The definitions that writers of people hold."""

_REST: Final = (
    "DELETE FROM api_tokens t WHERE t.workspace_id = $1",
    "DELETE FROM event_names n WHERE n.workspace_id = $1",
    "DELETE FROM trail_entries t WHERE t.workspace_id = $1",
    "DELETE FROM trusted_documents d WHERE d.workspace_id = $1",
    "DELETE FROM buckets b WHERE b.workspace_id = $1",
)


async def is_being_written(connection: Connection, workspace_id: int) -> bool:
    """Whether a worker writes, or undoes, an import of the workspace, or writes an export."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM imports i WHERE i.workspace_id = $1 AND (i.state = 'RUNNING' OR i.undo_state = 'RUNNING')) "
        "OR EXISTS (SELECT FROM exports e WHERE e.workspace_id = $1 AND e.state = 'RUNNING')",
        workspace_id,
    )
    return found


async def begin(connection: Connection, workspace_id: int, now: datetime) -> None:
    """Revoke the workspace's tokens, end what waits, and delete its definitions, so that nothing reads or writes its people any more."""
    await connection.execute("UPDATE workspaces SET deleted_at = $2 WHERE id = $1", workspace_id, now)
    await connection.execute(
        "UPDATE api_tokens SET revoked_at = $2 WHERE workspace_id = $1 AND revoked_at IS NULL",
        workspace_id,
        now,
    )
    await connection.execute("DELETE FROM imports i WHERE i.workspace_id = $1", workspace_id)
    await connection.execute("DELETE FROM exports e WHERE e.workspace_id = $1", workspace_id)
    held = await connection.fetch(_HELD, workspace_id)
    await row_locks.take(connection, [row["id"] for row in held])
    for statement in _DEFINITIONS:
        await connection.execute(statement, workspace_id)


async def remove_from_bucket(connection: Connection, bucket_id: int, table: str, rows: int) -> int:
    """Delete up to so many rows of one of the tables above. Returns how many there were."""
    done = await connection.execute(
        f"DELETE FROM {table} t WHERE t.bucket_id = $1 AND t.ctid = ANY(ARRAY("
        f"SELECT x.ctid FROM {table} x WHERE x.bucket_id = $1 LIMIT $2))",
        bucket_id,
        rows,
    )
    return int(done.rpartition(" ")[2])


async def remove_identities(connection: Connection, workspace_id: int, rows: int) -> int:
    """Delete up to so many keys of people. Returns how many there were."""
    done = await connection.execute(
        "DELETE FROM identities i WHERE i.workspace_id = $1 AND (i.kind, i.value) IN ("
        "SELECT x.kind, x.value FROM identities x WHERE x.workspace_id = $1 LIMIT $2)",
        workspace_id,
        rows,
    )
    return int(done.rpartition(" ")[2])


async def remove_workspace(connection: Connection, workspace_id: int) -> None:
    """Delete the workspace itself with its buckets, tokens, names of events, documents and audit trail. Its people are deleted already.

    Each has a statement of its own, because a cluster has no keys between them and the workspace.
    """
    for statement in _REST:
        await connection.execute(statement, workspace_id)
    await connection.execute("DELETE FROM workspaces w WHERE w.id = $1", workspace_id)
