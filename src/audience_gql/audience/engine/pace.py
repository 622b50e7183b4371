"""How much work to do under one lock: as much as takes a fraction of a second, so that other transactions wait no longer than that.

The machine's speed is measured, not configured. It decides only how work is divided, never its result.
"""

from __future__ import annotations

from typing import Final

AIM_SECONDS: Final = 0.25
_GROWTH: Final = 4.0


def next_size(size: int, seconds: float, *, least: int, most: int) -> int:
    """The size of the next piece after one of `size` took `seconds`. It grows at most fourfold, and stays within `least` and `most`."""
    wanted = size * min(_GROWTH, AIM_SECONDS / max(seconds, 0.001))
    return max(least, min(most, int(wanted)))
