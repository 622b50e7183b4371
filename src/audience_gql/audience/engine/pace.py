"""How much to do under one lock: as much as takes a fraction of a second, so that whoever else wants the bucket waits no longer.

A machine's pace is measured, never configured. It decides how work is cut, and nothing about its result.
"""

from __future__ import annotations

from typing import Final

AIM_SECONDS: Final = 0.25
_GROWTH: Final = 4.0


def next_size(size: int, seconds: float, *, least: int, most: int) -> int:
    """The size of the next piece, when one of `size` took so long; at most four times as much at once."""
    wanted = size * min(_GROWTH, AIM_SECONDS / max(seconds, 0.001))
    return max(least, min(most, int(wanted)))
