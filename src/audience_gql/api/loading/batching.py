"""A loader: reads many keys by one call, each key once.

The library's own loader makes a future for every key, which costs more than the rest of a long list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(slots=True, eq=False)
class _Call(Generic[Key]):
    """One call of `read`: its keys, and who waits for it."""

    keys: list[Key] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    error: BaseException | None = None
    is_over: bool = False


class Loader(Generic[Key, Value]):
    """Reads values by key, and remembers them. It must not outlive the operation."""

    __slots__ = ("_calls", "_found", "_gathers", "_next", "_read", "_running")

    def __init__(
        self, read: Callable[[list[Key]], Awaitable[Sequence[Value]]], *, gathers: bool = True
    ) -> None:
        """`read` returns a value for each of these keys, in their order. `gathers`: one key waits for others, which one call reads with it."""
        self._read = read
        self._gathers = gathers
        self._found: dict[Key, Value] = {}
        self._calls: dict[Key, _Call[Key]] = {}
        """The call that reads each key that was asked for."""
        self._next: _Call[Key] | None = None
        """The call that has not begun yet."""
        self._running: set[asyncio.Task[None]] = set()

    async def load(self, key: Key) -> Value:
        """The value of a key. Everything that is asked for before the event loop turns is read by one call. Raises what `read` raises."""
        (value,) = await self.load_many((key,))
        return value

    async def load_now(self, keys: Sequence[Key]) -> list[Value]:
        """The value of each key, for a caller that asks for all keys of a level at once. It does not wait for others to ask.

        A single key waits if the loader gathers keys: without a plan, each object of a level asks for itself. Raises what `read` raises.
        If the caller is cancelled, the others who wait for its keys are, too.
        """
        if self._gathers and len(keys) == 1:
            return await self.load_many(keys)
        missing = [key for key in dict.fromkeys(keys) if key not in self._found and key not in self._calls]
        if missing:
            call = _Call(missing)
            self._calls.update(dict.fromkeys(missing, call))
            await self._run(call)
            if call.error is not None:
                raise call.error
            if len(missing) == len(keys):
                return [self._found[key] for key in keys]
        return await self.load_many(keys)

    async def load_many(self, keys: Sequence[Key]) -> list[Value]:
        """The value of each key, as `load` reads it. Raises what `read` raises."""
        found = self._found
        awaited: set[_Call[Key]] = set()
        for key in keys:
            if key not in found:
                awaited.add(self._calls.get(key) or self._asked(key))
        for call in awaited:
            await self._end(call)
        return [found[key] for key in keys]

    def prime(self, key: Key, value: Value) -> None:
        """Remember a value that is known already."""
        self._found[key] = value

    def _asked(self, key: Key) -> _Call[Key]:
        call = self._next
        if call is None:
            call = self._next = _Call()
            asyncio.get_running_loop().call_soon(self._begin)
        call.keys.append(key)
        self._calls[key] = call
        return call

    def _begin(self) -> None:
        call, self._next = self._next, None
        if call is not None:
            task = asyncio.create_task(self._run(call), name="loader")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, call: _Call[Key]) -> None:
        """Read the keys. If nobody awaits it directly, it goes on when somebody who waits for its end is cancelled."""
        try:
            values = await self._read(call.keys)
            self._found.update(zip(call.keys, values, strict=True))
        except BaseException as error:  # whoever waits for a key raises it
            call.error = error
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            call.is_over = True
            for future in call.waiting:
                if not future.done():
                    future.set_result(None)

    @staticmethod
    async def _end(call: _Call[Key]) -> None:
        if not call.is_over:
            future = asyncio.get_running_loop().create_future()
            call.waiting.append(future)
            await future
        if call.error is not None:
            raise call.error
