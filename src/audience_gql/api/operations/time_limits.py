"""Time limits of coroutines, as asyncio.timeout has them, at a fraction of the cost: all that have the same length share one timer."""

from __future__ import annotations

import asyncio
from typing import Self

from audience_gql.storage.turns.deadlines import Deadline, Deadlines


class TookTooLong(Exception):
    """The block was stopped because its time was over."""


class TimeLimit:
    """A limit of one fixed length for any number of blocks at a time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._deadlines = Deadlines(seconds)

    def running(self) -> Running:
        """Stop a `with` block when its time is over, by a cancellation inside it. The block then raises TookTooLong."""
        return Running(self._deadlines)


class Running(Deadline):
    """The time of one block in one task."""

    __slots__ = ("_cancellations", "_deadlines", "_is_late", "_task")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._is_late = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # only tasks have limits
        self._task = task
        self._cancellations = task.cancelling()
        self._deadlines.begin(self)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._deadlines.end(self)
        is_over = self._is_late and self._task.uncancel() <= self._cancellations
        if is_over and isinstance(error, asyncio.CancelledError):
            raise TookTooLong from error

    @property
    def seconds(self) -> float:
        return self._deadlines.seconds

    def on_late(self) -> None:
        self._is_late = True
        self._task.cancel()
