"""Rows as the arrays that `unnest` takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any


def arrays_of(rows: Collection[Sequence[Any]], width: int) -> list[list[Any]]:  # Any: the columns' own types
    """The columns of these rows. Without rows, there are `width` empty ones."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
