"""Keyset paging in SQL: which part of a list is wanted, how lists are ordered, and how a statement goes on after a position.

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
]  # Any: the values that a list is ordered by, ending with what makes them unique

_TYPES: Final = {bool: "boolean", int: "bigint", str: "text", datetime: "timestamptz"}


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list: so many entries after a position, or from its start."""

    size: int
    after: Position | None = None

    @property
    def limit(self) -> str:
        """One more than asked for, so that whoever asks knows whether there is a next page.

        Written into the text: a bound LIMIT is planned as if it were a tenth of the table.
        """
        return f"LIMIT {self.size + 1:d}"


@dataclass(frozen=True, slots=True)
class Entry(Generic[Node]):
    """One line of a list. `at` is when the node came to be in it, for lists that somebody is a member of."""

    node: Node
    position: Position
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """The expressions that a list is ordered by. They share one direction, so that a row comparison can go on after a position."""

    keys: tuple[str, ...]
    is_descending: bool = True

    @property
    def columns(self) -> str:
        """The keys as columns k0, k1, … of a subselect."""
        return ", ".join(f"{key} AS k{number}" for number, key in enumerate(self.keys))

    @property
    def clause(self) -> str:
        return self._directed(self.keys)

    @property
    def outer_clause(self) -> str:
        """The same order, around the subselect that has `columns`."""
        return self._directed(tuple(f"k{number}" for number in range(len(self.keys))))

    def beyond(self, after: Position | None, values: list[object]) -> str:
        """A condition for the rows after a position, whose parts it appends to the statement's values."""
        if after is None:
            return "true"
        bound = ", ".join(bind(part, values) for part in after)
        return f"({', '.join(self.keys)}) {'<' if self.is_descending else '>'} ({bound})"

    def position(self, row: asyncpg.Record) -> Position:
        return tuple(row[f"k{number}"] for number in range(len(self.keys)))

    def _directed(self, keys: tuple[str, ...]) -> str:
        return ", ".join(f"{key} {'DESC' if self.is_descending else 'ASC'}" for key in keys)


def bind(value: object, values: list[object]) -> str:
    """Append a value to a statement's values. Returns its placeholder, typed, so that no plan depends on inference."""
    values.append(value)
    return f"${len(values)}::{_TYPES[type(value)]}"


def by_parent(
    parents: Sequence[Parent], rows: Iterable[asyncpg.Record], entry: Callable[[asyncpg.Record], Entry[Node]]
) -> dict[Parent, list[Entry[Node]]]:
    """The rows of many parents' pages, which say their parent's place by `number`, as entries by parent."""
    found: dict[Parent, list[Entry[Node]]] = {}
    for row in rows:
        if row["k0"] is None:
            continue  # a parent without entries
        found.setdefault(parents[row["number"] - 1], []).append(entry(row))
    return found
