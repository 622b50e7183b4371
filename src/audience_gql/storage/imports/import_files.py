"""The files of imports, in pieces.

They are stored in Postgres, because it is the only lasting storage that the process that receives a file shares with the one that processes it.
"""

from __future__ import annotations

from datetime import datetime

from audience_gql.storage.postgres.database import Connection


async def write_chunk(
    connection: Connection, import_id: int, *, upload_id: int, position: int, content: bytes, now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO import_chunks (import_id, upload_id, position, content, received_at) VALUES ($1, $2, $3, $4, $5)",
        import_id,
        upload_id,
        position,
        content,
        now,
    )


async def read_chunks(
    connection: Connection, import_id: int, upload_id: int, *, start: int, stop: int
) -> list[tuple[int, bytes]]:
    """The pieces that begin in [start, stop), as (position, content), in the order of their positions."""
    rows = await connection.fetch(
        "SELECT position, content FROM import_chunks "
        "WHERE import_id = $1 AND upload_id = $2 AND position >= $3 AND position < $4 ORDER BY position",
        import_id,
        upload_id,
        start,
        stop,
    )
    return [(row["position"], row["content"]) for row in rows]


async def accept_upload(connection: Connection, import_id: int, upload_id: int, size: int) -> bool:
    """Make this upload the import's file. Returns False if another upload was first, or the import has ended."""
    accepted = await connection.fetchval(
        "UPDATE imports SET upload_id = $2, bytes = $3 WHERE id = $1 AND upload_id IS NULL AND state = 'WAITING' RETURNING id",
        import_id,
        upload_id,
        size,
    )
    return accepted is not None


async def forget_pieces(connection: Connection, import_id: int, *, before: int) -> None:
    """Delete the pieces that begin before a position. All of their rows are written."""
    await connection.execute(
        "DELETE FROM import_chunks WHERE import_id = $1 AND position < $2", import_id, before
    )


async def forget_leftovers(connection: Connection, silent_since: datetime) -> None:
    """Delete up to 400 pieces of imports that have ended, and of uploads that broke off before an instant."""
    await connection.execute(
        "DELETE FROM import_chunks WHERE (import_id, upload_id, position) IN ("
        "SELECT c.import_id, c.upload_id, c.position FROM import_chunks c JOIN imports i ON i.id = c.import_id "
        "WHERE i.state NOT IN ('WAITING', 'RUNNING') OR (i.upload_id IS DISTINCT FROM c.upload_id AND NOT EXISTS ("
        "SELECT 1 FROM import_chunks k WHERE k.import_id = c.import_id AND k.upload_id = c.upload_id AND k.received_at >= $1"
        ")) LIMIT 400)",
        silent_since,
    )
