"""Ends the work for a client who has closed the connection: nobody reads the answer, and Postgres is to stop, too."""

from __future__ import annotations

import asyncio
from typing import Self

from audience_gql.api.transport.exchange import Exchange


class Gone(Exception):
    """The client has closed the connection."""


class Attended:
    """A `with` block that is cancelled when the client closes the connection. It then raises Gone."""

    __slots__ = ("_cancellations", "_exchange", "_is_gone", "_task")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._is_gone = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # every request has a task
        self._task = task
        self._cancellations = task.cancelling()
        self._exchange.tell_gone(self._on_gone)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._exchange.tell_gone(None)
        is_over = self._is_gone and self._task.uncancel() <= self._cancellations
        if is_over and isinstance(error, asyncio.CancelledError):
            raise Gone from error

    def _on_gone(self) -> None:
        self._is_gone = True
        self._task.cancel()
