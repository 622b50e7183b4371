"""Compiles conditions to expressions over one subscriber's row, alias `s`, and the lateral joins that they need.

It is for named people: each event name costs one index probe per person, however many conditions and windows use it.
Null counts as false, so an expression must not be negated with a plain NOT; use `complement`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from audience_gql.conditions.base import Condition, Leaf
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.reasoning.nesting import segments_read
from audience_gql.conditions.sql.columns import EventColumns, RowColumns
from audience_gql.conditions.sql.questions import (
    Aggregate,
    HasRow,
    InSegments,
    OfEvents,
    OfRow,
    Parameters,
    complement,
)
from audience_gql.conditions.vocabulary import Vocabulary

_TRUE: Final = "TRUE"
_FALSE: Final = "FALSE"


class PersonQuery:
    """Builds the expressions of one statement, and collects the joins that they share.

    `bucket` is the SQL that scopes every table. With `shares_rows`, all questions about a table are one probe per person,
    which suits many conditions. Without it, each is an EXISTS, which the planner may reorder in a list.
    """

    def __init__(
        self, *, bucket: str, parameters: Parameters, vocabulary: Vocabulary, shares_rows: bool
    ) -> None:
        self._bucket = bucket
        self._parameters = parameters
        self._vocabulary = vocabulary
        self._shares_rows = shares_rows
        self._rows: dict[str, RowColumns] = {}
        self._events: dict[str, EventColumns] = {}
        self._levels: list[list[str]] = []
        self._inner: dict[int, tuple[int, int]] = {}

    def add_inner(self, segment_id: int, condition: Condition) -> None:
        """Add a segment that others read. Add the segments that it reads before."""
        level = max((self._inner[read][0] + 1 for read in segments_read(condition)), default=0)
        expression = self.expression(condition)
        if level == len(self._levels):
            self._levels.append([])
        self._levels[level].append(expression)
        self._inner[segment_id] = (level, len(self._levels[level]) - 1)

    def expression(self, condition: Condition) -> str:
        match condition:
            case All(conditions=children):
                return f"({' AND '.join(map(self.expression, children)) or _TRUE})"
            case AnyOf(conditions=children):
                return f"({' OR '.join(map(self.expression, children)) or _FALSE})"
            case Not(condition=child):
                return complement(self.expression(child))
            case Leaf():
                return f"({self._leaf(condition)})"
        raise TypeError(f"no SQL for {condition!r}")

    def verdict(self, segment_id: int) -> str:
        """The expression for the verdict of an added segment."""
        level, number = self._inner[segment_id]
        return f"inner_{level}.m{number}"

    def joins(self) -> str:
        """The joins between `subscribers s` and WHERE. Call this after all expressions are built."""
        rows = [self._row_join(columns) for columns in self._rows.values()]
        events = [self._event_join(columns) for columns in self._events.values()]
        return "\n".join(rows + events + [_fence(level, inner) for level, inner in enumerate(self._levels)])

    def _leaf(self, leaf: Leaf) -> str:
        match leaf.sql(self._parameters):
            case OfRow(expression=expression):
                return expression
            case HasRow(table=table, alias=alias, where=where) if self._shares_rows:
                return self._rows.setdefault(table, RowColumns(table, alias)).column(where)
            case HasRow(table=table, alias=alias, where=where):
                return f"EXISTS (SELECT FROM {table} {alias} WHERE {self._scope(alias)} AND {where})"
            case InSegments(ids=ids, entered=None):
                return " OR ".join(map(self.verdict, ids)) or _FALSE
            case InSegments(ids=ids, entered=entered) if entered is not None:
                return " OR ".join(self._entered(id_, entered) for id_ in ids) or _FALSE
            case OfEvents(aggregates=aggregates, test=test):
                return test(*map(self._column, aggregates))
        raise TypeError(f"no SQL for {leaf!r}")

    def _entered(self, segment_id: int, entered: Callable[[str], str]) -> str:
        segment = self._parameters.constant(segment_id, "bigint")
        stored = f"(SELECT m.entered_at FROM segment_members m WHERE {self._scope('m')} AND m.segment_id = {segment})"
        entered_at = f"coalesce({stored}, {self._parameters.instant()})"
        return f"({self.verdict(segment_id)} AND {entered(entered_at)})"

    def _column(self, aggregate: Aggregate) -> str:
        columns = self._events.get(aggregate.event_name)
        if columns is None:
            name_id = self._parameters.constant(
                self._vocabulary.event_names.get(aggregate.event_name), "bigint"
            )
            columns = EventColumns(alias=f"events_{len(self._events)}", name_id=name_id)
            self._events[aggregate.event_name] = columns
        return columns.column(aggregate)

    def _event_join(self, columns: EventColumns) -> str:
        return (
            f"CROSS JOIN LATERAL (SELECT {columns.select_list()} FROM events e "
            f"WHERE {self._scope('e')} AND {columns.rows(self._parameters.instant())}) {columns.alias}"
        )

    def _row_join(self, columns: RowColumns) -> str:
        return (
            f"CROSS JOIN LATERAL (SELECT {columns.select_list()} FROM {columns.rows} "
            f"WHERE {self._scope(columns.alias)}) {columns.name}"
        )

    def _scope(self, alias: str) -> str:
        return f"{alias}.bucket_id = {self._bucket} AND {alias}.subscriber_id = s.id"


def _fence(level: int, expressions: list[str]) -> str:
    """The join with the verdicts of the inner segments of one level. They read only segments of lower levels.

    OFFSET 0 keeps the planner from copying each expression into all of its readers, which would double at every level.
    """
    verdicts = ", ".join(
        f"{expression} IS TRUE AS m{number}" for number, expression in enumerate(expressions)
    )
    return f"CROSS JOIN LATERAL (SELECT {verdicts} OFFSET 0) inner_{level}"
