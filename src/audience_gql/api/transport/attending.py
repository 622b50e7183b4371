"""Ends the work for a client who has closed the connection: nobody reads the answer, and Postgres is to stop, too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol, Self, cast

from starlette.types import Scope

GONE: Final = "audience_gql.gone"
"""The name of an extension of the scope. Its entry "tell" is a TellGone."""


class TellGone(Protocol):
    """Calls a function as soon as the client has closed the connection. None: call nothing any more."""

    def __call__(self, on_gone: Callable[[], None] | None, /) -> None: ...


class Gone(Exception):
    """The client has closed the connection."""


def tell_gone(scope: Scope) -> TellGone | None:
    """The extension of this scope, if the server offers it."""
    offered: dict[str, Any] = scope.get("extensions", {}).get(GONE, {})
    return cast("TellGone | None", offered.get("tell"))


class Attended:
    """A `with` block that is cancelled when the client closes the connection. It then raises Gone."""

    __slots__ = ("_cancellations", "_is_gone", "_task", "_tell")

    def __init__(self, tell: TellGone) -> None:
        self._tell = tell
        self._is_gone = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # every request has a task
        self._task = task
        self._cancellations = task.cancelling()
        self._tell(self._on_gone)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._tell(None)
        is_over = self._is_gone and self._task.uncancel() <= self._cancellations
        if is_over and isinstance(error, asyncio.CancelledError):
            raise Gone from error

    def _on_gone(self) -> None:
        self._is_gone = True
        self._task.cancel()
