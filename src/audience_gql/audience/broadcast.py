"""One writer, any number of readers, each at a pace of its own: what was told lately is kept once, for all of them.

It knows nothing of the log. Nobody's slowness costs memory, or anybody else's time: who falls too far behind is left behind.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LeftBehind(Exception):
    """What comes next for this reader is not kept any more; it has to go back to the log."""


class Broadcast(Generic[Item]):
    """Keeps the latest items up to a total weight. A reader joins after the last of them, and is given every later one."""

    def __init__(self, last: Item, *, most: int) -> None:
        self.last = last
        """What was told last, and is where a reader joins."""
        self._most = most
        self._kept: deque[tuple[Item, int]] = deque()
        self._weight = 0
        self._end = 0
        """How many items there have been."""
        self._readers: set[Reader[Item]] = set()
        self._told = asyncio.Event()
        self._taken = asyncio.Event()
        self._failure: BaseException | None = None

    def join(self) -> Reader[Item]:
        """A reader of what comes after `last`. It has to leave."""
        reader = Reader(self, self._end)
        self._readers.add(reader)
        return reader

    async def tell(self, item: Item, weight: int) -> None:
        """Give an item to all readers. Where there is no room it waits for those who are about to take the oldest, and for nobody else."""
        while self._kept and self._weight + weight > self._most:
            oldest = self._end - len(self._kept)
            while any(reader.is_about_to_take(oldest) for reader in self._readers):
                self._taken.clear()
                await self._taken.wait()
            self._weight -= self._kept.popleft()[1]
        self._kept.append((item, weight))
        self._weight += weight
        self._end += 1
        self.last = item
        self._wake()

    def fail(self, failure: BaseException) -> None:
        """There will be nothing more, and this is why: every reader hears it after what was told before."""
        self._failure = failure
        self._wake()

    def _wake(self) -> None:
        told, self._told = self._told, asyncio.Event()
        told.set()

    async def _item(self, number: int) -> Item:
        while number == self._end:
            if self._failure is not None:
                raise self._failure
            await self._told.wait()
        place = number - (self._end - len(self._kept))
        if place < 0:
            raise LeftBehind
        return self._kept[place][0]

    def _forget(self, reader: Reader[Item]) -> None:
        self._readers.discard(reader)
        self._taken.set()


class Reader(Generic[Item]):
    """One reader's place in a broadcast."""

    __slots__ = ("_broadcast", "_number", "is_away")

    def __init__(self, broadcast: Broadcast[Item], number: int) -> None:
        self._broadcast = broadcast
        self._number = number
        self.is_away = False
        """Whether it is with a client, who may take for ever: nobody waits for it meanwhile."""

    async def next(self) -> Item:
        """The next item. Raises LeftBehind, or what the writer failed with."""
        item = await self._broadcast._item(self._number)  # noqa: SLF001  # the two are one thing
        self._number += 1
        self._broadcast._taken.set()  # noqa: SLF001  # the same
        return item

    def leave(self) -> None:
        self._broadcast._forget(self)  # noqa: SLF001  # the same

    def is_about_to_take(self, number: int) -> bool:
        return not self.is_away and self._number <= number
