"""One writer, any number of readers, each at a pace of its own: what was told lately is kept once, for all of them.

It knows nothing of the log. Nobody's slowness costs memory, or anybody else's time: who falls too far behind is left behind.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
_AT_A_TIME: Final = 250
"""How many listeners are called before others have their turn."""


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
        self._listening: set[Reader[Item]] = set()
        self._waiting: set[asyncio.Future[None]] = set()
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
        await self._give(item, self._end - 1)

    def fail(self, failure: BaseException) -> None:
        """There will be nothing more, and this is why: every reader hears it after what was told before."""
        self._failure = failure
        self._wake()
        for reader in self._listening:
            reader.stop()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():  # who waited for it may have been cancelled
                future.set_result(None)

    async def _item(self, number: int) -> Item:
        while number == self._end:
            if self._failure is not None:
                raise self._failure
            future = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)
        place = number - (self._end - len(self._kept))
        if place < 0:
            raise LeftBehind
        return self._kept[place][0]

    async def _give(self, item: Item, number: int) -> None:
        """Call those who listen; after some of them, let others in this process have their turn."""
        for place, reader in enumerate(list(self._listening), 1):
            reader.give(item, number)
            if place % _AT_A_TIME == 0:
                await asyncio.sleep(0)

    def _forget(self, reader: Reader[Item]) -> None:
        self._readers.discard(reader)
        self._taken.set()


class Reader(Generic[Item]):
    """One reader's place in a broadcast."""

    __slots__ = ("_broadcast", "_number", "_stopped", "_take", "is_away")

    def __init__(self, broadcast: Broadcast[Item], number: int) -> None:
        self._broadcast = broadcast
        self._number = number
        self._take: Callable[[Item], bool] | None = None
        self._stopped: asyncio.Future[None] | None = None
        self.is_away = False
        """Whether it is with a client, who may take for ever: nobody waits for it meanwhile."""

    async def next(self) -> Item:
        """The next item. Raises LeftBehind, or what the writer failed with."""
        item = await self._broadcast._item(self._number)  # noqa: SLF001  # the two are one thing
        self._go_on()
        return item

    async def listen(self, take: Callable[[Item], bool]) -> None:
        """Have every item given to `take` at the moment it is told, until it says that it has not taken one; that one comes `next`.

        For a thousand readers this costs a tenth of waking each. It ends early when the writer fails.
        """
        broadcast = self._broadcast
        while self._number < broadcast._end:  # noqa: SLF001  # the same
            if not take(await broadcast._item(self._number)):  # noqa: SLF001  # the same
                return
            self._go_on()
        if broadcast._failure is not None:  # noqa: SLF001  # the same
            return
        self._take = take
        self._stopped = asyncio.get_running_loop().create_future()
        broadcast._listening.add(self)  # noqa: SLF001  # the same
        try:
            await self._stopped
        finally:
            broadcast._listening.discard(self)  # noqa: SLF001  # the same

    def _go_on(self) -> None:
        self._number += 1
        self._broadcast._taken.set()  # noqa: SLF001  # the same

    def give(self, item: Item, number: int) -> None:
        """Give the item with this number to whoever listens here, if it is the one that he waits for."""
        if self._take is None or self._stopped is None or self._stopped.done() or self._number != number:
            return
        if self._take(item):
            self._number += 1
        else:
            self.stop()

    def stop(self) -> None:
        """End the listening."""
        if self._stopped is not None and not self._stopped.done():
            self._stopped.set_result(None)

    def leave(self) -> None:
        self._broadcast._forget(self)  # noqa: SLF001  # the same

    def is_about_to_take(self, number: int) -> bool:
        return not self.is_away and self._number <= number
