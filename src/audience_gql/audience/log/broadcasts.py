"""Broadcasts that run while they have listeners: the first listener starts one, and the last to leave ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from audience_gql.audience.log.broadcast import Broadcast
from audience_gql.audience.tasks import end

Item = TypeVar("Item")
Items: TypeAlias = AsyncGenerator[tuple[Item, int], None]
"""Items with their weights. The first item is the broadcast's starting point, which no reader gets."""


@dataclass(slots=True, eq=False)
class _Running(Generic[Item]):
    started: asyncio.Future[Broadcast[Item]]
    task: asyncio.Task[None] | None = None
    listeners: int = 0


class Broadcasts(Generic[Item]):
    """The broadcasts of one process, by a key that says what they publish."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._running: dict[Hashable, _Running[Item]] = {}

    @asynccontextmanager
    async def of(self, key: Hashable, items: Callable[[], Items[Item]]) -> AsyncIterator[Broadcast[Item]]:
        """The broadcast with this key. If there is none, `items` starts it. Raises what `items` raises before its first item."""
        running = self._running.get(key) or self._start(key, items)
        running.listeners += 1
        try:
            yield await asyncio.shield(running.started)
        finally:
            running.listeners -= 1
            if running.listeners == 0:
                await self._stop(key, running)

    def _start(self, key: Hashable, items: Callable[[], Items[Item]]) -> _Running[Item]:
        running: _Running[Item] = _Running(asyncio.get_running_loop().create_future())
        running.task = asyncio.create_task(self._run(key, running, items()), name="broadcast")
        self._running[key] = running
        return running

    async def _stop(self, key: Hashable, running: _Running[Item]) -> None:
        self._forget(key, running)
        if running.task is not None:
            await end(running.task)

    async def _run(self, key: Hashable, running: _Running[Item], items: Items[Item]) -> None:
        async with aclosing(items):
            try:
                broadcast = Broadcast((await anext(items))[0], most=self._most)
                running.started.set_result(broadcast)
                async for item, weight in items:
                    await broadcast.publish(item, weight)
            except Exception as error:  # noqa: BLE001  # not handled here: every listener gets it
                self._forget(key, running)
                _fail(running.started, error)

    def _forget(self, key: Hashable, running: _Running[Item]) -> None:
        """Make the next listener start a new broadcast."""
        if self._running.get(key) is running:
            del self._running[key]


def _fail(started: asyncio.Future[Broadcast[Item]], error: Exception) -> None:
    if started.done():
        started.result().fail(error)
    else:
        started.set_exception(error)
        started.exception()  # marks it as retrieved: all listeners may have left by now
