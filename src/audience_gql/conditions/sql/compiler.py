"""Compiles conditions to SQL statements for named people, for ranges and for lists. This SQL alone decides membership.

The text contains no constants, no clock and no user text. They are bound parameters, so one prepared statement serves
every instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.conditions.base import Condition
from audience_gql.conditions.reasoning.near_misses import distinct_leaves
from audience_gql.conditions.reasoning.nesting import verdict_order
from audience_gql.conditions.sql.over_range import BUCKET, RangeQuery
from audience_gql.conditions.sql.per_person import PersonQuery
from audience_gql.conditions.sql.questions import Bindings, Parameters
from audience_gql.conditions.vocabulary import SegmentAt, Vocabulary

_PEOPLE: Final = "$2::bigint[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A SELECT. The caller binds its first parameters: the bucket, then the people or the range."""

    sql: str
    parameters: Bindings

    def bind(self, now: datetime) -> list[object]:
        """The values of the parameters after the caller's."""
        return self.parameters.at(now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """Parts of a SELECT from `subscribers s`: joins for FROM, and a conjunct for WHERE."""

    joins: str
    where: str
    parameters: Bindings

    def bind(self, now: datetime) -> list[object]:
        """The values of the parameters from `first_parameter` on."""
        return self.parameters.at(now)


def compile_people(
    segments: Mapping[int, Condition], *, inner: Mapping[int, Condition], vocabulary: Vocabulary
) -> Statement:
    """Which of the segments match each of the people `$2` in the bucket `$1`.

    Rows (subscriber_id, matched): one for each person who exists, with the matched segment ids ascending.

    `inner` has at least the conditions of the segments that others read. A statement can have at most about 1,600
    different aggregates of events (Postgres' limit on columns). 200 segments of usual size are far from it.
    """
    parameters = Parameters(first=3, timezone=vocabulary.timezone, week_start=vocabulary.week_start)
    query = PersonQuery(bucket=BUCKET, parameters=parameters, vocabulary=vocabulary, shares_rows=True)
    _add_inner(query, segments.values(), inner)
    read = frozenset(verdict_order(segments.values(), inner))
    verdicts = [
        f"CASE WHEN {query.verdict(at) if (at := SegmentAt(segment_id)) in read else query.expression(condition)} "
        f"THEN {parameters.constant(segment_id, 'bigint')} END"
        for segment_id, condition in sorted(segments.items())
    ]
    matched = ",\n  ".join(verdicts)
    sql = (
        f"SELECT s.id AS subscriber_id, array_remove(ARRAY[\n  {matched}\n]::bigint[], NULL) AS matched\n"
        f"FROM subscribers s\n{query.joins()}\nWHERE s.bucket_id = {BUCKET} AND s.id = ANY({_PEOPLE})"
    )
    return Statement(sql=sql, parameters=parameters.bound())


def compile_range(
    condition: Condition, *, inner: Mapping[int, Condition], vocabulary: Vocabulary
) -> Statement:
    """The people in the bucket `$1` with ids in (`$2`, `$3`] whom a condition matches.

    Rows (subscriber_id): one per person, in no order.
    """
    parameters = Parameters(first=4, timezone=vocabulary.timezone, week_start=vocabulary.week_start)
    query = RangeQuery(parameters=parameters, vocabulary=vocabulary)
    for verdict in verdict_order([condition], inner):
        query.add_inner(verdict, inner[verdict.id])
    return Statement(sql=query.statement(condition), parameters=parameters.bound())


def compile_combinations(
    condition: Condition, *, inner: Mapping[int, Condition], vocabulary: Vocabulary
) -> Statement:
    """How many people in the bucket `$1` with ids in (`$2`, `$3`] have which verdicts on the condition's leaves.

    Rows (word_0, word_1, …, people): one per combination, in no order. Bit n of the words, 62 bits each, is the verdict on leaf n of
    `distinct_leaves`. A condition without leaves has one word, which is 0.
    """
    parameters = Parameters(first=4, timezone=vocabulary.timezone, week_start=vocabulary.week_start)
    query = RangeQuery(parameters=parameters, vocabulary=vocabulary)
    for verdict in verdict_order([condition], inner):
        query.add_inner(verdict, inner[verdict.id])
    return Statement(sql=query.combinations(distinct_leaves(condition)), parameters=parameters.bound())


def compile_filter(
    condition: Condition,
    *,
    bucket: str,
    first_parameter: int,
    inner: Mapping[int, Condition],
    vocabulary: Vocabulary,
) -> Fragment:
    """A condition on the people `s` of a list, as a part of the caller's statement.

    `bucket` is an expression for the bucket of `s`, such as `b.id`. The caller must not use the aliases `events_…`,
    `inner_…`, `zone` and `calendar`.
    """
    parameters = Parameters(
        first=first_parameter, timezone=vocabulary.timezone, week_start=vocabulary.week_start
    )
    query = PersonQuery(bucket=bucket, parameters=parameters, vocabulary=vocabulary, shares_rows=False)
    _add_inner(query, [condition], inner)
    where = query.expression(condition)
    return Fragment(joins=query.joins(), where=where, parameters=parameters.bound())


def _add_inner(query: PersonQuery, roots: Iterable[Condition], inner: Mapping[int, Condition]) -> None:
    for verdict in verdict_order(roots, inner):
        query.add_inner(verdict, inner[verdict.id])
