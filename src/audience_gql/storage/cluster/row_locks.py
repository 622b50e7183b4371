"""Locks that keep the rows of definitions as they are until the end of a transaction, on one machine and on a cluster.

On a cluster, every machine has the definitions, and the lock of one row locks the whole table there, for all workspaces. So a lock at the
coordinator, with the row's id as its number, stands for the row's own. No two rows have the same id, whatever their table.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audience_gql.storage.postgres.database import Connection


def stand_in(connection: Connection) -> bool:
    """Whether locks at the coordinator stand for those of rows: whether this is a connection to a cluster."""
    found: bool = getattr(connection, "is_cluster", False)
    return found


async def share(connection: Connection, ids: Collection[int]) -> None:
    """Keep these rows from being taken, together with others who share them. Only on a cluster; on one machine, lock the rows themselves.

    Read the rows afterwards: what was read before may have changed while this waited.
    """
    if ids:
        await connection.execute(
            "SELECT pg_advisory_xact_lock_shared(k.id) FROM unnest($1::bigint[]) AS k (id)", sorted(ids)
        )


async def take(connection: Connection, ids: Collection[int]) -> None:
    """Take these rows for this transaction alone. On one machine, the change that follows takes them, so this does nothing."""
    if ids and stand_in(connection):
        await connection.execute(
            "SELECT pg_advisory_xact_lock(k.id) FROM unnest($1::bigint[]) AS k (id)", sorted(ids)
        )
