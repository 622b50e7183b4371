"""The SQL itself: how it looks, what it is made of, and that every table in it is scoped by the bucket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache

import pytest
import sqlglot
from sqlglot import exp

from audience_gql.conditions.base import Condition
from audience_gql.conditions.kinds.combinators import All
from audience_gql.conditions.kinds.segment import InSegment
from audience_gql.conditions.sql.compiler import Statement, compile_filter, compile_people, compile_range
from tests.conditions.chance import NOON, Chance, share
from tests.conditions.world import EVENT_NAMES, SEGMENTS, VOCABULARY, Connection, condition_of

_INNER = {
    41: condition_of({"event": {"name": "order_placed"}}),
    42: condition_of({"not": {"segment": {"anyOf": ["41"]}}}),
}
_ACTIVE = {
    "all": [
        {"event": {"name": "email_opened", "within": {"last": {"days": 30}}}},
        {"event": {"name": "email_opened", "times": {"atMost": 9}, "within": {"last": {"days": 7}}}},
        {"not": {"country": {"is": "LT"}}},
        {"segment": {"anyOf": ["42"]}},
    ]
}


def people(conditions: Mapping[int, object], inner: Mapping[int, Condition] = _INNER) -> Statement:
    parsed = {number: condition_of(value) for number, value in conditions.items()}
    return compile_people(parsed, inner=inner, vocabulary=VOCABULARY)


def test_people() -> None:
    statement = people({9: _ACTIVE, 5: {"all": []}})

    assert statement.sql == (
        "SELECT s.id AS subscriber_id, array_remove(ARRAY[\n"
        "  CASE WHEN (TRUE) THEN $6::bigint END,\n"
        "  CASE WHEN ((events_1.a0 >= $9::bigint) AND (events_1.a1 <= $11::bigint) "
        "AND ((s.country_folded = $12::text) IS NOT TRUE) AND (inner_1.m0)) THEN $13::bigint END\n"
        "]::bigint[], NULL) AS matched\n"
        "FROM subscribers s\n"
        "CROSS JOIN LATERAL (SELECT count(*) AS a0 FROM events e WHERE e.bucket_id = $1::bigint "
        "AND e.subscriber_id = s.id AND e.name_id = $4::bigint "
        "AND e.occurred_at <= $3::timestamptz) events_0\n"
        "CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE e.occurred_at > $7::timestamptz) AS a0, "
        "count(*) FILTER (WHERE e.occurred_at > $10::timestamptz) AS a1 FROM events e "
        "WHERE e.bucket_id = $1::bigint AND e.subscriber_id = s.id AND e.name_id = $8::bigint "
        "AND e.occurred_at <= $3::timestamptz "
        "AND e.occurred_at >= LEAST($7::timestamptz, $10::timestamptz)) events_1\n"
        "CROSS JOIN LATERAL (SELECT (events_0.a0 >= $5::bigint) IS TRUE AS m0 OFFSET 0) inner_0\n"
        "CROSS JOIN LATERAL (SELECT ((inner_0.m0) IS NOT TRUE) IS TRUE AS m0 OFFSET 0) inner_1\n"
        "WHERE s.bucket_id = $1::bigint AND s.id = ANY($2::bigint[])"
    )
    assert statement.bind(NOON) == [
        NOON,
        32,
        1,
        5,
        NOON - timedelta(days=30),
        31,
        1,
        NOON - timedelta(days=7),
        9,
        "lt",
        9,
    ]


def test_range() -> None:
    statement = compile_range(condition_of(_ACTIVE), inner=_INNER, vocabulary=VOCABULARY)

    scope = "e.bucket_id = $1::bigint AND e.subscriber_id > $2::bigint AND e.subscriber_id <= $3::bigint"
    range_of_people = "WHERE s.bucket_id = $1::bigint AND s.id > $2::bigint AND s.id <= $3::bigint"
    assert statement.sql == (
        "WITH inner_0 AS MATERIALIZED (\n"
        f"SELECT s.id AS subscriber_id FROM subscribers s\n{range_of_people} AND s.id IN ("
        f"SELECT e.subscriber_id FROM events e WHERE {scope} "
        "AND e.name_id = $5::bigint AND e.occurred_at <= $4::timestamptz)\n"
        "), inner_1 AS MATERIALIZED (\n"
        f"SELECT s.id AS subscriber_id FROM subscribers s\n{range_of_people} AND NOT EXISTS ("
        "SELECT FROM (SELECT i.subscriber_id FROM inner_0 i) x WHERE x.subscriber_id = s.id)\n"
        ")\n"
        f"SELECT s.id AS subscriber_id FROM subscribers s\n{range_of_people} AND ("
        f"s.id IN (SELECT e.subscriber_id FROM events e WHERE {scope} "
        "AND e.name_id = $7::bigint AND e.occurred_at <= $4::timestamptz "
        "AND e.occurred_at > $6::timestamptz) "
        f"AND NOT EXISTS (SELECT FROM (SELECT e.subscriber_id FROM events e WHERE {scope} "
        "AND e.name_id = $10::bigint AND e.occurred_at <= $4::timestamptz "
        "AND e.occurred_at > $8::timestamptz "
        "GROUP BY e.subscriber_id HAVING ((count(*) <= $9::bigint) IS NOT TRUE)) x "
        "WHERE x.subscriber_id = s.id) "
        "AND ((s.country_folded = $11::text) IS NOT TRUE) "
        "AND s.id IN (SELECT i.subscriber_id FROM inner_1 i))"
    )


def test_filter() -> None:
    condition = condition_of({"any": [{"group": {"anyOf": ["21"]}}, {"event": {"name": "email_opened"}}]})

    fragment = compile_filter(condition, bucket="b.id", first_parameter=4, inner={}, vocabulary=VOCABULARY)

    assert fragment.joins == (
        "CROSS JOIN LATERAL (SELECT count(*) AS a0 FROM events e WHERE e.bucket_id = b.id "
        "AND e.subscriber_id = s.id AND e.name_id = $6::bigint AND e.occurred_at <= $5::timestamptz) events_0"
    )
    assert fragment.where == (
        "((EXISTS (SELECT FROM group_members g WHERE g.bucket_id = b.id AND g.subscriber_id = s.id "
        "AND g.group_id = ANY($4::bigint[]))) OR (events_0.a0 >= $7::bigint))"
    )
    assert fragment.bind(NOON) == [[21], NOON, 31, 1]


def test_below_any_sets_are_joined_from_the_left() -> None:
    opened = {"event": {"name": "email_opened", "within": {"last": {"days": 30}}}}
    never = {"event": {"name": "email_opened", "times": {"exactly": 0}}}
    condition = condition_of({"any": [{"group": {"anyOf": ["21"]}}, opened, never]})

    statement = compile_range(condition, inner={}, vocabulary=VOCABULARY)

    assert statement.sql == (
        "SELECT s.id AS subscriber_id FROM subscribers s\n"
        "LEFT JOIN (SELECT DISTINCT x.subscriber_id FROM (SELECT g.subscriber_id FROM group_members g "
        "WHERE g.bucket_id = $1::bigint AND g.subscriber_id > $2::bigint AND g.subscriber_id <= $3::bigint "
        "AND g.group_id = ANY($4::bigint[])) x) ids_0 ON ids_0.subscriber_id = s.id\n"
        "LEFT JOIN (SELECT e.subscriber_id, count(*) FILTER (WHERE e.occurred_at > $5::timestamptz) AS a0, "
        "count(*) AS a1 FROM events e "
        "WHERE e.bucket_id = $1::bigint AND e.subscriber_id > $2::bigint AND e.subscriber_id <= $3::bigint "
        "AND e.name_id = $7::bigint AND e.occurred_at <= $6::timestamptz "
        "GROUP BY e.subscriber_id) events_0 ON events_0.subscriber_id = s.id\n"
        "WHERE s.bucket_id = $1::bigint AND s.id > $2::bigint AND s.id <= $3::bigint "
        "AND ((ids_0.subscriber_id IS NOT NULL) OR (coalesce(events_0.a0, 0) >= $8::bigint) "
        "OR (coalesce(events_0.a1, 0) = $9::bigint))"
    )


def test_group_leaves_of_all_segments_share_a_probe() -> None:
    joined = {"anyOf": ["22"], "joined": {"inLast": {"days": 1}}}

    sql = people({1: {"group": {"anyOf": ["21"]}}, 2: {"not": {"group": joined}}}, inner={}).sql

    assert sql.count("FROM group_members") == 1
    assert (
        "CROSS JOIN LATERAL (SELECT bool_or(g.group_id = ANY($3::bigint[])) AS r0, "
        "bool_or(g.group_id = ANY($5::bigint[]) AND (g.added_at > $6::timestamptz AND g.added_at <= $7::timestamptz)) AS r1 "
        "FROM group_members g WHERE g.bucket_id = $1::bigint AND g.subscriber_id = s.id) group_members_rows"
    ) in sql
    assert "CASE WHEN ((group_members_rows.r1) IS NOT TRUE) THEN" in sql


def test_the_text_depends_only_on_the_structure() -> None:
    one = people(
        {1: {"all": [{"city": {"is": "a"}}, {"event": {"name": "email_opened", "times": {"atLeast": 2}}}]}}
    )
    other = people(
        {7: {"all": [{"city": {"is": "b"}}, {"event": {"name": "unheard_of", "times": {"atLeast": 9}}}]}}
    )

    assert one.sql == other.sql
    assert one.bind(NOON) != other.bind(NOON)


def test_no_segment_at_all() -> None:
    assert "ARRAY[\n  \n]::bigint[]" in people({}).sql


def test_windows_of_one_length_share_a_parameter() -> None:
    statement = people(
        {
            number: {"event": {"name": name, "within": {"last": length}}}
            for number, (name, length) in enumerate(
                [
                    ("email_opened", {"days": 7}),
                    ("order_placed", {"weeks": 1}),
                    ("page_viewed", {"hours": 168}),
                ]
            )
        }
    )

    assert statement.bind(NOON).count(NOON - timedelta(days=7)) == 1


@cache
def _random_statements() -> list[str]:
    chance = Chance(seed=11)
    statements = []
    for _ in range(max(60, share(150))):
        inner: dict[int, Condition] = {}
        for segment_id in SEGMENTS:
            inner[segment_id] = chance.condition(segment_ids=list(inner), depth=2)
        condition = chance.condition(segment_ids=list(inner))
        fragment = compile_filter(
            condition, bucket="$1::bigint", first_parameter=2, inner=inner, vocabulary=VOCABULARY
        )
        scope = f"s.bucket_id = $1::bigint AND {fragment.where}"
        statements += [
            compile_people({1: condition, **inner}, inner=inner, vocabulary=VOCABULARY).sql,
            compile_range(condition, inner=inner, vocabulary=VOCABULARY).sql,
            f"SELECT s.id FROM subscribers s {fragment.joins} WHERE {scope}",
        ]
    return statements


def test_every_table_is_scoped_by_the_bucket() -> None:
    tables = 0

    for sql in _random_statements():
        # PostgreSQL allows a select list to be empty; sqlglot wants something there.
        tree = sqlglot.parse_one(re.sub(r"SELECT FROM", "SELECT 1 FROM", sql), dialect="postgres")
        for table in tree.find_all(exp.Table):
            if table.name.startswith("inner_") or table.name in {"zone_clocks", "zones", "home", "residents"}:
                continue
            tables += 1
            select = table.find_ancestor(exp.Select)
            assert select is not None
            conjuncts = {part.sql(dialect="postgres") for part in select.args["where"].this.flatten()}
            assert f"{table.alias}.bucket_id = CAST($1 AS BIGINT)" in conjuncts, sql

    assert tables > share(1_000)


@pytest.mark.parametrize(
    "forbidden",
    # The length of a step may be a parameter that is compared with a difference: only adding an interval depends on the session's zone.
    [r"\bNOT IN\b", r"\bnow\(", r"\bcurrent_", r"clock_timestamp", r"(?<!\d::)\binterval\b", r"random\("],
)
def test_no_statement_holds(forbidden: str) -> None:
    for sql in _random_statements():
        assert not re.search(forbidden, sql, re.IGNORECASE), sql


def test_no_literal_comes_from_a_condition() -> None:
    assert {literal for sql in _random_statements() for literal in re.findall("'.*?'", sql)} == {
        "'number'",
        "'string'",
        "'boolean'",
        "'null'",
        "'x'",
        "'hex'",
        "'UTF8'",
        "'UTC'",
        "'month'",
    }


def test_every_parameter_has_a_cast() -> None:
    for sql in _random_statements():
        assert not re.search(r"\$\d+(?!\d|::)", sql), sql


def test_every_parameter_is_used() -> None:
    chance = Chance(seed=12)

    for _ in range(300):
        condition = chance.condition(segment_ids=[])
        for statement, first in (
            (compile_people({1: condition}, inner={}, vocabulary=VOCABULARY), 3),
            (compile_range(condition, inner={}, vocabulary=VOCABULARY), 4),
        ):
            used = {int(number) for number in re.findall(r"\$(\d+)", statement.sql)}
            assert used == set(range(1, first + len(statement.parameters)))


async def test_a_doubling_chain_of_segments_is_planned_once_each(connection: Connection) -> None:
    """Were each inner segment copied into its two readers, a plan would double at every level."""
    lines = {}
    for length in (16, 48):
        inner: dict[int, Condition] = {1: condition_of({"event": {"name": "order_placed"}})}
        for number in range(2, length + 1):
            twice = (InSegment(segment_ids=(number - 1,)), InSegment(segment_ids=(number - 1, 1)))
            inner[number] = All(conditions=twice)
        lines[length] = await _lines_of_plans(connection, InSegment(segment_ids=(length,)), inner)

    assert lines[48] < 4 * lines[16] < 2_000


@pytest.mark.parametrize("combinator", ["all", "any"])
async def test_the_largest_condition_leaves_the_planner_few_joins_to_order(
    connection: Connection, combinator: str
) -> None:
    leaves = [
        {"event": {"name": name, "times": {"atLeast": count}, "within": {"last": {"days": count}}}}
        for name in list(EVENT_NAMES)[:4]
        for count in range(1, 51)
    ]
    condition = condition_of({combinator: leaves})

    range_statement = compile_range(condition, inner={}, vocabulary=VOCABULARY)

    assert len(re.findall(r"s\.id IN|NOT EXISTS|LEFT JOIN", range_statement.sql)) <= 6 + len(EVENT_NAMES)
    assert await _lines_of_plans(connection, condition, {}) < 300  # a join a leaf would take more than 400


async def _lines_of_plans(
    connection: Connection, condition: Condition, inner: Mapping[int, Condition]
) -> int:
    people_statement = compile_people({99: condition}, inner=inner, vocabulary=VOCABULARY)
    range_statement = compile_range(condition, inner=inner, vocabulary=VOCABULARY)
    plan = await connection.fetch(f"EXPLAIN {people_statement.sql}", 1, [1], *people_statement.bind(NOON))
    plan += await connection.fetch(f"EXPLAIN {range_statement.sql}", 1, 0, 9, *range_statement.bind(NOON))
    return len(plan)
