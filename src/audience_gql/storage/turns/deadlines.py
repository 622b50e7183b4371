"""Time limits of one fixed length for many things at a time, with one timer for all of them.

A timer for each would cost more than many of the things that it limits. This module must not know what they are.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod


class Deadline(ABC):
    """The end of the time for one thing."""

    __slots__ = ("at",)

    at: float
    """By the clock of the event loop."""

    @abstractmethod
    def on_late(self) -> None:
        """Called once if the thing has not ended in time."""


class Deadlines:
    """The deadlines of all things that have not ended. Each has the same number of seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._open: dict[Deadline, None] = {}
        """In the order of time, because each has the same number of seconds."""
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop
        """That of the timer."""

    def begin(self, deadline: Deadline) -> None:
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_at(self._loop.time() + self.seconds, self._look, self._loop)
        deadline.at = self._loop.time() + self.seconds
        self._open[deadline] = None

    def end(self, deadline: Deadline) -> None:
        self._open.pop(deadline, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell all that are late, then wait for the next one."""
        self._timer = None
        now = loop.time()
        while self._open:
            first = next(iter(self._open))
            if first.at > now:
                self._timer = loop.call_at(first.at, self._look, loop)
                return
            del self._open[first]
            first.on_late()
