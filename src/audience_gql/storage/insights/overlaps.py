"""How many people segments have in common."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
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
