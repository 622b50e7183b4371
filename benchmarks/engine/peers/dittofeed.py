"""Dittofeed's way: every two minutes, fold new events into states, and assign again the people whose states changed.

Written from the published source (github.com/dittofeed/dittofeed, packages/backend-lib/src), step by step:

- config.ts: `computePropertiesInterval` is 120 seconds.
- computedProperties/computePropertiesIncremental.ts `segmentNodeToStateSubQuery`: one state per leaf, person and span of time. For a
  window of W, event times are truncated to a multiple of W / 10, at least a second and at most a day (`truncateEventTimeExpression`).
- `computeState`: only events that arrived since the last period's end are folded in.
- `computeAssignments`: leaves whose window has expired become false, and leaves with new states are resolved again. Then the tree is
  evaluated for people with a newly resolved leaf, and different assignments are written.

New events come in their own table, whose writing is not measured, because ClickHouse finds them by its sort key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from audience_gql.storage.postgres.database import Connection
from benchmarks.engine.peers.subject import Subject

NAME = "Dittofeed"
EVERY_SECONDS = 120

TABLES = """
DROP TABLE IF EXISTS peers_dittofeed_arrived, peers_dittofeed_states, peers_dittofeed_resolved, peers_dittofeed_assigned;
CREATE TABLE peers_dittofeed_arrived (bucket_id bigint, user_id bigint, name_id bigint, event_time timestamptz);
CREATE TABLE peers_dittofeed_states (
  state_id text, bucket_id bigint, user_id bigint, event_time timestamptz, unique_count bigint,
  PRIMARY KEY (state_id, bucket_id, user_id, event_time));
CREATE TABLE peers_dittofeed_resolved (
  state_id text, bucket_id bigint, user_id bigint, value boolean, computed_at timestamptz,
  PRIMARY KEY (state_id, bucket_id, user_id));
CREATE INDEX peers_dittofeed_computed ON peers_dittofeed_resolved (state_id, computed_at);
CREATE TABLE peers_dittofeed_assigned (
  segment_id bigint, bucket_id bigint, user_id bigint, value boolean, PRIMARY KEY (segment_id, bucket_id, user_id));
"""
DROP = (
    "DROP TABLE IF EXISTS "
    "peers_dittofeed_arrived, peers_dittofeed_states, peers_dittofeed_resolved, peers_dittofeed_assigned"
)

ARRIVE = """
INSERT INTO peers_dittofeed_arrived
SELECT e.bucket_id, e.subscriber_id, e.name_id, e.occurred_at FROM events e
WHERE e.bucket_id = ANY($1::bigint[]) AND e.name_id = ANY($2::bigint[]) AND e.id > $3
"""
_STATES = """
INSERT INTO peers_dittofeed_states AS s (state_id, bucket_id, user_id, event_time, unique_count)
SELECT $1::text, a.bucket_id, a.user_id,
       date_bin(make_interval(secs => $3::int), a.event_time, 'epoch'::timestamptz), count(*)
FROM peers_dittofeed_arrived a WHERE a.name_id = $2 GROUP BY 1, 2, 3, 4
ON CONFLICT (state_id, bucket_id, user_id, event_time) DO UPDATE SET unique_count = s.unique_count + excluded.unique_count
"""
_EXPIRE = """
UPDATE peers_dittofeed_resolved r SET value = false, computed_at = $4
WHERE r.state_id = $1 AND r.value AND NOT EXISTS (
  SELECT FROM peers_dittofeed_states s
  WHERE s.state_id = r.state_id AND s.bucket_id = r.bucket_id AND s.user_id = r.user_id AND s.event_time >= $2
  GROUP BY s.user_id HAVING sum(s.unique_count) >= $3)
"""
_RESOLVE = """
INSERT INTO peers_dittofeed_resolved AS r (state_id, bucket_id, user_id, value, computed_at)
SELECT s.state_id, s.bucket_id, s.user_id,
       coalesce(sum(s.unique_count) FILTER (WHERE s.event_time >= $3), 0) >= $4, $5::timestamptz
FROM peers_dittofeed_states s
WHERE s.state_id = $1 AND (s.bucket_id, s.user_id) IN (
  SELECT a.bucket_id, a.user_id FROM peers_dittofeed_arrived a WHERE a.name_id = $2)
GROUP BY s.state_id, s.bucket_id, s.user_id
ON CONFLICT (state_id, bucket_id, user_id) DO UPDATE SET value = excluded.value, computed_at = excluded.computed_at
WHERE r.value <> excluded.value
"""
_ASSIGN = """
INSERT INTO peers_dittofeed_assigned AS g (segment_id, bucket_id, user_id, value)
SELECT $1::bigint, u.bucket_id, u.user_id, {verdict}
FROM (SELECT DISTINCT r.bucket_id, r.user_id FROM peers_dittofeed_resolved r
      WHERE r.state_id = ANY($2::text[]) AND r.computed_at = $3) u
{joins}
ON CONFLICT (segment_id, bucket_id, user_id) DO UPDATE SET value = excluded.value WHERE g.value <> excluded.value
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    state_id: str
    name_id: int
    at_least: int
    window: timedelta

    @property
    def span_seconds(self) -> int:
        return min(max(int(self.window.total_seconds() // 10), 1), 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dittofeed:
    """Works on all buckets and on the events that `ARRIVE` has written since the last run."""

    connection: Connection

    async def first_fill(self, subject: Subject, now: datetime) -> None:
        """The first round. It analyses the new tables for the planner on the way."""
        await self._round(subject, now, is_first=True)

    async def run(self, subject: Subject, now: datetime) -> None:
        """One round of the scheduler for one segment."""
        await self._round(subject, now, is_first=False)

    async def _round(self, subject: Subject, now: datetime, *, is_first: bool) -> None:
        leaves: list[_Leaf] = []
        verdict = _verdict(subject.json, subject, leaves)
        for leaf in leaves:
            await self._fold(leaf)
            if is_first:
                await self.connection.execute("ANALYZE peers_dittofeed_states")
            await self._resolve(leaf, now)
        if is_first:
            await self.connection.execute("ANALYZE peers_dittofeed_resolved")
        joins = "\n".join(
            f"LEFT JOIN peers_dittofeed_resolved r{n} ON r{n}.state_id = '{leaf.state_id}' "
            f"AND r{n}.bucket_id = u.bucket_id AND r{n}.user_id = u.user_id"
            for n, leaf in enumerate(leaves)
        )
        assign = _ASSIGN.format(verdict=verdict, joins=joins)
        await self.connection.execute(assign, subject.id, [leaf.state_id for leaf in leaves], now)

    async def _fold(self, leaf: _Leaf) -> None:
        await self.connection.execute(_STATES, leaf.state_id, leaf.name_id, leaf.span_seconds)

    async def _resolve(self, leaf: _Leaf, now: datetime) -> None:
        start = now - leaf.window
        await self.connection.execute(_EXPIRE, leaf.state_id, start, leaf.at_least, now)
        await self.connection.execute(_RESOLVE, leaf.state_id, leaf.name_id, start, leaf.at_least, now)

    async def forget_arrivals(self) -> None:
        await self.connection.execute("TRUNCATE peers_dittofeed_arrived")

    async def members(self, subject: Subject) -> set[int]:
        rows = await self.connection.fetch(
            "SELECT user_id FROM peers_dittofeed_assigned WHERE segment_id = $1 AND value", subject.id
        )
        return {row["user_id"] for row in rows}


def _verdict(
    node: Mapping[str, Any], subject: Subject, leaves: list[_Leaf]
) -> str:  # Any: a condition's JSON
    """The tree as SQL over its leaves' states `r<n>`. Adds each leaf to `leaves`."""
    ((kind, value),) = node.items()
    match kind:
        case "all" | "any":
            word = " AND " if kind == "all" else " OR "
            return f"({word.join(_verdict(child, subject, leaves) for child in value)})"
        case "not":
            return f"(NOT {_verdict(value, subject, leaves)})"
        case "event":
            position = len(leaves)
            leaves.append(
                _Leaf(
                    state_id=f"{subject.id}-{position}",
                    name_id=subject.event_names[value["name"]],
                    at_least=value.get("times", {}).get("atLeast", 1),
                    window=timedelta(**value["within"]["last"]),
                )
            )
            return f"coalesce(r{position}.value, false)"
    raise AssertionError(kind)
