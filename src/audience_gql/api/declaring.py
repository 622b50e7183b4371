"""What a field declares, so that a plan can read it for many objects at once. The keys are those of a field's metadata."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from audience_gql.storage.reads.composed.pieces import Piece

Together: TypeAlias = Callable[..., Awaitable[Sequence[Any]]]
"""Takes the context, the parents, the columns of the rows below, and the field's arguments by name. Returns a value for each parent."""

TOGETHER: Final = "together"
"""A function of the type Together, which reads the field for many parents. The field's resolver calls it, too."""
READS: Final = "reads"
"""The attributes of the parent that the field's resolver reads. Without this, it may read all of them."""
FOR_EACH: Final = "for_each"
"""A function that takes the parents and returns a value for each, without waiting. The field's resolver calls it, too."""
RUNS_ONCE: Final = "runs_once"
"""Set for a field that may take long, so that it must not run again when something fails."""


WRITTEN: Final = "written"
"""How a statement that answers a whole root field writes this field. A field of a scalar type without this is the column of its name.

A piece; `SAME` or `ENTRIES`; a `ByType`; or, for a field that reads other rows or has arguments, a function that takes the context and the
arguments by name. It returns a source of storage/reads/composed, or None for arguments with which only the level-by-level plan can read it.
"""
SAME: Final = "same"
"""Of an object whose fields are written of the row around it."""
ENTRIES: Final = "entries"
"""Of the entries of a page."""


@dataclass(frozen=True, slots=True)
class ByType:
    """A field of an interface: how it is written depends on the type that has it."""

    piece: Callable[[str], Piece]
    """Takes the type's name. Raises KeyError for a type that cannot be written."""


def written(how: object) -> dict[str, object]:
    """The metadata of a field that is written in SQL."""
    return {WRITTEN: how}


def together(read: Together, *, reads: Collection[str], written: object | None = None) -> dict[str, object]:
    """The metadata of a field that is read together for many parents."""
    return {TOGETHER: read, READS: tuple(reads), WRITTEN: written}
