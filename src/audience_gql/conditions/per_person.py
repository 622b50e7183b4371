"""Conditions as expressions over one subscriber's row, alias `s`, and the lateral joins they rest on.

For people that are known: each event name costs one index probe a person, however many conditions and
windows ask about it. Null counts as false: whoever uses an expression must not negate it with a plain NOT.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from audience_gql.conditions.base import Condition, Leaf
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.sql import (
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


@dataclass(slots=True, kw_only=True)
class _EventsOfName:
    """The lateral aggregate over one person's events of one name, filled while expressions are built."""

    alias: str
    name_id: str
    columns: dict[str, str] = field(default_factory=dict)
    starts: dict[str | None, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fence:
    """The verdict of an inner segment, computed once a person."""

    alias: str
    expression: str


class PersonQuery:
    """Collects what the expressions of one statement have in common.

    `bucket` is the SQL that scopes every table.
    """

    def __init__(self, *, bucket: str, parameters: Parameters, vocabulary: Vocabulary) -> None:
        self._bucket = bucket
        self._parameters = parameters
        self._vocabulary = vocabulary
        self._events: dict[str, _EventsOfName] = {}
        self._inner: dict[int, _Fence] = {}

    def add_inner(self, segment_id: int, condition: Condition) -> None:
        """Make a segment known to those that read it; after all that it reads itself."""
        fence = _Fence(alias=f"inner_{len(self._inner)}", expression=self.expression(condition))
        self._inner[segment_id] = fence

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
        """The expression for a segment that was added."""
        return f"{self._inner[segment_id].alias}.matches"

    def joins(self) -> str:
        """What goes between `subscribers s` and WHERE; complete only when all expressions have been built."""
        events = [self._event_join(events) for events in self._events.values()]
        # OFFSET 0 keeps the planner from copying an inner condition into each of its readers, which doubles
        # at every level.
        fences = [
            f"CROSS JOIN LATERAL (SELECT {fence.expression} IS TRUE AS matches OFFSET 0) {fence.alias}"
            for fence in self._inner.values()
        ]
        return "\n".join(events + fences)

    def _leaf(self, leaf: Leaf) -> str:
        match leaf.sql(self._parameters):
            case OfRow(expression=expression):
                return expression
            case HasRow(table=table, alias=alias, where=where):
                scope = f"{alias}.bucket_id = {self._bucket} AND {alias}.subscriber_id = s.id"
                return f"EXISTS (SELECT FROM {table} {alias} WHERE {scope} AND {where})"
            case InSegments(ids=ids):
                return " OR ".join(map(self.verdict, ids)) or _FALSE
            case OfEvents(aggregates=aggregates, test=test):
                return test(*map(self._column, aggregates))

    def _column(self, aggregate: Aggregate) -> str:
        """The column that holds an aggregate; the same one for whoever asks the same."""
        events = self._events.get(aggregate.event_name)
        if events is None:
            name_id = self._vocabulary.event_names.get(aggregate.event_name)
            events = self._events[aggregate.event_name] = _EventsOfName(
                alias=f"events_{len(self._events)}", name_id=self._parameters.constant(name_id, "bigint")
            )
        chosen = "" if aggregate.where is None else f" FILTER (WHERE {aggregate.where})"
        column = events.columns.setdefault(f"{aggregate.function}{chosen}", f"a{len(events.columns)}")
        events.starts[aggregate.since] = None
        return f"{events.alias}.{column}"

    def _event_join(self, events: _EventsOfName) -> str:
        columns = ", ".join(f"{expression} AS {name}" for expression, name in events.columns.items())
        starts = [start for start in events.starts if start is not None]
        since = (
            f" AND e.occurred_at >= LEAST({', '.join(starts)})" if len(starts) == len(events.starts) else ""
        )
        return (
            f"CROSS JOIN LATERAL (SELECT {columns} FROM events e "
            f"WHERE e.bucket_id = {self._bucket} AND e.subscriber_id = s.id AND e.name_id = {events.name_id} "
            f"AND e.occurred_at <= {self._parameters.instant()}{since}) {events.alias}"
        )
