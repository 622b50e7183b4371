"""Until when a verdict lasts, put together from its parts: tighter than the least of all instants, and never too late."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

Part: TypeAlias = tuple[bool, datetime | None]
"""The verdict of a part, and the first instant at which the clock may change it; None for never."""


def next_of_all(parts: Iterable[Part]) -> datetime | None:
    """When a conjunction may first change.

    While it holds, with the first of its parts that changes; while it does not, not before the last of those
    that fail.
    """
    known = tuple(parts)
    if all(verdict for verdict, _ in known):
        return min((at for _, at in known if at is not None), default=None)
    failing = [at for verdict, at in known if not verdict]
    return None if None in failing else max(at for at in failing if at is not None)


def next_of_any(parts: Iterable[Part]) -> datetime | None:
    """The same of a disjunction, which fails while the conjunction of the opposites holds."""
    return next_of_all((not verdict, at) for verdict, at in parts)
