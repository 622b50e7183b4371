"""How values are spelled as JSON by SQL expressions, exactly as the API spells them elsewhere.

An expression has the JSON text of its value, or is null for a value that is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

_MOST_ARGUMENTS: Final = 90
"""Postgres allows a function 100."""


def as_json(value: str) -> str:
    """A text, a whole number, a truth value, a day or JSON."""
    return f"to_json({value})"


def instant(value: str) -> str:
    """An instant in UTC. It has six digits after the second, or none."""
    written = f"to_char({value} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    return f"to_json(replace({written}, '.000000Z', 'Z'))"


def real(value: str) -> str:
    """A double. A whole number ends with .0."""
    return f"CASE WHEN {value} = trunc({value}) THEN concat({value}, '.0') ELSE {value}::text END"


def microseconds(value: str) -> str:
    """An instant as a number since 1970."""
    return f"(extract(epoch FROM {value}) * 1000000)::bigint"


def part_of_cursor(value: str, kind: type) -> str:
    return microseconds(value) if kind is datetime else value if kind is int else as_json(value)


def joined(parts: Sequence[str]) -> str:
    """The texts of these expressions, one after the other. Null is no text."""
    while len(parts) > _MOST_ARGUMENTS:
        groups = [parts[at : at + _MOST_ARGUMENTS] for at in range(0, len(parts), _MOST_ARGUMENTS)]
        parts = [f"concat({', '.join(group)})" for group in groups]
    return f"concat({', '.join(parts)})"


def quoted(text: str) -> str:
    """A literal. The text is names of GraphQL and punctuation."""
    if "'" in text or "\\" in text:
        raise ValueError("not a plain text")
    return f"'{text}'"
