"""Compiles a condition to a selection from a range of people, by joins with sets of ids instead of probes of each person.

A required leaf becomes a semi-join, and a negated one an anti-join. Leaves below `any` become left joins that WHERE
tests. It never uses NOT IN, which fails on nulls and cannot be hashed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from audience_gql.conditions.base import Condition, Leaf
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.kinds.later import Later
from audience_gql.conditions.sql.columns import EventColumns
from audience_gql.conditions.sql.days import local_day_join
from audience_gql.conditions.sql.questions import (
    Aggregate,
    FromEvents,
    HasRow,
    InSegments,
    Inside,
    OfEvents,
    OfRow,
    Parameters,
    all_of,
    complement,
)
from audience_gql.conditions.vocabulary import SegmentAt, Vocabulary

BUCKET: Final = "$1::bigint"
_AFTER: Final = "$2::bigint"
_THROUGH: Final = "$3::bigint"
_OF_EVENTS: Final = "e.subscriber_id, e.occurred_at, e.value, e.properties, e.properties_folded"
"""The columns that aggregate functions use."""
BITS: Final = 62
"""How many verdicts a bigint holds."""
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
    events: dict[tuple[str, str, bool, bool], EventColumns] = field(default_factory=dict)
    conjuncts_as_sets: int = 0


@dataclass(slots=True, kw_only=True)
class _Word:
    """The verdicts of one person on up to 62 leaves, as a bigint under construction."""

    of_row: list[str] = field(default_factory=list)
    """Expressions for the verdicts on leaves that read the subscriber's own row."""
    complements: int = 0
    """The bits of the leaves whose sets have the people who fail."""

    def sql(self, name: str) -> str:
        """The word, if the sets that contain the person are the column of this name of `sets`, or null if there are none."""
        return " + ".join([f"(coalesce(sets.{name}, 0) # {self.complements}::bigint)", *self.of_row])


class RangeQuery:
    """Builds the statement of one condition.

    Every subquery is limited to the range (`$2`, `$3`] of the bucket `$1`.
    """

    def __init__(self, *, parameters: Parameters, vocabulary: Vocabulary) -> None:
        self._parameters = parameters
        self._vocabulary = vocabulary
        self._inner: dict[SegmentAt, str] = {}
        self._asks_where_people_live = False
        self._asks_for_residents = False

    def add_inner(self, verdict: SegmentAt, condition: Condition) -> None:
        """Add the verdict of a segment with this condition, which others read. Add the verdicts that it reads before."""
        self._inner[verdict] = self._people(condition, self._parameters.moved(verdict.later))

    def statement(self, condition: Condition) -> str:
        return self._with_tables(self._people(condition, self._parameters))

    def combinations(self, leaves: Sequence[tuple[Leaf, timedelta]]) -> str:
        """How many people of the range have which verdicts on these leaves, each evaluated so much later than now.

        One column for every 62 leaves, in which the verdict on the first is the lowest bit, and then the number of people.
        """
        words = [_Word() for _ in range(0, max(len(leaves), 1), BITS)]
        sets = []
        for position, (leaf, later) in enumerate(leaves):
            number, bit = divmod(position, BITS)
            parameters = self._parameters.moved(later)
            match leaf.sql(parameters):
                case OfRow(expression=expression):
                    words[number].of_row.append(f"CASE WHEN {expression} THEN {1 << bit} ELSE 0 END")
                case test:
                    ids = self._id_set(test, parameters)
                    words[number].complements |= ids.is_complement << bit
                    bits = ", ".join(f"{(it == number) << bit}::bigint" for it in range(len(words)))
                    sets.append(f"SELECT x.subscriber_id, {bits} FROM ({ids.sql}) x")
        names = [f"word_{number}" for number in range(len(words))]
        columns = ", ".join(f"{word.sql(name)} AS {name}" for word, name in zip(words, names, strict=True))
        people = f"SELECT {columns} FROM subscribers s{_in_sets(names, sets)}\nWHERE {_scope('s', 'id')}"
        return self._with_tables(
            f"SELECT {', '.join(names)}, count(*) AS people FROM ({people}) p GROUP BY {', '.join(names)}"
        )

    def _with_tables(self, people: str) -> str:
        tables = [*self._tables_of_zones()]
        tables += [
            f"{self._name(verdict)} AS MATERIALIZED (\n{sql}\n)" for verdict, sql in self._inner.items()
        ]
        return f"WITH {', '.join(tables)}\n{people}" if tables else people

    def _people(self, condition: Condition, parameters: Parameters) -> str:
        """The people whom the condition matches when it is evaluated when these parameters say."""
        selection = _Selection()
        where = self._required(condition, parameters, wanted=True, selection=selection)
        joins = "".join(f"\n{join}" for join in self._joins(selection))
        return (
            f"SELECT s.id AS subscriber_id FROM subscribers s{joins}\nWHERE {_scope('s', 'id')} AND {where}"
        )

    def _joins(self, selection: _Selection) -> Iterable[str]:
        yield from selection.set_joins
        for (_, _, is_of_zone, is_of_days), columns in selection.events.items():
            source = self._source(is_of_zone=is_of_zone, is_of_days=is_of_days)
            rows = f"{_scope('e', 'subscriber_id')} AND {columns.rows()}"
            yield (
                f"LEFT JOIN (SELECT e.subscriber_id, {columns.select_list()} FROM {source} WHERE {rows} "
                f"GROUP BY e.subscriber_id) {columns.alias} ON {columns.alias}.subscriber_id = s.id"
            )

    def _required(
        self, condition: Condition, parameters: Parameters, *, wanted: bool, selection: _Selection
    ) -> str:
        """A conjunct for WHERE: the condition holds, or, without `wanted`, it does not."""
        match condition:
            case Not(condition=child):
                return self._required(child, parameters, wanted=not wanted, selection=selection)
            case Later(condition=child):
                moved = parameters.moved(condition.lead)
                return self._required(child, moved, wanted=wanted, selection=selection)
            case All(conditions=children) | AnyOf(conditions=children) if (
                isinstance(condition, All) is wanted or len(children) == 1
            ):
                parts = [
                    self._required(child, parameters, wanted=wanted, selection=selection)
                    for child in children
                ]
                return f"({' AND '.join(parts) or 'TRUE'})"
            case Leaf() if selection.conjuncts_as_sets < _MAX_CONJUNCTS_AS_SETS:
                return self._required_leaf(condition, parameters, wanted=wanted, selection=selection)
            case _:
                return _is(self._optional(condition, parameters, selection), wanted=wanted)

    def _required_leaf(
        self, leaf: Leaf, parameters: Parameters, *, wanted: bool, selection: _Selection
    ) -> str:
        match leaf.sql(parameters):
            case OfRow(expression=expression):
                return _is(f"({expression})", wanted=wanted)
            case test:
                selection.conjuncts_as_sets += 1
                ids = self._id_set(test, parameters)
                if ids.is_complement is wanted:
                    return f"NOT EXISTS (SELECT FROM ({ids.sql}) x WHERE x.subscriber_id = s.id)"
                return f"s.id IN ({ids.sql})"

    def _optional(self, condition: Condition, parameters: Parameters, selection: _Selection) -> str:
        """An expression for a condition that WHERE need not require by itself. Null counts as false."""
        match condition:
            case All(conditions=children):
                parts = (self._optional(child, parameters, selection) for child in children)
                return f"({' AND '.join(parts) or 'TRUE'})"
            case AnyOf(conditions=children):
                parts = (self._optional(child, parameters, selection) for child in children)
                return f"({' OR '.join(parts) or 'FALSE'})"
            case Not(condition=child):
                return complement(self._optional(child, parameters, selection))
            case Later(condition=child):
                return self._optional(child, parameters.moved(condition.lead), selection)
            case Leaf():
                return self._optional_leaf(condition, parameters, selection)
        raise TypeError(f"no SQL for {condition!r}")

    def _optional_leaf(self, leaf: Leaf, parameters: Parameters, selection: _Selection) -> str:
        match leaf.sql(parameters):
            case OfRow(expression=expression):
                return f"({expression})"
            case OfEvents(aggregates=aggregates, test=test):
                return f"({test(*(self._column(aggregate, selection) for aggregate in aggregates))})"
            case test:
                alias = f"ids_{len(selection.set_joins)}"
                found = self._id_set(test, parameters)
                ids = f"SELECT DISTINCT x.subscriber_id FROM ({found.sql}) x"
                selection.set_joins.append(f"LEFT JOIN ({ids}) {alias} ON {alias}.subscriber_id = s.id")
                return f"({alias}.subscriber_id IS {'NULL' if found.is_complement else 'NOT NULL'})"

    def _column(self, aggregate: Aggregate, selection: _Selection) -> str:
        key = aggregate.event_name, aggregate.upto, aggregate.is_of_zone, aggregate.is_of_days
        columns = selection.events.get(key)
        if columns is None:
            columns = EventColumns(
                alias=f"events_{len(selection.events)}",
                name_id=self._name_id(aggregate.event_name),
                upto=aggregate.upto,
                is_of_days=aggregate.is_of_days,
            )
            selection.events[key] = columns
        column = columns.column(aggregate)
        return column if aggregate.of_nothing is None else f"coalesce({column}, {aggregate.of_nothing})"

    def _id_set(self, test: HasRow | InSegments | OfEvents | FromEvents, parameters: Parameters) -> _IdSet:
        match test:
            case HasRow(table=table, alias=alias, where=where):
                rows = f"FROM {table} {alias} WHERE {_scope(alias, 'subscriber_id')} AND {where}"
                return _IdSet(sql=f"SELECT {alias}.subscriber_id {rows}")
            case InSegments(choices=choices):
                return _IdSet(sql=_union(self._inside(choice, parameters) for choice in choices))
            case OfEvents():
                return self._id_set_of_events(test)
            case FromEvents(query=query, is_complement=is_complement, is_of_zone=is_of_zone):
                source = self._residents_events() if is_of_zone else "events e"
                rows = f"FROM {source} WHERE {_scope('e', 'subscriber_id')}"
                return _IdSet(sql=query(rows, self._name_id), is_complement=is_complement)

    def _inside(self, inside: Inside, parameters: Parameters) -> str:
        people = f"SELECT i.subscriber_id FROM {self._name(inside.segment)} i"
        required = []
        if inside.entered is not None:
            join, entered_at = self._entry(inside, parameters)
            people += join
            required.append(inside.entered(entered_at))
        if inside.but_not is not None:
            required.append(
                f"NOT EXISTS (SELECT FROM {self._name(inside.but_not)} o WHERE o.subscriber_id = i.subscriber_id)"
            )
        return f"{people} WHERE {' AND '.join(required)}" if required else people

    def _entry(self, inside: Inside, parameters: Parameters) -> tuple[str, str]:
        """The joins that find when somebody entered, and the expression for that instant."""
        segment = parameters.constant(inside.segment.id, "bigint")
        stored = (
            " LEFT JOIN (SELECT m.subscriber_id, m.entered_at FROM segment_members m "
            f"WHERE {_scope('m', 'subscriber_id')} AND m.segment_id = {segment}) m "
            "ON m.subscriber_id = i.subscriber_id"
        )
        entered_at = f"coalesce(m.entered_at, {self._parameters.instant()})"
        if inside.is_of_present:
            return stored, entered_at
        present = (
            f" LEFT JOIN {self._name(SegmentAt(inside.segment.id))} p ON p.subscriber_id = i.subscriber_id"
        )
        return (
            stored + present,
            f"CASE WHEN p.subscriber_id IS NULL THEN {parameters.instant()} ELSE {entered_at} END",
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

    def _name(self, verdict: SegmentAt) -> str:
        return f"inner_{list(self._inner).index(verdict)}"

    def _grouped(self, aggregate: Aggregate) -> str:
        rows = self._events(aggregate)
        return f"SELECT e.subscriber_id, {aggregate.function} AS a {rows} GROUP BY e.subscriber_id"

    def _events(self, aggregate: Aggregate) -> str:
        name_id = self._name_id(aggregate.event_name)
        until_now = f"e.name_id = {name_id} AND e.occurred_at <= {aggregate.upto}"
        rows = f"{_scope('e', 'subscriber_id')} AND {until_now}"
        source = self._source(is_of_zone=aggregate.is_of_zone, is_of_days=aggregate.is_of_days)
        if aggregate.window is None or aggregate.is_of_days:
            return f"FROM {source} WHERE {all_of(rows, aggregate.where)}"
        # Only the events near the ends of the window are joined with their people.
        window = aggregate.window()
        sure = f"SELECT {_OF_EVENTS} FROM events e WHERE {all_of(rows, window.sure, aggregate.rest)}"
        unsure = f"SELECT {_OF_EVENTS} FROM {source} WHERE {all_of(rows, window.unsure, aggregate.rest)}"
        return f"FROM ({sure} UNION ALL {unsure}) e"

    def _source(self, *, is_of_zone: bool, is_of_days: bool) -> str:
        """The events `e`, joined with their people only if something depends on where these live."""
        if not (is_of_zone or is_of_days):
            return "events e"
        self._asks_where_people_live = True
        if is_of_days:  # of most people, so that these are joined with their zones first
            return f"{self._residents_events()} JOIN zone_clocks zone ON zone.zone = calendar.zone {local_day_join()}"
        return (
            f"events e JOIN subscribers p ON {_scope('p', 'id')} AND p.id = e.subscriber_id "
            f"LEFT JOIN zones own ON own.zone = p.timezone LEFT JOIN home ON TRUE "
            f"CROSS JOIN LATERAL (SELECT {self._values_of_zone()}) calendar"
        )

    def _residents_events(self) -> str:
        """The events `e`, joined with a table of all people of the range. Columns of zones that are asked for later are in it, too."""
        self._asks_where_people_live = self._asks_for_residents = True
        return "events e JOIN residents calendar ON calendar.subscriber_id = e.subscriber_id"

    def _tables_of_zones(self) -> Iterator[str]:
        """What everybody in a zone has in common, and then each person of the range with what their zone has."""
        if not self._asks_where_people_live:
            return
        columns = (
            (value, column.partition(".")[2]) for value, column in self._parameters.zone_columns.items()
        )
        of_zones = ", ".join(["zone.zone", *(f"{value} AS {name}" for value, name in columns)])
        yield f"zones AS MATERIALIZED (\nSELECT {of_zones} FROM zone_clocks zone\n)"
        # A table of its own: joined with a condition on `zones`, all zones would be read for each person.
        yield f"home AS MATERIALIZED (\nSELECT * FROM zones WHERE zones.zone = {self._parameters.home()}\n)"
        if self._asks_for_residents:
            yield (
                f"residents AS MATERIALIZED (\nSELECT s.id AS subscriber_id, {self._values_of_zone()} FROM subscribers s "
                f"LEFT JOIN zones own ON own.zone = s.timezone LEFT JOIN home ON TRUE WHERE {_scope('s', 'id')}\n)"
            )

    def _values_of_zone(self) -> str:
        """The columns of a person: those of their own zone, or else of the workspace's."""
        names = (column.partition(".")[2] for column in self._parameters.zone_columns.values())
        return ", ".join(f"coalesce(own.{name}, home.{name}) AS {name}" for name in ("zone", *names))

    def _name_id(self, event_name: str) -> str:
        return self._parameters.constant(self._vocabulary.event_names.get(event_name), "bigint")


def _scope(alias: str, id_column: str) -> str:
    id_ = f"{alias}.{id_column}"
    return f"{alias}.bucket_id = {BUCKET} AND {id_} > {_AFTER} AND {id_} <= {_THROUGH}"


def _is(expression: str, *, wanted: bool) -> str:
    return expression if wanted else complement(expression)


def _in_sets(names: Sequence[str], sets: Sequence[str]) -> str:
    """The join with the people who are in any of the sets, with their bits in all of them. Each set selects an id, and bits for each name."""
    rows = (
        " UNION ALL ".join(sets)
        or f"SELECT NULL::bigint, {', '.join(['0::bigint'] * len(names))} WHERE FALSE"
    )
    bits = ", ".join(f"bit_or(u.{name}) AS {name}" for name in names)
    return (
        f"\nLEFT JOIN (SELECT u.subscriber_id, {bits} FROM ({rows}) u (subscriber_id, {', '.join(names)}) "
        "GROUP BY u.subscriber_id) sets ON sets.subscriber_id = s.id"
    )


def _union(queries: Iterable[str]) -> str:
    return " UNION ALL ".join(queries) or "SELECT NULL::bigint AS subscriber_id WHERE FALSE"
