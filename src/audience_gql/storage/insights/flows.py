"""Counts from the log who entered and left a segment in a period, why, and how long they had stayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from audience_gql.storage.database import Connection, Database
from audience_gql.storage.insights.log_positions import positions_before


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseFlow:
    """How many changes of a period have one cause."""

    cause: str
    entered: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The changes of one segment in a period."""

    start: datetime
    end: datetime
    """The first instant after the period."""
    members_at_start: int
    """Right before the period."""
    members_at_end: int
    causes: tuple[CauseFlow, ...]
    came: int
    """Different people who entered."""
    came_back: int
    """Different people who entered and had left before, in the period or earlier in the log."""
    left: int
    """Different people who left."""
    median_stay: timedelta | None
    """Of the stays that ended in the period; None if none did."""


async def flow_of_segment(
    database: Database, workspace_id: int, segment_id: int, *, start: datetime, end: datetime
) -> Flow:
    """What happened to a segment from `start` until before `end`. Raises LogExpired."""
    async with database.snapshot() as connection:
        after = await positions_before(connection, workspace_id, start)
        upto = await positions_before(connection, workspace_id, end)
        members = await _members_at(connection, segment_id, upto)
        rows = await _changes(connection, segment_id, after, upto)
    total = rows[-1]  # the only row without a cause
    causes = tuple(CauseFlow(cause=it["cause"], entered=it["entered"], left=it["gone"]) for it in rows[:-1])
    return Flow(
        start=start,
        end=end,
        members_at_start=members - total["entered"] + total["gone"],
        members_at_end=members,
        causes=causes,
        came=total["came"],
        came_back=total["came_back"],
        left=total["people_gone"],
        median_stay=total["median_stay"],
    )


async def _members_at(connection: Connection, segment_id: int, positions: Mapping[int, int]) -> int:
    """The segment's size after these sequences: its size now without the changes since then."""
    members: int = await connection.fetchval(
        "SELECT coalesce(sum(t.members - x.difference), 0)::bigint "
        "FROM unnest($2::bigint[], $3::bigint[]) AS b (id, position) "
        "JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = $1 "
        "CROSS JOIN LATERAL ("
        "SELECT count(*) FILTER (WHERE c.entered) - count(*) FILTER (WHERE NOT c.entered) AS difference "
        "FROM membership_changes c WHERE c.bucket_id = b.id AND c.list_id = $1 AND c.sequence > b.position) x",
        segment_id,
        list(positions),
        list(positions.values()),
    )
    return members


async def _changes(
    connection: Connection, segment_id: int, after: Mapping[int, int], upto: Mapping[int, int]
) -> list[asyncpg.Record]:
    """The counts by cause, sorted by cause, and in the last row the counts for all causes together.

    Entries and exits of a person take turns. So the change before an exit is the entry with which the stay began, and somebody who enters
    and has an earlier change comes back. A shortened log keeps exactly the entries of the people who were still members.
    """
    return await connection.fetch(
        "WITH changes AS MATERIALIZED ("
        "SELECT b.id AS bucket_id, y.subscriber_id, y.entered, y.cause, y.occurred_at - y.previous_at AS since "
        "FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS b (id, after, upto) CROSS JOIN LATERAL ("
        "SELECT c.subscriber_id, c.entered, c.cause, c.occurred_at, coalesce("
        "lag(c.occurred_at) OVER (PARTITION BY c.subscriber_id ORDER BY c.sequence), ("
        "SELECT l.occurred_at FROM membership_changes l WHERE l.bucket_id = b.id AND l.subscriber_id = c.subscriber_id "
        "AND l.list_id = $1 AND l.sequence <= b.after ORDER BY l.sequence DESC LIMIT 1)) AS previous_at "
        "FROM membership_changes c "
        "WHERE c.bucket_id = b.id AND c.list_id = $1 AND c.sequence > b.after AND c.sequence <= b.upto) y) "
        "SELECT x.cause, count(*) FILTER (WHERE x.entered) AS entered, count(*) FILTER (WHERE NOT x.entered) AS gone, "
        "count(DISTINCT (x.bucket_id, x.subscriber_id)) FILTER (WHERE x.entered) AS came, "
        "count(DISTINCT (x.bucket_id, x.subscriber_id)) FILTER (WHERE x.entered AND x.since IS NOT NULL) AS came_back, "
        "count(DISTINCT (x.bucket_id, x.subscriber_id)) FILTER (WHERE NOT x.entered) AS people_gone, "
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY x.since) FILTER (WHERE NOT x.entered) AS median_stay "
        "FROM changes x GROUP BY GROUPING SETS ((x.cause), ()) ORDER BY x.cause NULLS LAST",
        segment_id,
        list(after),
        list(after.values()),
        [upto[bucket_id] for bucket_id in after],
    )
