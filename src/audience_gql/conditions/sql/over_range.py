"""Compiles a condition to a selection from a range of people, by joins with sets of ids instead of probes of each person.

A required leaf becomes a semi-join, and a negated one an anti-join. Leaves below `any` become left joins that WHERE
tests. It never uses NOT IN, which fails on nulls and cannot be hashed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from audience_gql.conditions.base import Condition, Leaf
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.sql.columns import EventColumns
from audience_gql.conditions.sql.questions import (
    Aggregate,
    HasRow,
    InSegments,
    OfEvents,
    OfRow,
    Parameters,
    all_of,
    complement,
)
from audience_gql.conditions.vocabulary import Vocabulary

BUCKET: Final = "$1::bigint"
_AFTER: Final = "$2::bigint"
_THROUGH: Final = "$3::bigint"
_MAX_CONJUNCTS_AS_SETS: Final = 6
"""More conjuncts become joined columns, because the planner tries the orders of semi-joins: for 200 of them it needs five seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _IdSet:
    """A query for the ids of the people who pass a test, or, for a complement, of those who fail it."""

    sql: str
    is_complement: bool = False


@dataclass(slots=True, kw_only=True)
class _Selection:
    """One SELECT under construction."""

    set_joins: list[str] = field(default_factory=list)
    events: dict[str, EventColumns] = field(default_factory=dict)
    conjuncts_as_sets: int = 0


class RangeQuery:
    """Builds the statement of one condition.

    Every subquery is limited to the range (`$2`, `$3`] of the bucket `$1`.
    """

    def __init__(self, *, parameters: Parameters, vocabulary: Vocabulary) -> None:
        self._parameters = parameters
        self._vocabulary = vocabulary
        self._inner: dict[int, str] = {}

    def add_inner(self, segment_id: int, condition: Condition) -> None:
        """Add a segment that others read. Add the segments that it reads before."""
        self._inner[segment_id] = self._people(condition)

    def statement(self, condition: Condition) -> str:
        people = self._people(condition)
        tables = [f"{self._name(id_)} AS MATERIALIZED (\n{sql}\n)" for id_, sql in self._inner.items()]
        return f"WITH {', '.join(tables)}\n{people}" if tables else people

    def _people(self, condition: Condition) -> str:
        selection = _Selection()
        where = self._required(condition, wanted=True, selection=selection)
        joins = "".join(f"\n{join}" for join in self._joins(selection))
        return (
            f"SELECT s.id AS subscriber_id FROM subscribers s{joins}\nWHERE {_scope('s', 'id')} AND {where}"
        )

    def _joins(self, selection: _Selection) -> Iterable[str]:
        yield from selection.set_joins
        for columns in selection.events.values():
            rows = f"{_scope('e', 'subscriber_id')} AND {columns.rows(self._parameters.instant())}"
            yield (
                f"LEFT JOIN (SELECT e.subscriber_id, {columns.select_list()} FROM events e WHERE {rows} "
                f"GROUP BY e.subscriber_id) {columns.alias} ON {columns.alias}.subscriber_id = s.id"
            )

    def _required(self, condition: Condition, *, wanted: bool, selection: _Selection) -> str:
        """A conjunct for WHERE: the condition holds, or, without `wanted`, it does not."""
        match condition:
            case Not(condition=child):
                return self._required(child, wanted=not wanted, selection=selection)
            case All(conditions=children) | AnyOf(conditions=children) if (
                isinstance(condition, All) is wanted or len(children) == 1
            ):
                parts = [self._required(child, wanted=wanted, selection=selection) for child in children]
                return f"({' AND '.join(parts) or 'TRUE'})"
            case Leaf() if selection.conjuncts_as_sets < _MAX_CONJUNCTS_AS_SETS:
                return self._required_leaf(condition, wanted=wanted, selection=selection)
            case _:
                return _is(self._optional(condition, selection), wanted=wanted)

    def _required_leaf(self, leaf: Leaf, *, wanted: bool, selection: _Selection) -> str:
        match leaf.sql(self._parameters):
            case OfRow(expression=expression):
                return _is(f"({expression})", wanted=wanted)
            case test:
                selection.conjuncts_as_sets += 1
                ids = self._id_set(test)
                if ids.is_complement is wanted:
                    return f"NOT EXISTS (SELECT FROM ({ids.sql}) x WHERE x.subscriber_id = s.id)"
                return f"s.id IN ({ids.sql})"

    def _optional(self, condition: Condition, selection: _Selection) -> str:
        """An expression for a condition that WHERE need not require by itself. Null counts as false."""
        match condition:
            case All(conditions=children):
                return f"({' AND '.join(self._optional(child, selection) for child in children) or 'TRUE'})"
            case AnyOf(conditions=children):
                return f"({' OR '.join(self._optional(child, selection) for child in children) or 'FALSE'})"
            case Not(condition=child):
                return complement(self._optional(child, selection))
            case Leaf():
                return self._optional_leaf(condition, selection)
        raise TypeError(f"no SQL for {condition!r}")

    def _optional_leaf(self, leaf: Leaf, selection: _Selection) -> str:
        match leaf.sql(self._parameters):
            case OfRow(expression=expression):
                return f"({expression})"
            case OfEvents(aggregates=aggregates, test=test):
                return f"({test(*(self._column(aggregate, selection) for aggregate in aggregates))})"
            case test:
                alias = f"ids_{len(selection.set_joins)}"
                ids = f"SELECT DISTINCT x.subscriber_id FROM ({self._id_set(test).sql}) x"
                selection.set_joins.append(f"LEFT JOIN ({ids}) {alias} ON {alias}.subscriber_id = s.id")
                return f"({alias}.subscriber_id IS NOT NULL)"

    def _column(self, aggregate: Aggregate, selection: _Selection) -> str:
        columns = selection.events.get(aggregate.event_name)
        if columns is None:
            columns = EventColumns(
                alias=f"events_{len(selection.events)}", name_id=self._name_id(aggregate.event_name)
            )
            selection.events[aggregate.event_name] = columns
        column = columns.column(aggregate)
        return column if aggregate.of_nothing is None else f"coalesce({column}, {aggregate.of_nothing})"

    def _id_set(self, test: HasRow | InSegments | OfEvents) -> _IdSet:
        match test:
            case HasRow(table=table, alias=alias, where=where):
                rows = f"FROM {table} {alias} WHERE {_scope(alias, 'subscriber_id')} AND {where}"
                return _IdSet(sql=f"SELECT {alias}.subscriber_id {rows}")
            case InSegments(ids=ids, entered=entered):
                return _IdSet(sql=_union(self._inside(id_, entered) for id_ in ids))
            case OfEvents():
                return self._id_set_of_events(test)

    def _inside(self, segment_id: int, entered: Callable[[str], str] | None) -> str:
        inside = f"SELECT i.subscriber_id FROM {self._name(segment_id)} i"
        if entered is None:
            return inside
        segment = self._parameters.constant(segment_id, "bigint")
        entered_at = f"coalesce(m.entered_at, {self._parameters.instant()})"
        return (
            f"{inside} LEFT JOIN (SELECT m.subscriber_id, m.entered_at FROM segment_members m "
            f"WHERE {_scope('m', 'subscriber_id')} AND m.segment_id = {segment}) m "
            f"ON m.subscriber_id = i.subscriber_id WHERE {entered(entered_at)}"
        )

    def _id_set_of_events(self, test: OfEvents) -> _IdSet:
        """The people who pass a test of events. A set can only contain people with events.

        When people without events pass too, the set has those who fail, and is a complement.
        """
        is_complement = test.holds_without_events
        first, *others = test.aggregates
        if test.asks_presence_only:
            return _IdSet(sql=f"SELECT e.subscriber_id {self._events(first)}", is_complement=is_complement)
        if all((other.event_name, other.where) == (first.event_name, first.where) for other in others):
            functions = [aggregate.function for aggregate in test.aggregates]
            verdict = _is(f"({test.test(*functions)})", wanted=not is_complement)
            sql = f"SELECT e.subscriber_id {self._events(first)} GROUP BY e.subscriber_id HAVING {verdict}"
            return _IdSet(sql=sql, is_complement=is_complement)
        columns = [f"t{number}.a" for number in range(len(test.aggregates))]
        joined = "".join(
            f" LEFT JOIN ({self._grouped(aggregate)}) t{number} ON t{number}.subscriber_id = t0.subscriber_id"
            for number, aggregate in enumerate(others, 1)
        )
        verdict = _is(f"({test.test(*columns)})", wanted=not is_complement)
        sql = f"SELECT t0.subscriber_id FROM ({self._grouped(first)}) t0{joined} WHERE {verdict}"
        return _IdSet(sql=sql, is_complement=is_complement)

    def _name(self, segment_id: int) -> str:
        return f"inner_{list(self._inner).index(segment_id)}"

    def _grouped(self, aggregate: Aggregate) -> str:
        rows = self._events(aggregate)
        return f"SELECT e.subscriber_id, {aggregate.function} AS a {rows} GROUP BY e.subscriber_id"

    def _events(self, aggregate: Aggregate) -> str:
        name_id = self._name_id(aggregate.event_name)
        until_now = f"e.name_id = {name_id} AND e.occurred_at <= {self._parameters.instant()}"
        return f"FROM events e WHERE {all_of(_scope('e', 'subscriber_id'), until_now, aggregate.where)}"

    def _name_id(self, event_name: str) -> str:
        return self._parameters.constant(self._vocabulary.event_names.get(event_name), "bigint")


def _scope(alias: str, id_column: str) -> str:
    id_ = f"{alias}.{id_column}"
    return f"{alias}.bucket_id = {BUCKET} AND {id_} > {_AFTER} AND {id_} <= {_THROUGH}"


def _is(expression: str, *, wanted: bool) -> str:
    return expression if wanted else complement(expression)


def _union(queries: Iterable[str]) -> str:
    return " UNION ALL ".join(queries) or "SELECT NULL::bigint AS subscriber_id WHERE FALSE"
