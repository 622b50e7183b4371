"""Conditions as SQL, the one place where membership is decided: for named people, for ranges, for lists.

The text holds no constant, no clock and no user's word: all of that is bound, so one prepared statement
serves every instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.conditions.base import Condition
from audience_gql.conditions.reasoning.nesting import reading_order
from audience_gql.conditions.sql.over_range import BUCKET, RangeQuery
from audience_gql.conditions.sql.per_person import PersonQuery
from audience_gql.conditions.sql.questions import Bindings, Parameters
from audience_gql.conditions.vocabulary import Vocabulary

_PEOPLE: Final = "$2::bigint[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A SELECT. Its first parameters are the caller's: the bucket, then the people or the range."""

    sql: str
    parameters: Bindings

    def bind(self, now: datetime) -> list[object]:
        """The values that follow the caller's."""
        return self.parameters.at(now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """Parts of a SELECT from `subscribers s`: what follows it in FROM, and a conjunct of WHERE."""

    joins: str
    where: str
    parameters: Bindings

    def bind(self, now: datetime) -> list[object]:
        """The values from `first_parameter` on."""
        return self.parameters.at(now)


def compile_people(
    segments: Mapping[int, Condition], *, inner: Mapping[int, Condition], vocabulary: Vocabulary
) -> Statement:
    """Which of the segments each of the people `$2` of the bucket `$1` is in.

    Rows (subscriber_id, matched), a row for each person that exists, the matched ids ascending.

    `inner` has the conditions of at least the segments that others read. One statement holds about 1,600
    different aggregates of events at most (Postgres' limit on columns); 200 segments of usual size are far
    from it.
    """
    parameters = Parameters(first=3, timezone=vocabulary.timezone)
    query = PersonQuery(bucket=BUCKET, parameters=parameters, vocabulary=vocabulary, shares_rows=True)
    _add_inner(query, segments.values(), inner)
    read = frozenset(reading_order(segments.values(), inner))
    verdicts = [
        f"CASE WHEN {query.verdict(segment_id) if segment_id in read else query.expression(condition)} "
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
    """Whom a condition matches, of the bucket `$1` and the ids in (`$2`, `$3`].

    Rows (subscriber_id), each once, in no order.
    """
    parameters = Parameters(first=4, timezone=vocabulary.timezone)
    query = RangeQuery(parameters=parameters, vocabulary=vocabulary)
    for segment_id in reading_order([condition], inner):
        query.add_inner(segment_id, inner[segment_id])
    return Statement(sql=query.statement(condition), parameters=parameters.bound())


def compile_filter(
    condition: Condition,
    *,
    bucket: str,
    first_parameter: int,
    inner: Mapping[int, Condition],
    vocabulary: Vocabulary,
) -> Fragment:
    """A condition on the people `s` of a list.

    `bucket` is an expression for the bucket that `s` is scoped by, such as `b.id`. The aliases `events_…` and
    `inner_…` are its own.
    """
    parameters = Parameters(first=first_parameter, timezone=vocabulary.timezone)
    query = PersonQuery(bucket=bucket, parameters=parameters, vocabulary=vocabulary, shares_rows=False)
    _add_inner(query, [condition], inner)
    where = query.expression(condition)
    return Fragment(joins=query.joins(), where=where, parameters=parameters.bound())


def _add_inner(query: PersonQuery, roots: Iterable[Condition], inner: Mapping[int, Condition]) -> None:
    for segment_id in reading_order(roots, inner):
        query.add_inner(segment_id, inner[segment_id])
