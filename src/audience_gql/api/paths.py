"""Spells the application's paths as clients know them: camelCase names, and positions as text."""

from __future__ import annotations

from typing import Final, TypeAlias

from strawberry.utils.str_converters import to_camel_case

from audience_gql.audience.failures import Path, Verbatim

INPUT: Final = "input"
"""The one argument of each mutation."""
WirePath: TypeAlias = tuple[str, ...]
"""A path as a client wrote it."""


def spelled(path: Path, *above: str) -> list[str]:
    """A path in a field's arguments. `above` is what the path begins below, for example INPUT."""
    return [*above, *(part if isinstance(part, Verbatim) else to_camel_case(str(part)) for part in path)]
