"""Compiles conditions to expressions over one subscriber's row, alias `s`, and the lateral joins that they need.

It is for named people: each event name costs one index probe per person, however many conditions and windows use it.
Null counts as false, so an expression must not be negated with a plain NOT; use `complement`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from audience_gql.conditions.base import Condition, Leaf
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.kinds.later import Later
from audience_gql.conditions.reasoning.nesting import verdicts_read
from audience_gql.conditions.sql.columns import EventColumns, RowColumns
from audience_gql.conditions.sql.days import zone_join
from audience_gql.conditions.sql.questions import (
    Aggregate,
    FromEvents,
    HasRow,
    InSegments,
    Inside,
    OfEvents,
    OfRow,
    Parameters,
    complement,
)
from audience_gql.conditions.vocabulary import SegmentAt, Vocabulary

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
        self._events: dict[tuple[str, str, bool], EventColumns] = {}
        self._levels: list[list[str]] = []
        self._inner: dict[SegmentAt, tuple[int, int]] = {}

    def add_inner(self, verdict: SegmentAt, condition: Condition) -> None:
        """Add the verdict of a segment with this condition, which others read. Add the verdicts that it reads before."""
        level = max((self._inner[read][0] + 1 for read in verdicts_read(condition, verdict.later)), default=0)
        expression = self._expression(condition, self._parameters.moved(verdict.later))
        if level == len(self._levels):
            self._levels.append([])
        self._levels[level].append(expression)
        self._inner[verdict] = (level, len(self._levels[level]) - 1)

    def expression(self, condition: Condition) -> str:
        """The expression for a condition that is evaluated now."""
        return self._expression(condition, self._parameters)

    def verdict(self, verdict: SegmentAt) -> str:
        """The expression for an added verdict."""
        level, number = self._inner[verdict]
        return f"inner_{level}.m{number}"

    def joins(self) -> str:
        """The joins between `subscribers s` and WHERE. Call this after all expressions are built."""
        rows = [self._row_join(columns) for columns in self._rows.values()]
        events = [self._event_join(columns) for columns in self._events.values()]
        fences = [_fence(level, inner) for level, inner in enumerate(self._levels)]
        return "\n".join([*self._zone_joins(), *rows, *events, *fences])

    def _expression(self, condition: Condition, parameters: Parameters) -> str:
        """The expression for a condition that is evaluated when these parameters say."""
        match condition:
            case All(conditions=children):
                parts = (self._expression(child, parameters) for child in children)
                return f"({' AND '.join(parts) or _TRUE})"
            case AnyOf(conditions=children):
                parts = (self._expression(child, parameters) for child in children)
                return f"({' OR '.join(parts) or _FALSE})"
            case Not(condition=child):
                return complement(self._expression(child, parameters))
            case Later(condition=child):
                return self._expression(child, parameters.moved(condition.lead))
            case Leaf():
                return f"({self._leaf(condition, parameters)})"
        raise TypeError(f"no SQL for {condition!r}")

    def _leaf(self, leaf: Leaf, parameters: Parameters) -> str:
        match leaf.sql(parameters):
            case OfRow(expression=expression):
                return expression
            case HasRow() as test:
                return self._has_row(test)
            case InSegments(choices=choices):
                return " OR ".join(self._inside(choice, parameters) for choice in choices) or _FALSE
            case OfEvents(aggregates=aggregates, test=test):
                return test(*map(self._column, aggregates))
            case FromEvents(query=query, is_complement=is_complement):
                exists = "NOT EXISTS" if is_complement else "EXISTS"
                events = f"FROM events e WHERE {self._scope('e')}"
                return f"{exists} ({query(events, self._name_id)})"
        raise TypeError(f"no SQL for {leaf!r}")

    def _has_row(self, test: HasRow) -> str:
        if self._shares_rows:
            return self._rows.setdefault(test.table, RowColumns(test.table, test.alias)).column(test.where)
        return (
            f"EXISTS (SELECT FROM {test.table} {test.alias} WHERE {self._scope(test.alias)} AND {test.where})"
        )

    def _inside(self, inside: Inside, parameters: Parameters) -> str:
        required = [self.verdict(inside.segment)]
        if inside.but_not is not None:
            required.append(f"NOT {self.verdict(inside.but_not)}")  # a verdict is never null
        if inside.entered is not None:
            required.append(inside.entered(self._entered_at(inside, parameters)))
        return required[0] if len(required) == 1 else f"({' AND '.join(required)})"

    def _entered_at(self, inside: Inside, parameters: Parameters) -> str:
        segment = parameters.constant(inside.segment.id, "bigint")
        stored = f"(SELECT m.entered_at FROM segment_members m WHERE {self._scope('m')} AND m.segment_id = {segment})"
        entered_at = f"coalesce({stored}, {self._parameters.instant()})"
        if inside.is_of_present:
            return entered_at
        is_in = self.verdict(SegmentAt(inside.segment.id))
        return f"CASE WHEN {is_in} THEN {entered_at} ELSE {parameters.instant()} END"

    def _column(self, aggregate: Aggregate) -> str:
        key = aggregate.event_name, aggregate.upto, aggregate.is_of_days
        columns = self._events.get(key)
        if columns is None:
            columns = EventColumns(
                alias=f"events_{len(self._events)}",
                name_id=self._name_id(aggregate.event_name),
                upto=aggregate.upto,
                is_of_days=aggregate.is_of_days,
            )
            self._events[key] = columns
        return columns.column(aggregate)

    def _name_id(self, event_name: str) -> str:
        return self._parameters.constant(self._vocabulary.event_names.get(event_name), "bigint")

    def _event_join(self, columns: EventColumns) -> str:
        return (
            f"CROSS JOIN LATERAL (SELECT {columns.select_list()} FROM events e{columns.day_join()} "
            f"WHERE {self._scope('e')} AND {columns.rows()}) {columns.alias}"
        )

    def _zone_joins(self) -> Iterator[str]:
        """The joins with the clock of the person's zone, and with what everybody in the zone has in common."""
        columns = self._parameters.zone_columns
        if columns or any(events.is_of_days for events in self._events.values()):
            yield zone_join(self._parameters.home())
        if columns:
            # OFFSET 0 keeps the planner from computing the columns again for every event.
            values = ", ".join(f"{value} AS {column.partition('.')[2]}" for value, column in columns.items())
            yield f"CROSS JOIN LATERAL (SELECT {values} OFFSET 0) calendar"

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
