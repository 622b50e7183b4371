"""Keyset paging in SQL: which part of a list to read, how lists are ordered, and how a statement continues after a position.

It must not know a table.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final, Generic, TypeAlias, TypeVar

import asyncpg

Node = TypeVar("Node")
RecordType = TypeVar("RecordType", bound=asyncpg.Record)
Parent = TypeVar("Parent", bound=Hashable)
Position: TypeAlias = tuple[
    Any, ...
]  # Any: the values that a list is ordered by; the last ones make them unique

_ROWS_OF_UNNEST: Final = 10
_TYPES: Final = {bool: "boolean", int: "bigint", str: "text", datetime: "timestamptz"}


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list to read: `size` entries after a position, or from the start."""

    size: int
    after: Position | None = None
    with_next: bool = True
    """Whether to read one entry more, so that the caller knows whether there is a next page."""

    @property
    def limit(self) -> str:
        """A LIMIT of as many entries as to read.

        It is part of the SQL text, because Postgres plans a bound LIMIT as a tenth of the table.
        """
        return f"LIMIT {self.rows:d}"

    @property
    def rows(self) -> int:
        return self.size + self.with_next


@dataclass(frozen=True, slots=True)
class Entries(Generic[Node]):
    """Consecutive entries of a list: what they are, and where in the list they stand."""

    nodes: Sequence[Node] = ()
    positions: Sequence[Position] = ()

    def __len__(self) -> int:
        return len(self.nodes)


@dataclass(frozen=True)
class Order:
    """The expressions that a list is ordered by. They share one direction, so that a row comparison can continue after a position."""

    keys: tuple[str, ...]
    is_descending: bool = True

    @property
    def columns(self) -> str:
        """The keys as columns k0, k1, … for the SELECT list of a subquery."""
        return ", ".join(f"{key} AS k{number}" for number, key in enumerate(self.keys))

    @property
    def clause(self) -> str:
        return self._directed(self.keys)

    @property
    def outer_clause(self) -> str:
        """The same order, for the query around a subquery that has `columns`."""
        return self._directed(tuple(f"k{number}" for number in range(len(self.keys))))

    def beyond(self, after: Position | None, values: list[object]) -> str:
        """A condition for the rows after a position. Appends the position's parts to the statement's values."""
        if after is None:
            return "true"
        bound = ", ".join(bind(part, values) for part in after)
        return f"({', '.join(self.keys)}) {'<' if self.is_descending else '>'} ({bound})"

    @cached_property
    def position(self) -> Callable[[asyncpg.Record], Position]:
        """Reads the position of a row that has `columns`."""
        names = [f"k{number}" for number in range(len(self.keys))]
        return itemgetter(*names) if len(names) > 1 else lambda row: (row["k0"],)

    def merge(self, pages: Iterable[Sequence[RecordType]], size: int) -> list[RecordType]:
        """The first rows of all these pages together. Each page is in this order and has `columns`."""
        merged = heapq.merge(*pages, key=self.position, reverse=self.is_descending)
        return [*islice(merged, size)]

    def _directed(self, keys: tuple[str, ...]) -> str:
        return ", ".join(f"{key} {'DESC' if self.is_descending else 'ASC'}" for key in keys)


def parents_of_page(ids: Sequence[object]) -> str:
    """The parents of a statement's pages, whose ids are the array $2, as a table `p (id, number)`.

    Postgres takes `unnest` of a parameter for ten rows. For fewer parents, a plan for any values would look dearer to it than a plan for these
    values, and it would plan each execution again, which costs more than the page. So few parents are counted in the statement's text.
    """
    if len(ids) <= _ROWS_OF_UNNEST:
        return (
            f"(SELECT ($2::bigint[])[n] AS id, n AS number FROM generate_series(1, {len(ids):d}) AS n) AS p"
        )
    return "unnest($2::bigint[]) WITH ORDINALITY AS p (id, number)"


def bind(value: object, values: list[object]) -> str:
    """Append a value to a statement's values. Returns its placeholder with a type, so that Postgres need not infer one."""
    values.append(value)
    return f"${len(values)}::{_TYPES[type(value)]}"


def entries_of(
    rows: Sequence[asyncpg.Record], order: Order, node: Callable[[asyncpg.Record], Node]
) -> Entries[Node]:
    """The rows of one page."""
    return Entries([node(row) for row in rows], [*map(order.position, rows)])


def by_parent(
    parents: Sequence[Parent],
    rows: Sequence[asyncpg.Record],
    order: Order,
    node: Callable[[asyncpg.Record], Node] | None = None,
) -> dict[Parent, Entries[Node]]:
    """The rows of many parents' pages as entries by parent. A row's `number` is its parent's position, from 1. The rows are ordered by it.

    Without `node`, the rows themselves are the nodes.
    """
    found: dict[Parent, Entries[Node]] = {}
    for number, its_rows in groupby(rows, itemgetter("number")):
        of_parent = [*its_rows]
        positions = [*map(order.position, of_parent)]
        if positions[0][0] is not None:  # otherwise it is a parent without entries
            nodes: Sequence[Any] = of_parent if node is None else [*map(node, of_parent)]
            found[parents[number - 1]] = Entries(nodes, positions)
    return found
