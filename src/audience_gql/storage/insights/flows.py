"""Counts from the log who entered and left a segment in a period, why, and how long they had stayed: bucket by bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audience_gql.storage.postgres.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseFlow:
    """How many changes of a period have one cause."""

    cause: str
    entered: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFlow:
    """The changes of one segment in a part of a bucket's log."""

    members_at_end: int
    """After the last change of the part."""
    causes: Sequence[CauseFlow]
    """Only those of which there are changes."""
    came: int
    """Different people who entered."""
    came_back: int
    """Different people who entered and had left before, in this part or earlier in the log."""
    left: int
    """Different people who left."""
    stays: Sequence[int]
    """The lengths of the stays that ended, in microseconds."""


async def flow_in_bucket(
    connection: Connection, bucket_id: int, segment_id: int, *, after: int, upto: int
) -> BucketFlow:
    """What happened to a segment after one sequence of the log, up to and including another one.

    Entries and exits of a person take turns. So the change before an exit is the entry with which the stay began, and somebody who enters
    and has an earlier change comes back. A shortened log keeps exactly the entries of the people who were still members.
    """
    *causes, total = await connection.fetch(
        "SELECT x.cause, count(*) FILTER (WHERE x.entered) AS entered, count(*) FILTER (WHERE NOT x.entered) AS gone, "
        "count(DISTINCT x.subscriber_id) FILTER (WHERE x.entered) AS came, "
        "count(DISTINCT x.subscriber_id) FILTER (WHERE x.entered AND x.previous_at IS NOT NULL) AS came_back, "
        "count(DISTINCT x.subscriber_id) FILTER (WHERE NOT x.entered) AS people_gone, "
        "array_agg((extract(epoch FROM x.occurred_at - x.previous_at) * 1000000)::bigint) FILTER (WHERE NOT x.entered) AS stays "
        "FROM (SELECT c.subscriber_id, c.entered, c.cause, c.occurred_at, coalesce("
        "lag(c.occurred_at) OVER (PARTITION BY c.subscriber_id ORDER BY c.sequence), ("
        "SELECT l.occurred_at FROM membership_changes l WHERE l.bucket_id = $1 AND l.subscriber_id = c.subscriber_id "
        "AND l.list_id = $2 AND l.sequence <= $3 ORDER BY l.sequence DESC LIMIT 1)) AS previous_at "
        "FROM membership_changes c "
        "WHERE c.bucket_id = $1 AND c.list_id = $2 AND c.sequence > $3 AND c.sequence <= $4) x "
        "GROUP BY GROUPING SETS ((x.cause), ()) ORDER BY x.cause NULLS LAST",
        bucket_id,
        segment_id,
        after,
        upto,
    )
    return BucketFlow(
        members_at_end=await _members_after(connection, bucket_id, segment_id, upto),
        causes=[CauseFlow(cause=it["cause"], entered=it["entered"], left=it["gone"]) for it in causes],
        came=total["came"],
        came_back=total["came_back"],
        left=total["people_gone"],
        stays=total["stays"] or (),
    )


async def _members_after(connection: Connection, bucket_id: int, segment_id: int, sequence: int) -> int:
    """The segment's size after this sequence: its size now without the changes since then."""
    members: int = await connection.fetchval(
        "SELECT (coalesce(("
        "SELECT t.members FROM segment_states t WHERE t.bucket_id = $1 AND t.segment_id = $2), 0) "
        "- count(*) FILTER (WHERE c.entered) + count(*) FILTER (WHERE NOT c.entered))::bigint "
        "FROM membership_changes c WHERE c.bucket_id = $1 AND c.list_id = $2 AND c.sequence > $3",
        bucket_id,
        segment_id,
        sequence,
    )
    return members
