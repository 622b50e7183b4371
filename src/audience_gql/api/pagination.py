"""Connections as in Relay: pages of lists by keyset.

A cursor is the position of an entry in one list. It is opaque but not secret: a forged one only starts the page elsewhere in a
list that the caller may read anyway. It must not be confused with the signed cursors of the live feed.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from operator import itemgetter
from typing import Annotated, Final, Generic, TypeAlias, TypeVar

import orjson
import strawberry

from audience_gql.api.declaring import ENTRIES, SAME, written
from audience_gql.api.errors import BadUserInput
from audience_gql.storage.reads.composed.pieces import Cursor, EdgeCursor, HasNextPage, HasPreviousPage
from audience_gql.storage.reads.composed.sources import Listed, PageSource
from audience_gql.storage.reads.slices import Entries, Node, Position, Slice

PAGE_SIZE: Final = 20
LONG_PAGE_SIZE: Final = 50
"""The default of lists whose entries are small."""
LARGEST_PAGE: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LARGEST: Final = 2**63 - 1
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")

EdgeType = TypeVar("EdgeType")

First: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description=f"The size of the page, 1 to {LARGEST_PAGE}.",
        metadata={"is_page_size": True},
    ),
]
After: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="The cursor of an entry of the same list in the same order. The page begins after that entry; without a cursor, at the "
        "beginning of the list."
    ),
]


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        metadata=written(HasNextPage()), description="Whether more entries follow this page."
    )
    has_previous_page: bool = strawberry.field(
        metadata=written(HasPreviousPage()),
        description="Whether `after` was given. If so, the list has entries before this page.",
    )
    start_cursor: str | None = strawberry.field(
        metadata=written(EdgeCursor(is_last=False)),
        description="The cursor of the page's first entry; null for an empty page.",
    )
    end_cursor: str | None = strawberry.field(
        metadata=written(EdgeCursor(is_last=True)),
        description="The cursor of the page's last entry; null for an empty page. Send it as `after` to get the next page.",
    )


@strawberry.type
class ListEdge:
    """The field that every edge of the schema has besides its node."""

    cursor: str = strawberry.field(
        metadata=written(Cursor()),
        description="The position of this entry in its list. Send it as `after` to continue from here.",
    )


@strawberry.type
class ListConnection(Generic[EdgeType]):
    """The fields that every connection of the schema has."""

    page_info: PageInfo = strawberry.field(
        metadata=written(SAME), description="The position of the page, and how to get the next one."
    )
    edges: list[EdgeType] = strawberry.field(
        metadata=written(ENTRIES), description="The entries of this page, in order."
    )


class Edge(tuple[Node, Position, "Listing"], Generic[Node]):
    """An entry of a page, in the shape of the schema's edge types. Long lists have many, so an edge is a tuple with names."""

    __slots__ = ()

    node = property(itemgetter(0))
    position = property(itemgetter(1))

    @property
    def cursor(self) -> str:
        return self[2].cursor(self[1])

    @property
    def at(self) -> datetime:
        """When the node entered the list. Only lists of members have this; they are ordered by it."""
        at: datetime = self[1][0]
        return at


@dataclass(frozen=True, slots=True)
class Page(Generic[Node]):
    """A page, in the shape of the schema's connection types. `entries` are those of `part`, and one more if there is one."""

    listing: Listing
    entries: Entries[Node]
    part: Slice

    @property
    def edges(self) -> list[Edge[Node]]:
        listing = self.listing
        nodes, positions = self.entries.nodes, self.entries.positions
        return [*map(Edge, zip(nodes[: self.part.size], positions, repeat(listing), strict=False))]

    @property
    def page_info(self) -> PageInfo:
        held = self.entries.positions[: self.part.size]
        return PageInfo(
            has_next_page=len(self.entries) > self.part.size,
            has_previous_page=self.part.after is not None,
            start_cursor=self.listing.cursor(held[0]) if held else None,
            end_cursor=self.listing.cursor(held[-1]) if held else None,
        )


class Listing:
    """One list of the schema in one order: reads and writes its cursors, and builds its pages."""

    def __init__(self, tag: str, *types: type) -> None:
        """`tag` is unique to the list and its order, so that cursors of others are refused. `types` are the types of a position's parts."""
        self._tag = tag
        self._types = types

    def slice(self, first: int | None, after: str | None, *, default: int = PAGE_SIZE) -> Slice:
        """The part of the list that the arguments ask for; a `first` of null asks for `default` entries. Raises BadUserInput."""
        return Slice(page_size(first, default=default), None if after is None else self._position(after))

    def page(self, entries: Entries[Node], part: Slice) -> Page[Node]:
        """The page. `entries` are those of `part`, and one more if there is one."""
        return Page(self, entries, part)

    def cursor(self, position: Position) -> str:
        parts = [(part - _EPOCH) // _MICROSECOND if isinstance(part, datetime) else part for part in position]
        return cursor_of(orjson.dumps([self._tag, *parts]))

    def source(
        self, listed: Listed, first: int | None, after: str | None, *, default: int = PAGE_SIZE
    ) -> PageSource:
        """The part of the list that the arguments ask for, for a statement. Raises BadUserInput."""
        return PageSource(listed, self.slice(first, after, default=default), self._tag, self._types)

    def _position(self, cursor: str) -> Position:
        try:
            return self._read(cursor)
        except (binascii.Error, ValueError, TypeError, OverflowError) as error:
            raise BadUserInput(
                "`after` is not a cursor of this list in this order.", argument="after"
            ) from error

    def _read(self, cursor: str) -> Position:
        """The position in a cursor that may be forged. Raises one of many exceptions."""
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        tag, *parts = orjson.loads(raw)
        if tag != self._tag:
            raise ValueError("of another list")
        return tuple(_part(part, kind) for part, kind in zip(parts, self._types, strict=True))


def cursor_of(position: bytes) -> str:
    """The opaque form of a position, which is JSON."""
    return binascii.b2a_base64(position, newline=False).translate(_URL_SAFE, b"=").decode()


def page_size(first: int | None, default: int = PAGE_SIZE) -> int:
    """The number of entries that `first` asks for. Raises BadUserInput."""
    size = default if first is None else first
    if not 1 <= size <= LARGEST_PAGE:
        raise BadUserInput(f"`first` must be 1 to {LARGEST_PAGE}, not {size}.", argument="first")
    return size


def _part(part: object, kind: type) -> object:
    """A part of a position as a statement's parameter. Raises ValueError, OverflowError."""
    match part:
        case bool() if kind is bool:
            return part
        case int() if kind is int and not isinstance(part, bool) and abs(part) <= _LARGEST:
            return part
        case int() if kind is datetime and not isinstance(part, bool):
            return _EPOCH + part * _MICROSECOND
        case str() if kind is str and "\0" not in part:
            return part
    raise ValueError("not a part of a position")
