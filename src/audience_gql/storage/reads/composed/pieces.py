"""The pieces of an answer: objects, and the values in them. Each can write the SQL expression of its JSON text.

An expression is never null, and belongs to a row, whose columns the piece names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from audience_gql.storage.reads.composed import spelling

if TYPE_CHECKING:
    from audience_gql.storage.reads.composed.writing import Place

MARK: Final = "\x01"
"""Encloses what the caller replaces in the text, since JSON has no such character: positions, which are JSON lists; ids, which begin with a word;
and numbers of rows that the caller wants to know of, which are no part of the JSON."""
MARK_SQL: Final = "chr(1)"
_NULL: Final = "'null'"
NOTHING: Final[frozenset[str]] = frozenset()


class Piece(Protocol):
    """A part of an answer."""

    def reads(self, place: Place) -> frozenset[str]:
        """The columns of the row that the piece reads."""

    def parts(self, place: Place) -> Iterator[str]:
        """SQL expressions of texts that are the piece's JSON if they are joined."""


@dataclass(frozen=True, slots=True)
class Constant:
    """JSON that the document alone decides."""

    text: str

    def reads(self, _: Place) -> frozenset[str]:
        return NOTHING

    def parts(self, _: Place) -> Iterator[str]:
        yield spelling.quoted(self.text)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the row."""

    name: str
    spell: Callable[[str], str] = spelling.as_json
    may_be_null: bool = False

    def reads(self, _: Place) -> frozenset[str]:
        return frozenset({self.name})

    def parts(self, place: Place) -> Iterator[str]:
        spelled = self.spell(f"{place.row}.{self.name}")
        if not self.may_be_null:
            yield spelled
        elif self.spell is spelling.as_json:
            yield f"coalesce({spelled}, {_NULL}::json)"
        else:
            yield f"CASE WHEN {place.row}.{self.name} IS NULL THEN {_NULL} ELSE {spelled} END"


@dataclass(frozen=True, slots=True)
class Id:
    """The id of the row: between marks, the word for its kind and its numbers, separated by commas."""

    word: str
    columns: tuple[str, ...]

    def reads(self, _: Place) -> frozenset[str]:
        return frozenset(self.columns)

    def parts(self, place: Place) -> Iterator[str]:
        yield from ("'\"'", MARK_SQL, spelling.quoted(self.word))
        for name in self.columns:
            yield from ("','", f"{place.row}.{name}")
        yield from (MARK_SQL, "'\"'")


@dataclass(frozen=True, slots=True)
class Computed:
    """A value that a subquery computes for the row. It is not null. `$1` is the workspace."""

    columns: frozenset[str]
    write: Callable[[str], str]
    """Takes the row's alias. Returns an expression of the value."""
    beside: tuple[str, str] | None = None
    """The name of a query that runs once for all rows, and the query. The expression may read it."""

    def reads(self, _: Place) -> frozenset[str]:
        return self.columns

    def parts(self, place: Place) -> Iterator[str]:
        if self.beside is not None:
            name, query = self.beside
            place.statement.beside[name] = query
        yield spelling.as_json(self.write(place.row))


@dataclass(frozen=True, slots=True)
class Object:
    """An object with its members in the document's order. What it reads belongs to the row around it."""

    members: tuple[tuple[str, Piece], ...]

    def reads(self, place: Place) -> frozenset[str]:
        return NOTHING.union(*(piece.reads(place) for _, piece in self.members))

    def parts(self, place: Place) -> Iterator[str]:
        before = "{"
        for key, piece in self.members:
            yield spelling.quoted(f'{before}"{key}":')
            yield from piece.parts(place)
            before = ","
        yield spelling.quoted("}" if self.members else "{}")


# ---- in pages


@dataclass(frozen=True, slots=True)
class At:
    """When the node entered the list. Only lists of members have this; they are ordered by it."""

    def reads(self, _: Place) -> frozenset[str]:
        return NOTHING

    def parts(self, place: Place) -> Iterator[str]:
        yield spelling.instant(f"{place.row}.k0")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of an entry, as the JSON text that a cursor holds, between marks."""

    def reads(self, _: Place) -> frozenset[str]:
        return NOTHING

    def parts(self, place: Place) -> Iterator[str]:
        page = place.page
        yield from ("'\"'", MARK_SQL, spelling.quoted(f'["{page.tag}"'))
        for number, kind in enumerate(page.types):
            yield from ("','", spelling.part_of_cursor(f"{place.row}.k{number}", kind))
        yield from ("']'", MARK_SQL, "'\"'")


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a page."""

    entry: Object

    def reads(self, place: Place) -> frozenset[str]:
        return self.entry.reads(place)

    def parts(self, place: Place) -> Iterator[str]:
        entry = spelling.joined([*self.entry.parts(place)])
        yield from ("'['", f"string_agg({entry}, ',') {place.page.is_of_page(place.row)}", "']'")


@dataclass(frozen=True, slots=True)
class EdgeCursor:
    """The cursor of the first or the last entry of a page; null for an empty page."""

    is_last: bool

    def reads(self, _: Place) -> frozenset[str]:
        return NOTHING

    def parts(self, place: Place) -> Iterator[str]:
        is_of_page = place.page.is_of_page(place.row)
        cursors = f"array_agg({spelling.joined([*Cursor().parts(place)])}) {is_of_page}"
        position = f"count(*) {is_of_page}" if self.is_last else "1"
        yield f"coalesce(({cursors})[{position}], {_NULL})"


@dataclass(frozen=True, slots=True)
class HasNextPage:
    """Whether more entries follow the page."""

    def reads(self, _: Place) -> frozenset[str]:
        return NOTHING

    def parts(self, place: Place) -> Iterator[str]:
        yield spelling.as_json(f"count(*) > {place.page.part.size:d}")


@dataclass(frozen=True, slots=True)
class HasPreviousPage:
    """Whether the page begins after an entry."""

    def reads(self, _: Place) -> frozenset[str]:
        return NOTHING

    def parts(self, place: Place) -> Iterator[str]:
        yield "'false'" if place.page.part.after is None else "'true'"


# ---- what leads to other rows


@dataclass(frozen=True, slots=True)
class Asked:
    """A field whose arguments say what it reads: the source with this number, and what is written of its rows."""

    number: int
    inner: Object | None

    def reads(self, place: Place) -> frozenset[str]:
        return place.statement.sources[self.number].of

    def parts(self, place: Place) -> Iterator[str]:
        yield from place.statement.sources[self.number].parts(self, place)
