"""Spans of time in which a verdict holds, from an instant on and until before another. A verdict holds while any of its spans does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

Span: TypeAlias = tuple[datetime, datetime | None]
"""From the first instant until before the second; None means for ever."""


def both(one: Span, other: Span) -> Span | None:
    """The span in which both hold; None if there is none."""
    ends = [end for end in (one[1], other[1]) if end is not None]
    start, end = max(one[0], other[0]), min(ends, default=None)
    return (start, end) if end is None or start < end else None


def next_turn(spans: Iterable[Span], now: datetime) -> datetime | None:
    """The first instant after `now` at which the verdict changes; None if it never does."""
    until = now
    for start, end in sorted(spans, key=lambda span: span[0]):
        if start > until:
            break
        if end is None:
            return None
        until = max(until, end)
    else:
        return until if until > now else None
    return until if until > now else start
