"""Evaluates conditions in Postgres, in each of the compiler's three forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from audience_gql.conditions.base import Condition
from audience_gql.conditions.sql.compiler import compile_filter, compile_people, compile_range
from tests import cluster
from tests.conditions.world import VOCABULARY, Connection

Verdicts = frozenset[tuple[int, int]]
"""The people who match, as (bucket, subscriber)."""


async def by_people(
    connection: Connection,
    conditions: Mapping[int, Condition],
    inner: Mapping[int, Condition],
    now: datetime,
    buckets: Mapping[int, Sequence[int]],
) -> dict[int, Verdicts]:
    """Evaluate all conditions for one bucket's people in one statement, as ticks do."""
    statement = compile_people(conditions, inner=inner, vocabulary=VOCABULARY)
    found: dict[int, set[tuple[int, int]]] = {number: set() for number in conditions}
    for bucket_id, ids in buckets.items():
        for row in await connection.fetch(statement.sql, bucket_id, list(ids), *statement.bind(now)):
            assert row["matched"] == sorted(row["matched"])
            for number in row["matched"]:
                found[number].add((bucket_id, row["subscriber_id"]))
    return {number: frozenset(people) for number, people in found.items()}


async def by_range(
    connection: Connection,
    condition: Condition,
    inner: Mapping[int, Condition],
    now: datetime,
    buckets: Mapping[int, Sequence[int]],
) -> Verdicts:
    """Evaluate one condition over each bucket in two ranges that meet at a person, as fills do."""
    statement = compile_range(condition, inner=inner, vocabulary=VOCABULARY)
    values = statement.bind(now)
    found: list[tuple[int, int]] = []
    for bucket_id, ids in buckets.items():
        middle = sorted(ids)[len(ids) // 2]
        for after, through in ((0, middle), (middle, 2**63 - 1)):
            rows = await connection.fetch(statement.sql, bucket_id, after, through, *values)
            found += [(bucket_id, row["subscriber_id"]) for row in rows]
    assert len(found) == len(set(found))
    return frozenset(found)


async def by_filter(
    connection: Connection,
    condition: Condition,
    inner: Mapping[int, Condition],
    now: datetime,
    buckets: Mapping[int, Sequence[int]],
) -> Verdicts:
    """Evaluate one condition over all buckets at once, as lists do, or bucket by bucket, as lists do on a cluster."""
    if cluster.COORDINATOR:
        return await _by_filter_one_by_one(connection, condition, inner, now, buckets)
    fragment = compile_filter(condition, bucket="b.id", first_parameter=2, inner=inner, vocabulary=VOCABULARY)
    sql = (
        "SELECT s.bucket_id, s.id FROM unnest($1::bigint[]) AS b (id) "
        f"JOIN subscribers s ON s.bucket_id = b.id {fragment.joins} WHERE {fragment.where}"
    )
    rows = await connection.fetch(sql, list(buckets), *fragment.bind(now))
    return frozenset((row["bucket_id"], row["id"]) for row in rows)


async def _by_filter_one_by_one(
    connection: Connection,
    condition: Condition,
    inner: Mapping[int, Condition],
    now: datetime,
    bucket_ids: Iterable[int],
) -> Verdicts:
    fragment = compile_filter(
        condition, bucket="$1::bigint", first_parameter=2, inner=inner, vocabulary=VOCABULARY
    )
    sql = (
        f"SELECT s.bucket_id, s.id FROM subscribers s {fragment.joins} "
        f"WHERE s.bucket_id = $1::bigint AND ({fragment.where})"
    )
    pages = [await connection.fetch(sql, bucket_id, *fragment.bind(now)) for bucket_id in bucket_ids]
    return frozenset((row["bucket_id"], row["id"]) for rows in pages for row in rows)
