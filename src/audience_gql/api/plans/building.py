"""Makes functions that build the objects of a selection. Generated code needs no loop over the keys of each object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

Values: TypeAlias = Sequence[Any]  # Any: JSON
Builder: TypeAlias = Callable[[Sequence[Values]], list[dict[str, Any]]]  # Any: JSON
"""Takes the values of each field. Returns the objects."""
_KEPT: Final = 1_000


@lru_cache(maxsize=_KEPT)
def builder(keys: tuple[str, ...]) -> Builder:
    """The builder of objects with these keys, in this order. The keys are names of GraphQL, so they can be part of source code."""
    if not all(key.isidentifier() and key.isascii() for key in keys):
        raise ValueError("not names of GraphQL")
    names = [f"v{number}" for number in range(len(keys))]
    members = ", ".join(f"{key!r}: {name}" for key, name in zip(keys, names, strict=True))
    source = f"lambda columns: [{{{members}}} for {', '.join(names)}, in zip(*columns)]"
    built: Builder = eval(source)  # noqa: S307  # it has only names, which were checked
    return built
