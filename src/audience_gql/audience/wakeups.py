"""A listener's end of a topic: it gathers ids until it is asked for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Listener:
    """The Wakeups of the ports, for every carrier of signals to wake."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._is_woken = asyncio.Event()

    def wake(self, ids: Iterable[int]) -> None:
        self._ids.update(ids)
        self._is_woken.set()

    async def wait(self, timeout_seconds: float) -> frozenset[int]:
        """The ids gathered since the last call, as soon as somebody wakes it; empty after the timeout."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._is_woken.wait()
        except TimeoutError:
            return frozenset()
        self._is_woken.clear()
        ids, self._ids = frozenset(self._ids), set()
        return ids
