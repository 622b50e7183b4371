"""Suggestions for an editor of conditions: event names with their properties, and values that people have.

Every read has a bound that does not depend on the audience's size: it reads some of the buckets, and some people or events of each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

import asyncpg

from audience_gql.conditions.profile import TEXT_COLUMNS
from audience_gql.conditions.vocabulary import FieldRef
from audience_gql.storage import buckets
from audience_gql.storage.ids import SUBSCRIBER_IDS
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads.searching import Word, has_words, is_not_blank

MOST_BUCKETS: Final = 100
PEOPLE: Final = 20_000
"""How many people to read, all buckets together. Their ids are random, so they are a fair sample."""
EVENTS: Final = 10_000
_EVENTS_FOR_PROPERTIES: Final = 20
_MOST_PROPERTIES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenName:
    name: str
    last_seen_at: datetime
    properties: list[str]
    """The property keys of the latest events, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCount:
    value: Any  # Any: a JSON text, number or boolean
    people: int


async def seen_names(database: Database, workspace_id: int, now: datetime) -> list[SeenName]:
    """The names of events that occurred up to now, ordered by name."""
    buckets = _Buckets(await _some_buckets(database, workspace_id), database, parameter=2)
    rows = await buckets.fetch(
        "SELECT n.name, l.occurred_at, p.keys FROM event_names n CROSS JOIN LATERAL ("
        f"SELECT b.id AS bucket_id, e.occurred_at FROM {buckets.source} CROSS JOIN LATERAL ("
        "SELECT e.occurred_at FROM events e WHERE e.bucket_id = b.id AND e.name_id = n.id AND e.occurred_at <= $3 "
        "ORDER BY e.occurred_at DESC LIMIT 1) e ORDER BY e.occurred_at DESC LIMIT 1) l CROSS JOIN LATERAL ("
        "SELECT array_agg(DISTINCT k.key) AS keys FROM ("
        f"SELECT e.properties FROM events e WHERE e.bucket_id = {buckets.same_as('l.bucket_id')} AND e.name_id = n.id "
        f"AND e.occurred_at <= $3 ORDER BY e.occurred_at DESC LIMIT {_EVENTS_FOR_PROPERTIES}) x "
        "CROSS JOIN LATERAL jsonb_object_keys(x.properties) AS k (key)) p "
        "WHERE n.workspace_id = $1 ORDER BY n.name",
        workspace_id,
        None,
        now,
    )
    latest = {name: (last_seen_at, keys) for name, last_seen_at, keys in sorted(rows, key=itemgetter(0, 1))}
    return [
        SeenName(name=name, last_seen_at=last_seen_at, properties=sorted(keys or ())[:_MOST_PROPERTIES])
        for name, (last_seen_at, keys) in latest.items()
    ]


async def profile_values(
    database: Database, workspace_id: int, column: str, *, words: Sequence[Word], limit: int
) -> list[ValueCount]:
    """The most frequent texts in a column of the profile."""
    assert column in TEXT_COLUMNS  # noqa: S101  # it becomes part of the statement
    value, folded = f"to_jsonb(s.{column})", f"to_jsonb(s.{column}_folded)"
    return await _people_s(
        database, workspace_id, value, folded, [], of_lists=False, words=words, limit=limit
    )


async def field_values(
    database: Database, workspace_id: int, field: FieldRef, *, words: Sequence[Word], limit: int
) -> list[ValueCount]:
    """The most frequent values of a custom field. For a field of type LIST, these are the items of its lists."""
    value, folded = "s.fields -> $3::text", "coalesce(s.fields_folded -> $3::text, s.fields -> $3::text)"
    return await _people_s(
        database,
        workspace_id,
        value,
        folded,
        [str(field.id)],
        of_lists=field.type == "LIST",
        words=words,
        limit=limit,
    )


async def property_values(
    database: Database, workspace_id: int, event: str, key: str, *, words: Sequence[Word], limit: int
) -> list[ValueCount]:
    """The most frequent texts, numbers and booleans of a property in the latest events with this name."""
    bucket_ids = await _some_buckets(database, workspace_id)
    buckets = _Buckets(bucket_ids, database, parameter=3)
    values: list[object] = [workspace_id, event, None, key]
    rows = await buckets.fetch(
        "SELECT (mode() WITHIN GROUP (ORDER BY x.value))::text AS value, x.folded, "
        "count(DISTINCT (x.bucket_id, x.subscriber_id)) AS people FROM event_names n "
        f"CROSS JOIN {buckets.source} CROSS JOIN LATERAL ("
        "SELECT e.bucket_id, e.subscriber_id, e.properties -> $4 AS value, "
        "coalesce(e.properties_folded ->> $4, e.properties ->> $4) AS folded FROM events e "
        "WHERE e.bucket_id = b.id AND e.name_id = n.id "
        f"ORDER BY e.occurred_at DESC LIMIT {_share(EVENTS, bucket_ids)}) x "
        "WHERE n.workspace_id = $1 AND n.name = $2 AND jsonb_typeof(x.value) IN ('string', 'number', 'boolean') "
        f"AND {_is_wanted('x.folded', words, values)} GROUP BY x.folded {buckets.first(limit)}",
        *values,
    )
    return _most_frequent(rows, limit)


async def _people_s(
    database: Database,
    workspace_id: int,
    value: str,
    folded: str,
    bound: Sequence[object],
    *,
    of_lists: bool,
    words: Sequence[Word],
    limit: int,
) -> list[ValueCount]:
    """Count among the people with the lowest ids, and scale the counts by the part of the id range that these people cover."""
    all_ids = await _bucket_ids(database, workspace_id)
    bucket_ids = _spread(all_ids)
    share = _share(PEOPLE, bucket_ids)
    single = (
        "SELECT v.value, v.folded FROM (SELECT jsonb_array_elements(x.value) AS value, "
        "jsonb_array_elements_text(x.folded) AS folded) v"
        if of_lists
        else "SELECT x.value, x.folded #>> '{}' AS folded"
    )
    buckets = _Buckets(bucket_ids, database, parameter=1)
    values: list[object] = [None, float(SUBSCRIBER_IDS), *bound]
    rows = await buckets.fetch(
        f"WITH sampled AS (SELECT b.id AS bucket_id, s.id, s.value, s.folded FROM {buckets.source} "
        f"CROSS JOIN LATERAL (SELECT s.id, {value} AS value, {folded} AS folded FROM subscribers s "
        f"WHERE s.bucket_id = b.id ORDER BY s.id LIMIT {share}) s), "
        f"weights AS (SELECT bucket_id, CASE WHEN count(*) < {share} THEN 1 ELSE $2::float8 / (max(id) + 1) END AS weight "
        "FROM sampled GROUP BY bucket_id), "
        "valued AS (SELECT DISTINCT ON (x.bucket_id, x.id, y.folded) x.bucket_id, x.id, y.value, y.folded "
        f"FROM sampled x CROSS JOIN LATERAL ({single}) y WHERE {_is_wanted('y.folded', words, values)}) "
        "SELECT (mode() WITHIN GROUP (ORDER BY v.value))::text AS value, v.folded, sum(w.weight)::float8 AS people "
        f"FROM valued v JOIN weights w ON w.bucket_id = v.bucket_id GROUP BY v.folded {buckets.first(limit)}",
        *values,
    )
    return _most_frequent(rows, limit, scale=len(all_ids) / len(bucket_ids))


@dataclass(frozen=True, slots=True)
class _Buckets:
    """The buckets that a statement reads: all at once, or on a cluster one after the other, because it limits rows only within a bucket."""

    ids: Sequence[int]
    database: Database
    parameter: int

    @property
    def source(self) -> str:
        """The buckets as a table `b (id)`."""
        if self.database.is_cluster:
            return f"(SELECT ${self.parameter}::bigint AS id) AS b"
        return f"unnest(${self.parameter}::bigint[]) AS b (id)"

    def same_as(self, bucket_id: str) -> str:
        """A bucket that another part of the statement has found. A cluster joins only what names its bucket itself."""
        return f"${self.parameter}" if self.database.is_cluster else bucket_id

    def first(self, limit: int) -> str:
        """The most frequent rows. What is frequent in all buckets may be rare in one, so a cluster returns all rows."""
        return "" if self.database.is_cluster else f"ORDER BY people DESC, folded LIMIT {limit:d}"

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """The rows of all statements. The buckets take the place of the parameter."""
        before, after = values[: self.parameter - 1], values[self.parameter :]
        rounds: Sequence[object] = self.ids if self.database.is_cluster else [list(self.ids)]
        found: list[asyncpg.Record] = []
        for each in rounds:
            found += await self.database.fetch(sql, *before, each, *after)
        return found


def _most_frequent(rows: Sequence[asyncpg.Record], limit: int, *, scale: float = 1.0) -> list[ValueCount]:
    """Adds up the rows of equal folded texts. Of their values, the one with most people stands for them."""
    people: Counter[str] = Counter()
    values: dict[str, tuple[float, str]] = {}
    for row in rows:
        folded = row["folded"]
        people[folded] += row["people"]
        values[folded] = max(values.get(folded, (0.0, "")), (row["people"], row["value"]))
    ordered = sorted(people.items(), key=lambda it: (-it[1], it[0]))[:limit]
    return [
        ValueCount(value=json.loads(values[folded][1]), people=round(count * scale))
        for folded, count in ordered
    ]


def _is_wanted(text: str, words: Sequence[Word], values: list[object]) -> str:
    return f"{is_not_blank(text, values)} AND {has_words(words, (text,), values)}"


async def _some_buckets(database: Database, workspace_id: int) -> list[int]:
    return _spread(await _bucket_ids(database, workspace_id))


async def _bucket_ids(database: Database, workspace_id: int) -> list[int]:
    async with database.acquire() as connection:
        return await buckets.bucket_ids(connection, workspace_id)


def _spread(bucket_ids: list[int]) -> list[int]:
    """At most MOST_BUCKETS buckets, spread evenly from the oldest to the newest."""
    if len(bucket_ids) <= MOST_BUCKETS:
        return bucket_ids
    return [bucket_ids[number * len(bucket_ids) // MOST_BUCKETS] for number in range(MOST_BUCKETS)]


def _share(rows: int, bucket_ids: Sequence[int]) -> int:
    return max(1, rows // max(1, len(bucket_ids)))
