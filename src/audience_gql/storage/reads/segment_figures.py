"""Figures of segments: their sizes over time, and their overlaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.storage.database import Database
from audience_gql.storage.ids import SUBSCRIBER_IDS

MEMBERSHIPS_COUNTED: Final = 500_000
"""If the segments together have more members than this, only a sample of the people is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How many people are in exactly these segments, and in no other of the segments that were given."""

    segment_ids: tuple[int, ...]
    members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    at: datetime
    """When the interval begins."""
    members: int
    """The size at the end of the interval."""
    entered: int
    left: int


async def overlaps(
    database: Database, workspace_id: int, segment_ids: Collection[int], *, counted: int = MEMBERSHIPS_COUNTED
) -> list[Overlap]:
    """How many people are in exactly each combination of these segments, the most frequent first. Combinations without people are left out.

    Up to 31 segments, because a combination has one bit for each.
    """
    total = await database.fetchval(
        "SELECT coalesce(sum(t.members), 0)::bigint FROM buckets b "
        "JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = ANY($2::bigint[]) WHERE b.workspace_id = $1",
        workspace_id,
        list(segment_ids),
    )
    share = min(1.0, counted / total) if total else 1.0
    ordered = sorted(segment_ids)
    rows = await database.fetch(
        "SELECT x.combination, count(*) AS people FROM buckets b CROSS JOIN LATERAL ("
        "SELECT bit_or(1 << (array_position($2::bigint[], m.segment_id) - 1)) AS combination FROM segment_members m "
        "WHERE m.bucket_id = b.id AND m.segment_id = ANY($2::bigint[]) AND m.subscriber_id < $3 "
        "GROUP BY m.subscriber_id) x WHERE b.workspace_id = $1 "
        "GROUP BY x.combination ORDER BY people DESC, x.combination",
        workspace_id,
        ordered,
        int(SUBSCRIBER_IDS * share),
    )
    return [
        Overlap(
            segment_ids=tuple(id_ for bit, id_ in enumerate(ordered) if row["combination"] >> bit & 1),
            members=round(row["people"] / share),
        )
        for row in rows
    ]


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
