"""When something that goes round and round last came past: so that one loop can say of another whether it still turns."""

from __future__ import annotations

import time
from datetime import timedelta


class Rounds:
    """The rounds of one loop. None before the first."""

    def __init__(self) -> None:
        self._came_past_at: float | None = None

    def come_past(self) -> None:
        self._came_past_at = time.monotonic()

    @property
    def ago(self) -> timedelta | None:
        """How long ago it last came past."""
        if self._came_past_at is None:
            return None
        return timedelta(seconds=time.monotonic() - self._came_past_at)
