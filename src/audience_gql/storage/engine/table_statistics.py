"""Gathers the planner's statistics of tables that have grown to twice their size since Postgres did.

Autovacuum does the same, but only after a minute or two, and until then a question about a whole segment may be planned as if nobody were in it.
"""

from __future__ import annotations

from typing import Final

from audience_gql.storage.postgres.database import Connection

TABLES: Final = (
    "subscribers", "channel_states", "subscriber_dates", "group_members", "events", "segment_members", "membership_changes",
)  # fmt: skip
"""What conditions and insights read."""
LEAST_PAGES: Final = 20
"""A smaller table is read quickly by any plan."""
_PAGE: Final = 8192
_GROWN: Final = (
    "SELECT t.name FROM unnest($1::text[]) AS t (name) JOIN pg_class c ON c.oid = to_regclass(t.name) "
    "WHERE pg_relation_size(c.oid) >= $2::bigint * greatest($3::bigint, 2 * c.relpages) AND pg_has_role(c.relowner, 'USAGE') ORDER BY t.name"
)
"""Tables of other owners are left out, because Postgres would refuse."""


async def gather(connection: Connection) -> list[str]:
    """Gather the statistics of the tables that need it. Returns their names.

    Each time takes at most a sample of 30,000 rows, and a table must double until the next time. Not within a transaction. A table that
    somebody else analyses, or that this role does not own, is left out. On a Citus cluster, the coordinator has no rows, and nothing happens.
    """
    grown = [row["name"] for row in await connection.fetch(_GROWN, list(TABLES), _PAGE, LEAST_PAGES)]
    for name in grown:
        await connection.execute(f"ANALYZE (SKIP_LOCKED) {name}")
    return grown
