"""Stores the clocks of all time zones, from which SQL computes local days."""

from __future__ import annotations

from typing import Final

from tzdata import IANA_VERSION  # type: ignore[import-untyped]  # the package has no types

from audience_gql.conditions.clocks import clocks
from audience_gql.storage.postgres.database import Connection

_FORM: Final = 1
"""Raise this when `conditions.clocks` writes the same zone data in another way."""
_VERSION: Final = f"{IANA_VERSION}.{_FORM}"
_COMPUTING_SECONDS: Final = 60
"""How long computing the clocks may take. On a busy machine it takes many times as long as usual."""


async def refresh(connection: Connection) -> bool:
    """Write the clocks unless the stored ones are of this version of the zone data or of a later one. Returns whether they were written.

    It needs a transaction. Of several processes that call this at the same time, each writes the same.
    """
    stored = await connection.fetchval("SELECT max(c.version) FROM zone_clocks c")
    if stored is not None and stored >= _VERSION:
        return False
    await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{_COMPUTING_SECONDS}s'")
    rows = [
        (zone, _VERSION, [each.start for each in clock], [each.reading for each in clock])
        for zone, clock in clocks()
    ]
    await connection.executemany(
        "INSERT INTO zone_clocks (zone, version, starts, readings) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (zone) DO UPDATE SET version = excluded.version, starts = excluded.starts, readings = excluded.readings",
        rows,
    )
    await connection.execute("DELETE FROM zone_clocks c WHERE c.version <> $1", _VERSION)
    return True
