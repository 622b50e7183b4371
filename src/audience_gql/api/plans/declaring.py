"""What a field declares, so that a plan can read it for many objects at once. The keys are those of a field's metadata."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, TypeAlias

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


def together(read: Together, *, reads: Collection[str]) -> dict[str, object]:
    """The metadata of a field that is read together for many parents."""
    return {TOGETHER: read, READS: tuple(reads)}
