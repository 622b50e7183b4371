"""Counts the people that a condition matches, without storing the condition: all people if there is time, otherwise a sample.

This module only reads, in the caller's snapshot. It must not estimate: it returns what it counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Final

import asyncpg

from audience_gql.conditions.base import Leaf
from audience_gql.conditions.sql.compiler import Statement, compile_filter, compile_range
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.reads.counting import Budget, count_people, limited
from audience_gql.storage.reads.pages import Filter
from audience_gql.storage.reads.records import Owner, SubscriberRecord, columns_of

_EVENTS_FOR_TYPES: Final = 1_000


@dataclass(slots=True, kw_only=True)
class _Figures:
    """The counts among the people seen so far."""

    seen: int = 0
    matched: int = 0
    entering: int = 0
    leaving: int = 0
    first_people: list[Owner] = field(default_factory=list)

    def add(self, other: _Figures) -> None:
        self.seen += other.seen
        self.matched += other.matched
        self.entering += other.entering
        self.leaving += other.leaving
        self.first_people += other.first_people


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The result. `people` is the size of the audience; `seen` of them were counted: all of them, or a random sample."""

    people: int
    seen: int
    matched: int
    entering: int
    """People who match and are not members of the segment compared to; 0 without one."""
    leaving: int
    """People who are members of that segment and do not match; 0 without one."""
    sample: tuple[SubscriberRecord, ...]
    bucket_ids: list[int]
    """All buckets of the workspace."""


async def tally(
    connection: Connection,
    workspace_id: int,
    matching: Filter,
    *,
    compared_to: int | None,
    sample: int,
    budget: Budget,
) -> Tally:
    """Count as many people of the workspace as the budget allows, and read up to `sample` of those who match.

    The connection must hold a snapshot. Raises asyncpg.QueryCanceledError only if not even a tiny share can be counted.
    """
    count = _RangeCount(connection, matching, compared_to=compared_to, sample=sample)
    counted = await count_people(connection, workspace_id, count, _Figures, budget)
    figures = counted.figures
    owners = figures.first_people[:sample]
    return Tally(
        people=counted.people,
        seen=figures.seen,
        matched=figures.matched,
        entering=figures.entering,
        leaving=figures.leaving,
        sample=await _people(connection, workspace_id, owners),
        bucket_ids=counted.bucket_ids,
    )


async def never_seen(
    connection: Connection, workspace_id: int, leaves: Sequence[Leaf], matching: Filter, *, seconds: float
) -> list[Leaf]:
    """The leaves that match nobody at all. Each leaf must read only the subscriber's own row.

    None is begun after `seconds`, and none may take longer. Leaves that cannot be checked are left out.
    """
    found: list[Leaf] = []
    if not leaves:
        return found
    deadline = monotonic() + seconds
    with suppress(asyncpg.QueryCanceledError):
        async with limited(connection, seconds):
            for leaf in leaves:
                if monotonic() > deadline:
                    break
                if not await _matches_anybody(connection, workspace_id, leaf, matching):
                    found.append(leaf)
    return found


async def types_of_properties(
    connection: Connection,
    workspace_id: int,
    bucket_ids: Sequence[int],
    properties: Sequence[tuple[str, str]],
    now: datetime,
    *,
    seconds: float,
) -> list[Mapping[str, int]]:
    """For each (event name, property key): how many of the latest events have which JSON type in the property. Nulls do not count.

    `bucket_ids` are all buckets of the workspace. Reads at most 1,000 events for each pair. None is begun after `seconds`, and none may
    take longer: then the list is shorter, and the last pairs are missing.
    """
    found: list[Mapping[str, int]] = []
    if not properties:
        return found
    deadline = monotonic() + seconds
    with suppress(asyncpg.QueryCanceledError):
        async with limited(connection, seconds):
            for name, key in properties:
                if monotonic() > deadline:
                    break
                found.append(await _types_of_property(connection, workspace_id, bucket_ids, name, key, now))
    return found


class _RangeCount:
    """Counts the people of one range of a bucket."""

    def __init__(
        self, connection: Connection, matching: Filter, *, compared_to: int | None, sample: int
    ) -> None:
        self._connection = connection
        statement = compile_range(matching.condition, inner=matching.inner, vocabulary=matching.vocabulary)
        self._values = [*statement.bind(matching.now), *([] if compared_to is None else [compared_to])]
        self._sql = _sql(statement, is_compared=compared_to is not None, sample=sample)

    async def __call__(self, bucket_id: int, after: int, through: int) -> _Figures:
        (row,) = await self._connection.fetch(self._sql, bucket_id, after, through, *self._values)
        return _Figures(
            seen=row["seen"],
            matched=row["matched"],
            entering=row["entering"],
            leaving=row["leaving"],
            first_people=[(bucket_id, id_) for id_ in row["first_people"] or ()],
        )


def _sql(statement: Statement, *, is_compared: bool, sample: int) -> str:
    """A statement with one row of counts, for the bucket `$1` and the ids in (`$2`, `$3`]. The segment compared to is the last parameter."""
    seen = "SELECT count(*) FROM subscribers p WHERE p.bucket_id = $1::bigint AND p.id > $2::bigint AND p.id <= $3::bigint"
    first = f"SELECT m.subscriber_id FROM matched m ORDER BY m.subscriber_id LIMIT {sample:d}"
    if is_compared:
        segment = f"${4 + len(statement.parameters)}::bigint"
        members = (
            f"SELECT x.subscriber_id FROM segment_members x WHERE x.bucket_id = $1 AND x.segment_id = {segment} "
            "AND x.subscriber_id > $2 AND x.subscriber_id <= $3"
        )
        differences = (
            "SELECT count(*) FILTER (WHERE c.subscriber_id IS NULL) AS entering, "
            'count(*) FILTER (WHERE m.subscriber_id IS NULL) AS "leaving" '
            f"FROM matched m FULL JOIN ({members}) c ON c.subscriber_id = m.subscriber_id"
        )
    else:
        differences = 'SELECT 0 AS entering, 0 AS "leaving"'
    return (
        f"WITH matched AS MATERIALIZED ({statement.sql}) "
        f"SELECT ({seen}) AS seen, (SELECT count(*) FROM matched) AS matched, "
        f"(SELECT array_agg(f.subscriber_id) FROM ({first}) f) AS first_people, d.entering, d.leaving "
        f"FROM ({differences}) d"
    )


async def _people(
    connection: Connection, workspace_id: int, owners: Sequence[Owner]
) -> tuple[SubscriberRecord, ...]:
    """These people, in this order."""
    if not owners:
        return ()
    rows = await connection.fetch(
        f"SELECT {columns_of(SubscriberRecord, 's')} "
        "FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS k (bucket_id, id, number) "
        "JOIN buckets b ON b.id = k.bucket_id AND b.workspace_id = $1 "
        "JOIN subscribers s ON s.bucket_id = b.id AND s.id = k.id ORDER BY k.number",
        workspace_id,
        [bucket_id for bucket_id, _ in owners],
        [id_ for _, id_ in owners],
        record_class=SubscriberRecord,
    )
    return tuple(rows)


async def _types_of_property(
    connection: Connection, workspace_id: int, bucket_ids: Sequence[int], name: str, key: str, now: datetime
) -> Mapping[str, int]:
    looked_at = bucket_ids[:_EVENTS_FOR_TYPES]
    share = _EVENTS_FOR_TYPES // max(1, len(looked_at))
    # One bucket after the other, because Citus limits rows only within a bucket that a value names.
    found: Counter[str] = Counter()
    for bucket_id in looked_at:
        rows = await connection.fetch(
            "SELECT jsonb_typeof(x.value) AS type, count(*) AS events FROM event_names n CROSS JOIN LATERAL ("
            "SELECT e.properties -> $4 AS value FROM events e "
            "WHERE e.bucket_id = $2 AND e.name_id = n.id AND e.occurred_at <= $5 "
            f"ORDER BY e.occurred_at DESC LIMIT {share:d}) x "
            "WHERE n.workspace_id = $1 AND n.name = $3 AND jsonb_typeof(x.value) <> 'null' GROUP BY 1",
            workspace_id,
            bucket_id,
            name,
            key,
            now,
        )
        found.update({row["type"]: row["events"] for row in rows})
    return found


async def _matches_anybody(connection: Connection, workspace_id: int, leaf: Leaf, matching: Filter) -> bool:
    fragment = compile_filter(
        leaf, bucket="b.id", first_parameter=2, inner={}, vocabulary=matching.vocabulary
    )
    is_there: bool = await connection.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM buckets b JOIN subscribers s ON s.bucket_id = b.id {fragment.joins} "
        f"WHERE b.workspace_id = $1 AND ({fragment.where}))",
        workspace_id,
        *fragment.bind(matching.now),
    )
    return is_there
