"""The sizes of segments over time, read from the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audience_gql.storage.postgres.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    at: datetime
    """When the interval begins."""
    members: int
    """The size at the end of the interval."""
    entered: int
    left: int


async def sizes(
    database: Database, workspace_id: int, segment_id: int, starts: Sequence[datetime], end: datetime
) -> list[Size]:
    """A segment's size in the intervals that begin at these instants. The last interval ends at `end`.

    Read from the log, and for the pruned part of the log from `segment_hours`.
    """
    rows = await database.fetch(
        "SELECT 0 AS position, coalesce(sum(t.members), 0)::bigint AS entered, 0::bigint AS gone FROM buckets b "
        "JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = $2 WHERE b.workspace_id = $1 "
        "UNION ALL SELECT x.position, sum(x.entered)::bigint, sum(x.gone)::bigint FROM buckets b CROSS JOIN LATERAL ("
        "SELECT width_bucket(c.occurred_at, $3::timestamptz[]) AS position, "
        "count(*) FILTER (WHERE c.entered) AS entered, count(*) FILTER (WHERE NOT c.entered) AS gone "
        "FROM membership_changes c WHERE c.bucket_id = b.id AND c.list_id = $2 AND c.occurred_at >= $4 "
        "AND c.sequence > b.pruned_through GROUP BY 1) x WHERE b.workspace_id = $1 GROUP BY x.position "
        "UNION ALL SELECT y.position, sum(y.entered)::bigint, sum(y.gone)::bigint FROM buckets b CROSS JOIN LATERAL ("
        'SELECT width_bucket(h.hour, $3::timestamptz[]) AS position, sum(h.entered) AS entered, sum(h."left") AS gone '
        "FROM segment_hours h WHERE h.bucket_id = b.id AND h.segment_id = $2 AND h.hour >= $4 "
        "GROUP BY 1) y WHERE b.workspace_id = $1 GROUP BY y.position",
        workspace_id,
        segment_id,
        [*starts, end],
        starts[0],
    )
    entering: Counter[int] = Counter()
    leaving: Counter[int] = Counter()
    for row in rows:
        entering[row["position"]] += row["entered"]
        leaving[row["position"]] += row["gone"]
    members = entering[0]  # the size now; the loop goes back in time
    entered, left = entering[len(starts) + 1], leaving[len(starts) + 1]
    found = []
    for position in range(len(starts), 0, -1):
        members -= entered - left
        entered, left = entering[position], leaving[position]
        found.append(Size(at=starts[position - 1], members=members, entered=entered, left=left))
    return found[::-1]
