"""Requires exactly one of several fields, or at most one, in a shape that also has other fields."""

from __future__ import annotations

from collections.abc import Collection

from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given


def only_one(given: Given, names: Collection[str], parsing: Parsing) -> str | None:
    """The one of `names` that was given. If it is not exactly one, notes a problem and returns None."""
    if not any(name in given for name in names):
        parsing.problem("REQUIRED", f"needs exactly one of {', '.join(names)}")
    return at_most_one(given, names, parsing)


def at_most_one(given: Given, names: Collection[str], parsing: Parsing) -> str | None:
    """The one of `names` that was given; None if there is none. If there are several, notes a problem and returns None."""
    present = [name for name in names if name in given]
    if len(present) > 1:
        parsing.problem("CONFLICT", f"only one of {', '.join(present)} can be given")
    return present[0] if len(present) == 1 else None
