"""One writer and any number of readers, each at its own pace. The latest items are kept once, for all readers.

It knows nothing about the log. A slow reader costs no memory and delays nobody: a reader that falls too far behind gets LeftBehind.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
_CALLED_AT_A_TIME: Final = 250
"""How many listeners are called before other tasks of the process get a turn."""


class LeftBehind(Exception):
    """The reader's next item is no longer kept. The reader must resume from the log."""


class Broadcast(Generic[Item]):
    """The writer's side. It keeps the latest items up to a total weight. A reader joins after the last item and gets every later one."""

    def __init__(self, last: Item, *, most: int) -> None:
        self.last = last
        """The item that was published last. A reader that joins now gets the items after it."""
        self.end = 0
        """How many items have been published: the number of the next one."""
        self.failure: BaseException | None = None
        """Why there will be no more items; None while the writer works."""
        self._most = most
        self._kept: deque[tuple[Item, int]] = deque()
        self._weight = 0
        self._readers: set[Reader[Item]] = set()
        self._listening: set[Reader[Item]] = set()
        self._waiting: set[asyncio.Future[None]] = set()
        self._taken = asyncio.Event()

    def join(self) -> Reader[Item]:
        """A reader of the items after `last`. The caller must call its `leave`."""
        reader = Reader(self)
        self._readers.add(reader)
        return reader

    async def publish(self, item: Item, weight: int) -> None:
        """Give an item to all readers. If there is no room, it waits for readers that are about to take the oldest item, and for no others."""
        while self._kept and self._weight + weight > self._most:
            oldest = self.end - len(self._kept)
            while any(reader.is_about_to_take(oldest) for reader in self._readers):
                self._taken.clear()
                await self._taken.wait()
            self._weight -= self._kept.popleft()[1]
        self._kept.append((item, weight))
        self._weight += weight
        self.end += 1
        self.last = item
        self._wake()
        await self._call_listeners(item, self.end - 1)

    def fail(self, failure: BaseException) -> None:
        """End the broadcast. Every reader gets `failure` after the items that were published before."""
        self.failure = failure
        self._wake()
        for reader in self._listening:
            reader.stop()

    # ---- the readers' door

    async def item(self, number: int) -> Item:
        """The item with this number, as soon as it is published. Raises LeftBehind, or the writer's failure."""
        while number == self.end:
            if self.failure is not None:
                raise self.failure
            future = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)
        place = number - (self.end - len(self._kept))
        if place < 0:
            raise LeftBehind
        return self._kept[place][0]

    @contextmanager
    def calling(self, reader: Reader[Item]) -> Iterator[None]:
        """While it is open, each new item is passed to `reader.give` as soon as it is published."""
        self._listening.add(reader)
        try:
            yield
        finally:
            self._listening.discard(reader)

    def taken(self) -> None:
        """Tell the writer that a reader has taken an item, so that it may drop the oldest."""
        self._taken.set()

    def forget(self, reader: Reader[Item]) -> None:
        """Do not wait for this reader any longer."""
        self._readers.discard(reader)
        self._taken.set()

    # ----

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():  # the task that waited for it may have been cancelled
                future.set_result(None)

    async def _call_listeners(self, item: Item, number: int) -> None:
        """Call the listening readers, and let other tasks run in between."""
        for place, reader in enumerate(list(self._listening), 1):
            reader.give(item, number)
            if place % _CALLED_AT_A_TIME == 0:
                await asyncio.sleep(0)


class Reader(Generic[Item]):
    """One reader's position in a broadcast."""

    __slots__ = ("_broadcast", "_number", "_stopped", "_take", "is_away")

    def __init__(self, broadcast: Broadcast[Item]) -> None:
        self._broadcast = broadcast
        self._number = broadcast.end
        self._take: Callable[[Item], bool] | None = None
        self._stopped: asyncio.Future[None] | None = None
        self.is_away = False
        """Set it while an item is passed to a client, which may take any time. The writer does not wait for this reader meanwhile."""

    async def next(self) -> Item:
        """The next item. Raises LeftBehind, or the writer's failure."""
        item = await self._broadcast.item(self._number)
        self._advance()
        return item

    async def listen(self, take: Callable[[Item], bool]) -> None:
        """Pass each item to `take` as soon as it is published, until `take` returns False. `next` then returns the refused item.

        For a thousand readers this costs a tenth of waking each of them. It returns early when the writer fails.
        """
        while self._number < self._broadcast.end:
            if not take(await self._broadcast.item(self._number)):
                return
            self._advance()
        if self._broadcast.failure is not None:
            return
        self._take = take
        self._stopped = asyncio.get_running_loop().create_future()
        with self._broadcast.calling(self):
            await self._stopped

    def give(self, item: Item, number: int) -> None:
        """Pass an item to a listening reader. It is ignored unless its number is the one that the reader waits for."""
        if self._take is None or self._stopped is None or self._stopped.done() or self._number != number:
            return
        if self._take(item):
            self._number += 1
        else:
            self.stop()

    def stop(self) -> None:
        """End `listen`."""
        if self._stopped is not None and not self._stopped.done():
            self._stopped.set_result(None)

    def leave(self) -> None:
        """Give up the position. Nothing may be read afterwards."""
        self._broadcast.forget(self)

    def is_about_to_take(self, number: int) -> bool:
        """Whether the writer should keep the item with this number for this reader a moment longer."""
        return not self.is_away and self._number <= number

    def _advance(self) -> None:
        self._number += 1
        self._broadcast.taken()
