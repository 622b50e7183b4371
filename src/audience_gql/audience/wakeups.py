"""Collects the ids that a topic signals until the listener asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Listener:
    """Implements Wakeups of ports.py. Every implementation of Signals can use it."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._is_woken = asyncio.Event()

    def wake(self, ids: Iterable[int]) -> None:
        self._ids.update(ids)
        self._is_woken.set()

    async def wait(self, timeout_seconds: float) -> frozenset[int]:
        """The ids collected since the last call, as soon as `wake` is called. Empty after the timeout."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._is_woken.wait()
        except TimeoutError:
            return frozenset()
        self._is_woken.clear()
        ids, self._ids = frozenset(self._ids), set()
        return ids
