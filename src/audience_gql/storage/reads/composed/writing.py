"""Writes the statement of an answer from its pieces, and says where in the statement a piece is."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads.composed import spelling
from audience_gql.storage.reads.composed.pieces import Asked
from audience_gql.storage.reads.composed.sharing import Sharing
from audience_gql.storage.reads.slices import Slice

if TYPE_CHECKING:
    from audience_gql.storage.reads.composed.sources import Source

Shapes: TypeAlias = tuple[Hashable, ...]
MOST_CHARACTERS: Final = 15_000
"""The driver would prepare a longer statement again for each execution."""
_MOST_SHARED_CHARACTERS: Final = MOST_CHARACTERS - 1_000
"""A statement for several callers is a little longer."""
_MOST_TEXTS: Final = 16
"""How many texts of one answer are kept. They differ in sizes of pages, orders, and whether pages continue after a position."""


class NotWritable(Exception):  # named after what it says
    """No statement can be written for this answer."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that is being written."""

    sources: Sequence[Source]
    values: list[Any]  # Any: the parameters' own types
    """The workspace, and what the sources have appended."""
    beside: dict[str, str] = field(default_factory=dict)
    """Queries that run once, by their names."""


@dataclass(frozen=True, slots=True)
class Page:
    """The page that an entry is part of: the form of its cursors, and which part of the list it is."""

    tag: str
    types: Sequence[type]
    part: Slice

    def is_of_page(self, row: str) -> str:
        """A filter of aggregates for the entries of the page, without the one that follows it."""
        return f"FILTER (WHERE {row}.number <= {self.part.size:d})" if self.part.with_next else ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece is: in a row with this alias, which is an entry of this page, if it is one."""

    statement: Statement
    row: str
    own_page: Page | None = None

    @property
    def page(self) -> Page:
        if self.own_page is None:
            raise NotWritable
        return self.own_page


class Answer:
    """One answer: the pieces, and the texts of the statements that were written for it."""

    def __init__(self, root: Asked) -> None:
        self._root = root
        self._texts: dict[Shapes, str | None] = {}
        self._sharing = Sharing()

    async def read(
        self, database: Database, workspace_id: int, sources: Sequence[Source], *, is_shared: bool
    ) -> tuple[str | None] | None:
        """The answer's JSON text, in which `MARK` encloses what the caller replaces; None in place of null. No tuple if it cannot be read so.

        `is_shared`: whether one statement may read it for several callers, of whom some then wait for the slowest one.
        """
        shapes = tuple([it.shape for it in sources])
        text = self._texts[shapes] if shapes in self._texts else self._write(shapes, workspace_id, sources)
        if text is None:
            return None
        values = (workspace_id, *[value for source in sources for value in source.values])
        if is_shared and len(text) <= _MOST_SHARED_CHARACTERS:
            found = await self._sharing.read(database, text, values)  # never on a cluster
            return (found,)
        found = await database.fetchval(text, *values)  # never on a cluster
        return (found,)

    def _write(self, shapes: Shapes, workspace_id: int, sources: Sequence[Source]) -> str | None:
        statement = Statement(sources, [workspace_id])
        try:
            parts = [*self._root.parts(Place(statement, ""))]
        except NotWritable:
            text = None
        else:
            beside = ", ".join(
                f"{name} AS MATERIALIZED ({query})" for name, query in statement.beside.items()
            )
            head = f"WITH {beside} SELECT" if beside else "SELECT"
            text = f"{head} {parts[0] if len(parts) == 1 else spelling.joined(parts)}"
            given = [workspace_id, *(value for source in sources for value in source.values)]
            if statement.values != given:
                raise AssertionError("the statement's parameters are in another order than its values")
            if len(text) > MOST_CHARACTERS:
                text = None
        if len(self._texts) >= _MOST_TEXTS:
            self._texts.clear()
        self._texts[shapes] = text
        return text
