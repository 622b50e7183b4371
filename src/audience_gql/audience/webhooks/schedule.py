"""When the next attempt to send a message comes. Pure: it reads and writes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""How long to wait after each failed attempt. The attempt after the last delay is the last one."""
SPREAD: Final = 0.2
"""By which share a delay may be shorter or longer, so that messages that failed together do not come back together."""
LONGEST_WISH: Final = timedelta(hours=24)
"""How long a receiver may ask to wait."""
FAILING_LIMIT: Final = timedelta(days=5)
"""An endpoint that has failed everything for so long is disabled."""

_MAY_ASK: Final = frozenset({429, 503})


def next_delay(
    failed: int, *, status: int | None, retry_after_seconds: float | None, chance: float
) -> timedelta | None:
    """How long to wait after so many failed attempts; None after the last one. `chance` is in [-1, 1].

    A receiver that answers 429 or 503 may ask for more time, but not for less.
    """
    if failed > len(DELAYS):
        return None
    delay = DELAYS[failed - 1] * (1 + SPREAD * chance)
    if status in _MAY_ASK and retry_after_seconds is not None:
        asked = timedelta(seconds=min(retry_after_seconds, LONGEST_WISH.total_seconds()))
        return max(delay, asked)
    return delay
