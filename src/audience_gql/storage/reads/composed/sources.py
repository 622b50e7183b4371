"""What the fields of an answer read: one row, all rows of a kind, a page of a list, or a value.

The modules that own a list's SQL say what its rows are. A source adds what one request asks of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

from audience_gql.storage.reads.composed import spelling
from audience_gql.storage.reads.composed.pieces import MARK_SQL, NOTHING, Asked, HasNextPage, Object, Piece
from audience_gql.storage.reads.composed.writing import NotWritable, Page, Place
from audience_gql.storage.reads.slices import Order, Slice, bind

Names: TypeAlias = frozenset[str]
"""Names of columns."""


class Source(Protocol):
    """What a field reads for each row around it."""

    @property
    def of(self) -> Names:
        """The columns of the row around it that it needs."""

    @property
    def shape(self) -> Hashable:
        """Everything that its text depends on."""

    @property
    def values(self) -> Sequence[Any]:  # Any: the parameters' own types
        """The values of its parameters, in the order in which `parts` appends them to the statement's."""

    def parts(self, asked: Asked, place: Place) -> Iterator[str]:
        """As a piece's parts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Rows that one key names."""

    known: Names
    write: Callable[[Names | None], str]
    """Takes the columns to select, None for all. Returns a query for at most one row, with {} in the place of each part of the key."""


@dataclass(frozen=True, slots=True)
class RowSource:
    """The row with this key; null if there is none."""

    table: Table
    values: tuple[Any, ...]  # Any: the key's own type

    @property
    def of(self) -> Names:
        return NOTHING

    @property
    def shape(self) -> Hashable:
        return self.table

    def parts(self, asked: Asked, place: Place) -> Iterator[str]:
        inner, within = _inside(asked, place)
        keys = [bind(value, place.statement.values) for value in self.values]
        columns = _columns(inner, within, self.table.known)
        rows = self.table.write(columns).format(*keys)
        written = spelling.joined([*inner.parts(within)])
        yield f"(SELECT {written} FROM ({rows}) {within.row})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """All rows of a kind that belong to a row."""

    known: Names
    of: Names
    write: Callable[[Names, str], str]
    """Takes the columns to select and the alias of the row around them. Returns a query for the rows, in order."""


@dataclass(frozen=True, slots=True)
class RowsSource:
    """A list without arguments."""

    rows: Rows

    @property
    def of(self) -> Names:
        return self.rows.of

    @property
    def shape(self) -> Hashable:
        return self.rows

    @property
    def values(self) -> Sequence[Any]:
        return ()

    def parts(self, asked: Asked, place: Place) -> Iterator[str]:
        inner, within = _inside(asked, place)
        rows = self.rows.write(_columns(inner, within, self.rows.known), place.row)
        written = spelling.joined([*inner.parts(within)])
        yield from ("'['", f"(SELECT string_agg({written}, ',') FROM ({rows}) {within.row})", "']'")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listed:
    """A list in one order, of which pages are read."""

    known: Names
    of: Names
    order: Order
    write: Callable[[Names, str, str, Slice], str]
    """Takes the columns to select, the alias of the row around the list, a condition for the rows after a position, and the part to read.
    Returns a query for the rows in order, with the order's columns."""
    is_noted: bool = False
    """Whether the caller is told the id of the row whose list is read."""


@dataclass(frozen=True, slots=True)
class PageSource:
    """A page of a list."""

    listed: Listed
    part: Slice
    tag: str
    """The tag in the list's cursors."""
    types: tuple[type, ...]
    """The types of the parts of a position in them."""

    @property
    def of(self) -> Names:
        return self.listed.of

    @property
    def shape(self) -> Hashable:
        return self.listed, self.part.size, self.part.after is None

    @property
    def values(self) -> Sequence[Any]:
        return self.part.after or ()

    def parts(self, asked: Asked, place: Place) -> Iterator[str]:
        part = replace(self.part, with_next=_has(asked.inner, HasNextPage))
        inner, within = _inside(asked, place, Page(self.tag, self.types, part))
        columns = _columns(inner, within, self.listed.known)
        beyond = self.listed.order.beyond(part.after, place.statement.values)
        rows = self.listed.write(columns, place.row, beyond, part)
        if part.with_next:
            rows = f"SELECT r.*, row_number() OVER () AS number FROM ({rows}) r"
        if self.listed.is_noted:
            yield f"concat({MARK_SQL}, {place.row}.id, {MARK_SQL})"
        written = spelling.joined([*inner.parts(within)])
        # HAVING makes it one row even if nothing is selected of the entries.
        yield f"(SELECT {written} FROM ({rows}) {within.row} HAVING true)"


@dataclass(frozen=True, slots=True)
class ValueSource:
    """A value of the row that an argument names; null if there is none."""

    of: Names
    write: Callable[[str, Sequence[str]], str]
    """Takes the row's alias and placeholders for the values. Returns an expression of JSON."""
    values: tuple[Any, ...]

    @property
    def shape(self) -> Hashable:
        return self.write

    def parts(self, asked: Asked, place: Place) -> Iterator[str]:
        if asked.inner is not None:
            raise NotWritable
        written = self.write(place.row, [bind(value, place.statement.values) for value in self.values])
        yield f"coalesce({written}, 'null')"


def _inside(asked: Asked, place: Place, page: Page | None = None) -> tuple[Object, Place]:
    if asked.inner is None:
        raise NotWritable
    return asked.inner, Place(place.statement, f"r{asked.number}", page)


def _columns(inner: Object, within: Place, known: Names) -> Names:
    columns = inner.reads(within)
    if not columns <= known:
        raise NotWritable
    return columns


def _has(piece: Piece | None, kind: type) -> bool:
    """Whether a page's own members include a piece of this kind."""
    return isinstance(piece, kind) or (
        isinstance(piece, Object) and any(_has(member, kind) for _, member in piece.members)
    )
