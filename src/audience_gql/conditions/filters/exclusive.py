"""Exactly one of several fields, in a shape that has others beside them."""

from __future__ import annotations

from collections.abc import Collection

from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given


def only_one(given: Given, names: Collection[str], parsing: Parsing) -> str | None:
    """Which of `names` was given; None, and a problem, unless it is exactly one."""
    present = [name for name in names if name in given]
    if not present:
        parsing.problem("REQUIRED", f"needs exactly one of {', '.join(names)}")
    elif len(present) > 1:
        parsing.problem("CONFLICT", f"only one of {', '.join(present)} can be given")
    return present[0] if len(present) == 1 else None
