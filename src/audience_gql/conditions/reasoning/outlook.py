"""Until when a verdict lasts, derived from its parts. The result is never too late, and often later than the parts' first instant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

Part: TypeAlias = tuple[bool, datetime | None]
"""The verdict of a part, and the first instant at which the clock may change it; None for never."""


def next_of_all(parts: Iterable[Part]) -> datetime | None:
    """When a conjunction may first change; None for never.

    If it holds, it may change with the first of its parts. If not, it cannot change before the last of the parts that fail.
    """
    known = tuple(parts)
    if all(verdict for verdict, _ in known):
        return min((at for _, at in known if at is not None), default=None)
    failing = [at for verdict, at in known if not verdict]
    return None if None in failing else max(at for at in failing if at is not None)


def next_of_any(parts: Iterable[Part]) -> datetime | None:
    """The same for a disjunction, which fails exactly when the conjunction of the opposites holds."""
    return next_of_all((not verdict, at) for verdict, at in parts)
