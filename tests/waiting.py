"""Whether a transaction of this database waits for another one's lock. A cluster has the locks on the machines with the rows."""

from __future__ import annotations

from audience_gql.storage.postgres.database import Database

_ON_ONE_SERVER = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
_ON_A_CLUSTER = (
    "SELECT EXISTS (SELECT FROM citus_lock_waits w JOIN citus_stat_activity a ON a.global_pid = w.waiting_gpid "
    "WHERE a.datname = current_database())"
)
"""The view of waits tells of all databases of the cluster, so also of those of other tests."""


async def somebody_waits(database: Database) -> bool:
    waiting: bool = await database.fetchval(_ON_A_CLUSTER if database.is_cluster else _ON_ONE_SERVER)
    return waiting
