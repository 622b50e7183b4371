"""Notes when a loop last completed a round, so that another loop can report whether it still runs."""

from __future__ import annotations

import time
from datetime import timedelta


class Rounds:
    """The rounds of one loop."""

    def __init__(self) -> None:
        self._completed_at: float | None = None

    def complete(self) -> None:
        self._completed_at = time.monotonic()

    @property
    def ago(self) -> timedelta | None:
        """The time since the last round; None before the first."""
        if self._completed_at is None:
            return None
        return timedelta(seconds=time.monotonic() - self._completed_at)
