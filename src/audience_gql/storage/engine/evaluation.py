"""Asks Postgres who matches: for named people and all segments at once, or for one segment over a range of people.

Both forms only read, and return the difference between what is true now and the stored membership.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from audience_gql.conditions.base import Condition
from audience_gql.conditions.sql.compiler import Statement, compile_people, compile_range
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.storage.postgres.database import Connection

_STATEMENTS_KEPT = 256
_SEGMENTS_A_STATEMENT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluable:
    """The conditions to evaluate."""

    key: tuple[object, ...]
    """The key of the compiled statements in the cache."""
    conditions: Mapping[int, Condition]
    """By segment id."""
    inner: Mapping[int, Condition]
    """By segment id, the conditions that the others may read."""
    vocabulary: Vocabulary

    def only(self, segment_ids: Collection[int]) -> Evaluable:
        """The same for these segments alone."""
        return replace(
            self, conditions={segment_id: self.conditions[segment_id] for segment_id in segment_ids}
        )


@dataclass(frozen=True, slots=True)
class RangeDifference:
    """The people of a range who should enter a segment, and those who should leave it, each in the order of ids."""

    entering: list[int]
    leaving: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPeople:
    """What was evaluated: any segments for these people."""

    evaluable: Evaluable
    people: Collection[int]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleInRange:
    """What was evaluated: one segment for everybody with an id in (after, upto]."""

    evaluable: Evaluable
    after: int
    upto: int
    now: datetime


class EvaluationFailed(Exception):
    """Postgres could not compute a condition, for example because a number was out of its range."""

    def __init__(self, reason: str, segment_ids: Sequence[int], subject: NamedPeople | PeopleInRange) -> None:
        super().__init__(reason)
        self.reason = reason
        self.segment_ids = tuple(segment_ids)
        """The segments of the statement. At least one of them is at fault."""
        self.subject = subject
        """What was evaluated, so that fewer segments can be tried on the same people."""


class Evaluation:
    """Compiles conditions and runs them. One per process, so that each statement is compiled once."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[tuple[object, ...], Statement] = OrderedDict()

    async def differences_of_people(
        self,
        connection: Connection,
        bucket_id: int,
        evaluable: Evaluable,
        people: Collection[int],
        now: datetime,
    ) -> dict[tuple[int, int], bool]:
        """By (segment, person): True for people who should be members and are not, False for members who should not be.

        Raises EvaluationFailed.
        """
        found: dict[tuple[int, int], bool] = {}
        segment_ids = sorted(evaluable.conditions)
        for start in range(0, len(segment_ids), _SEGMENTS_A_STATEMENT):
            chosen = segment_ids[start : start + _SEGMENTS_A_STATEMENT]
            statement = self._people_statement(evaluable, chosen)
            values = [bucket_id, sorted(people), *statement.bind(now), chosen]
            try:
                rows = await connection.fetch(statement.sql, *values)
            except asyncpg.DataError as error:
                subject = NamedPeople(evaluable=evaluable, people=people, now=now)
                raise EvaluationFailed(str(error), chosen, subject) from error
            for person, matched, current in rows:
                for segment_id in set(matched).symmetric_difference(current):
                    found[segment_id, person] = segment_id in matched
        return found

    async def differences_of_range(
        self,
        connection: Connection,
        bucket_id: int,
        evaluable: Evaluable,
        segment_id: int,
        after: int,
        upto: int,
        now: datetime,
    ) -> RangeDifference:
        """The difference for one segment and everybody with an id in (after, upto]. Raises EvaluationFailed."""
        statement = self._compile(
            ("range", segment_id, evaluable.key),
            lambda: compile_range(
                evaluable.conditions[segment_id], inner=evaluable.inner, vocabulary=evaluable.vocabulary
            ),
        )
        values = [bucket_id, after, upto, *statement.bind(now), segment_id]
        sql = (
            "SELECT array_agg(d.entering) FILTER (WHERE d.entering IS NOT NULL) AS entering, "
            "array_agg(d.leaving) FILTER (WHERE d.leaving IS NOT NULL) AS leaving FROM ("
            "SELECT CASE WHEN c.subscriber_id IS NULL THEN m.subscriber_id END AS entering, "
            "CASE WHEN m.subscriber_id IS NULL THEN c.subscriber_id END AS leaving "
            f"FROM ({statement.sql}) m FULL JOIN ("
            "SELECT x.subscriber_id FROM segment_members x "
            f"WHERE x.bucket_id = $1 AND x.segment_id = ${len(values)}::bigint "
            "AND x.subscriber_id > $2 AND x.subscriber_id <= $3) c ON c.subscriber_id = m.subscriber_id "
            "WHERE m.subscriber_id IS NULL OR c.subscriber_id IS NULL) d"
        )
        try:
            row = await connection.fetchrow(sql, *values)
        except asyncpg.DataError as error:
            subject = PeopleInRange(evaluable=evaluable, after=after, upto=upto, now=now)
            raise EvaluationFailed(str(error), [segment_id], subject) from error
        assert row is not None  # noqa: S101  # an aggregate without groups always has its row
        return RangeDifference(sorted(row["entering"] or ()), sorted(row["leaving"] or ()))

    async def repeat(
        self,
        connection: Connection,
        bucket_id: int,
        subject: NamedPeople | PeopleInRange,
        segment_ids: Sequence[int],
    ) -> None:
        """Evaluate only these segments for the same people. Raises EvaluationFailed when one of them is at fault."""
        match subject:
            case NamedPeople(evaluable=evaluable, people=people, now=now):
                chosen = evaluable.only(segment_ids)
                await self.differences_of_people(connection, bucket_id, chosen, people, now)
            case PeopleInRange(evaluable=evaluable, after=after, upto=upto, now=now):
                for segment_id in segment_ids:
                    await self.differences_of_range(
                        connection, bucket_id, evaluable, segment_id, after, upto, now
                    )

    def _people_statement(self, evaluable: Evaluable, segment_ids: Sequence[int]) -> Statement:
        chosen = {segment_id: evaluable.conditions[segment_id] for segment_id in segment_ids}
        return self._compile(
            ("people", tuple(segment_ids), evaluable.key),
            lambda: _compared(compile_people(chosen, inner=evaluable.inner, vocabulary=evaluable.vocabulary)),
        )

    def _compile(self, key: tuple[object, ...], make: Callable[[], Statement]) -> Statement:
        statement = self._compiled.get(key)
        if statement is None:
            statement = self._compiled[key] = make()
            if len(self._compiled) > _STATEMENTS_KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return statement


def _compared(matching: Statement) -> Statement:
    """The people whose memberships differ, with what they match and what they are in. The segments are one more parameter."""
    chosen = len(matching.parameters) + 3
    sql = (
        "SELECT e.subscriber_id, e.matched, c.current "
        f"FROM ({matching.sql} OFFSET 0) e "
        "CROSS JOIN LATERAL (SELECT coalesce(array_agg(m.segment_id ORDER BY m.segment_id), '{}') AS current "
        "FROM segment_members m WHERE m.bucket_id = $1 AND m.subscriber_id = e.subscriber_id "
        f"AND m.segment_id = ANY(${chosen}::bigint[])) c "
        "WHERE e.matched <> c.current"
    )
    return replace(matching, sql=sql)
