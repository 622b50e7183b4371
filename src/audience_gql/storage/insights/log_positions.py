"""Finds where the log is at an instant, and since when it is complete.

Everything that tells about the past asks this module first, so that nothing is computed from a part of the log that was shortened.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from audience_gql.storage import buckets
from audience_gql.storage.postgres.database import Connection

MICROSECOND: Final = timedelta(microseconds=1)
"""Instants are stored to the microsecond."""

# Logs that were shortened before complete_since was stored have their first complete row instead. Rows of that same instant may be
# missing, so such a log is complete one microsecond later.
COMPLETE_SINCE: Final = (
    "CASE WHEN b.pruned_through > 0 THEN coalesce(b.complete_since, coalesce(("
    "SELECT f.occurred_at FROM membership_changes f WHERE f.bucket_id = b.id AND f.sequence = b.pruned_through + 1"
    "), b.last_instant) + interval '1 microsecond') END"
)
"""The instant from which the log of a bucket `b` is complete, as SQL; null if it was never shortened."""

# Sequences have no gaps after `pruned_through`, and instants never go back, so a binary search needs one row for each of its steps.
# It goes through one bucket, because Citus recurses only on the machine that a value names.
_POSITION: Final = (
    "WITH RECURSIVE search (bucket_id, low, high) AS ("
    "SELECT b.id, b.pruned_through, b.next_sequence - 1 FROM buckets b WHERE b.id = $1 "
    "UNION ALL "
    "SELECT s.bucket_id, CASE WHEN c.occurred_at < $2 THEN c.sequence ELSE s.low END, "
    "CASE WHEN c.occurred_at < $2 THEN s.high ELSE c.sequence - 1 END "
    "FROM search s JOIN membership_changes c ON c.bucket_id = $1 AND c.sequence = (s.low + s.high + 1) / 2 "
    "WHERE s.low < s.high) "
    f"SELECT b.id, s.low AS sequence, {COMPLETE_SINCE.replace('f.bucket_id = b.id', 'f.bucket_id = $1')} AS complete_since "
    "FROM search s JOIN buckets b ON b.id = $1 WHERE s.low = s.high"
)


class LogExpired(Exception):
    """The log is no longer complete at an instant. `complete_since` is the earliest instant at which it is."""

    def __init__(self, complete_since: datetime) -> None:
        super().__init__("the log is no longer complete at this instant; ask for a later one")
        self.complete_since = complete_since


async def positions_at(connection: Connection, workspace_id: int, instant: datetime) -> Mapping[int, int]:
    """The last sequence of each bucket up to and including this instant. Raises LogExpired."""
    return await _positions(connection, workspace_id, instant, before=instant + MICROSECOND)


async def positions_before(connection: Connection, workspace_id: int, instant: datetime) -> Mapping[int, int]:
    """The last sequence of each bucket before this instant. Raises LogExpired if the changes from this instant on are not complete."""
    return await _positions(connection, workspace_id, instant, before=instant)


async def ceilings_at(connection: Connection, workspace_id: int, instant: datetime) -> Mapping[int, int]:
    """A sequence of each bucket that no change up to this instant exceeds, also where the log was shortened."""
    rows = await _rows(connection, workspace_id, before=instant + MICROSECOND)
    return {row["id"]: row["sequence"] for row in rows}


async def _positions(
    connection: Connection, workspace_id: int, instant: datetime, *, before: datetime
) -> Mapping[int, int]:
    rows = await _rows(connection, workspace_id, before=before)
    starts = [row["complete_since"] for row in rows if row["complete_since"] is not None]
    if starts and instant < max(starts):
        raise LogExpired(max(starts))
    return {row["id"]: row["sequence"] for row in rows}


async def _rows(connection: Connection, workspace_id: int, *, before: datetime) -> list[asyncpg.Record]:
    found = []
    for bucket_id in await buckets.bucket_ids(connection, workspace_id):
        found += await connection.fetch(_POSITION, bucket_id, before)
    return found
