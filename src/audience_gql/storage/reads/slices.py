"""Keyset paging in SQL: which part of a list to read, how lists are ordered, and how a statement continues after a position.

It must not know a table.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeAlias, TypeVar

import asyncpg

Node = TypeVar("Node")
Parent = TypeVar("Parent", bound=Hashable)
Position: TypeAlias = tuple[
    Any, ...
]  # Any: the values that a list is ordered by; the last ones make them unique

_TYPES: Final = {bool: "boolean", int: "bigint", str: "text", datetime: "timestamptz"}


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list to read: `size` entries after a position, or from the start."""

    size: int
    after: Position | None = None

    @property
    def limit(self) -> str:
        """A LIMIT of one more than `size`, so that the caller knows whether there is a next page.

        It is part of the SQL text, because Postgres plans a bound LIMIT as a tenth of the table.
        """
        return f"LIMIT {self.size + 1:d}"


@dataclass(frozen=True, slots=True)
class Entry(Generic[Node]):
    """One entry of a list. `at` is when the node entered the list; None for lists without members."""

    node: Node
    position: Position
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
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

    def position(self, row: asyncpg.Record) -> Position:
        return tuple(row[f"k{number}"] for number in range(len(self.keys)))

    def _directed(self, keys: tuple[str, ...]) -> str:
        return ", ".join(f"{key} {'DESC' if self.is_descending else 'ASC'}" for key in keys)


def bind(value: object, values: list[object]) -> str:
    """Append a value to a statement's values. Returns its placeholder with a type, so that Postgres need not infer one."""
    values.append(value)
    return f"${len(values)}::{_TYPES[type(value)]}"


def by_parent(
    parents: Sequence[Parent], rows: Iterable[asyncpg.Record], entry: Callable[[asyncpg.Record], Entry[Node]]
) -> dict[Parent, list[Entry[Node]]]:
    """The rows of many parents' pages as entries by parent. A row's `number` is its parent's position, from 1."""
    found: dict[Parent, list[Entry[Node]]] = {}
    for row in rows:
        if row["k0"] is None:
            continue  # a parent without entries
        found.setdefault(parents[row["number"] - 1], []).append(entry(row))
    return found
