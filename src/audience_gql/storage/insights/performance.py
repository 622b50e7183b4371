"""Counts what the members of segments did in a period, while they were members, and what everybody did.

Each function reads one bucket, in the caller's snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import asyncpg

from audience_gql.storage.postgres.database import Connection

_LAST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPeriod:
    """From `start` until before `end`; `upto` is the last sequence of the bucket's log in it."""

    start: datetime
    end: datetime
    upto: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The events of one name in one bucket."""

    people: int = 0
    """Different people who have such events."""
    events: int = 0
    values: int = 0
    """Events with a value."""
    total: Decimal = Decimal(0)
    """The sum of the values."""

    def __add__(self, other: Tally) -> Tally:
        """The events of two buckets together: nobody is in both."""
        return Tally(
            people=self.people + other.people,
            events=self.events + other.events,
            values=self.values + other.values,
            total=self.total + other.total,
        )


async def ids_of_names(connection: Connection, workspace_id: int, names: Collection[str]) -> dict[str, int]:
    """The ids of event names. Names that no event has are left out."""
    rows = await connection.fetch(
        "SELECT n.id, n.name FROM event_names n WHERE n.workspace_id = $1 AND n.name = ANY($2::text[])",
        workspace_id,
        list(names),
    )
    return {row["name"]: row["id"] for row in rows}


async def audiences(
    connection: Connection, bucket_id: int, segment_ids: Sequence[int], period: LoggedPeriod
) -> list[int]:
    """How many people were members of each segment at some instant of the period, then how many people there are. Erased people do not count."""
    rows = await connection.fetch(
        "SELECT z.list_id, count(DISTINCT z.subscriber_id) AS people FROM ("
        "SELECT c.list_id, c.subscriber_id, c.entered, c.occurred_at, "
        "lead(c.occurred_at) OVER (PARTITION BY c.list_id, c.subscriber_id ORDER BY c.sequence) AS left_at "
        "FROM membership_changes c WHERE c.bucket_id = $1 AND c.list_id = ANY($2::bigint[]) AND c.sequence <= $3) z "
        "JOIN subscribers s ON s.bucket_id = $1 AND s.id = z.subscriber_id "
        "WHERE z.entered AND (z.left_at IS NULL OR z.left_at > greatest(z.occurred_at, $4)) GROUP BY z.list_id",
        bucket_id,
        sorted(set(segment_ids)),
        period.upto,
        period.start,
    )
    found = {row["list_id"]: row["people"] for row in rows}
    everybody = await connection.fetchval(
        "SELECT count(*) FROM subscribers s WHERE s.bucket_id = $1", bucket_id
    )
    return [*(found.get(segment_id, 0) for segment_id in segment_ids), everybody]


async def tallies(
    connection: Connection,
    bucket_id: int,
    name_ids: Collection[int],
    segment_ids: Sequence[int],
    period: LoggedPeriod,
) -> Mapping[int, Sequence[Tally]]:
    """By name: the events of the members of each segment, then those of everybody. Names without events are left out.

    Changes and events of a person are read in one row, in time. How many entries precede an event, without the exits, says whether the
    person was a member: 1 or 0. Changes precede an event of the same instant.
    """
    numbers = range(len(segment_ids))
    steps = ", ".join(
        f"CASE WHEN c.list_id <> ${6 + number} THEN 0 WHEN c.entered THEN 1 ELSE -1 END AS step{number}"
        for number in numbers
    )
    sums = ", ".join(f"sum(t.step{number}) OVER w > 0 AS member{number}" for number in numbers)
    counts = ", ".join(
        [_counts(f"member{number}", f"z.member{number}") for number in numbers]
        + [_counts("everybody", "true")]
    )
    rows = await connection.fetch(
        f"SELECT z.name_id, {counts} FROM ("
        f"SELECT t.subscriber_id, t.name_id, t.value, {sums} FROM ("
        f"SELECT c.subscriber_id, c.occurred_at, c.sequence, NULL::bigint AS name_id, NULL::numeric AS value, {steps} "
        "FROM membership_changes c WHERE c.bucket_id = $1 AND c.list_id = ANY($2::bigint[]) AND c.sequence <= $3 "
        f"UNION ALL SELECT e.subscriber_id, e.occurred_at, {_LAST}, e.name_id, e.value{', 0' * len(segment_ids)} "
        "FROM events e WHERE e.bucket_id = $1 AND e.name_id = ANY($4::bigint[]) "
        f"AND e.occurred_at >= $5 AND e.occurred_at < ${6 + len(segment_ids)}) t "
        "WINDOW w AS (PARTITION BY t.subscriber_id ORDER BY t.occurred_at, t.sequence ROWS UNBOUNDED PRECEDING)) z "
        "WHERE z.name_id IS NOT NULL GROUP BY z.name_id",
        bucket_id,
        sorted(set(segment_ids)),
        period.upto,
        list(name_ids),
        period.start,
        *segment_ids,
        period.end,
    )
    audiences_ = [*(f"member{number}" for number in numbers), "everybody"]
    return {row["name_id"]: [_tally(row, audience) for audience in audiences_] for row in rows}


def _counts(audience: str, condition: str) -> str:
    return (
        f"count(DISTINCT z.subscriber_id) FILTER (WHERE {condition}) AS {audience}_people, "
        f"count(*) FILTER (WHERE {condition}) AS {audience}_events, "
        f"count(z.value) FILTER (WHERE {condition}) AS {audience}_values, "
        f"coalesce(sum(z.value) FILTER (WHERE {condition}), 0) AS {audience}_total"
    )


def _tally(row: asyncpg.Record, audience: str) -> Tally:
    return Tally(
        people=row[f"{audience}_people"],
        events=row[f"{audience}_events"],
        values=row[f"{audience}_values"],
        total=row[f"{audience}_total"],
    )
