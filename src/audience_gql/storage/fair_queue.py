"""Shares a limited number of places fairly among tokens and workspaces, within one process.

It must not know what a place stands for: a connection to Postgres, or a running operation.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


class Overloaded(Exception):
    """No place became free in time, or too many operations already wait for one. Nothing was done, so the caller can retry later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The token that some work is done for, and its workspace."""

    workspace_id: int
    token_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many places there are, and how many of them a token and a workspace may hold at a time."""

    places: int
    per_token: int
    per_workspace: int
    """Smaller than `places`, so that one workspace alone cannot hold all of them."""
    waiting_per_token: int
    wait_seconds: float


_asker: ContextVar[Asker | None] = ContextVar("asker", default=None)


@contextmanager
def asking(asker: Asker) -> Iterator[None]:
    """Count the work in the block, and in tasks that it starts, as this asker's. Work outside such a block belongs to the process itself."""
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


class FairQueue:
    """The places and who waits for them. Workspaces take turns, and tokens take turns within a workspace. The process' own work never waits."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._free = bounds.places
        self._by_token: Counter[int] = Counter()
        self._by_workspace: Counter[int] = Counter()
        self._waiting: dict[int, dict[int, deque[asyncio.Future[None]]]] = {}
        """By workspace, then by token. The first one is served next."""

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place during the context. Raises Overloaded."""
        asker = _asker.get()
        if asker is None:
            yield
            return
        await self._enter(asker)
        try:
            yield
        finally:
            self._give_back(asker)

    async def pass_through(self) -> None:
        """Hold a place for one iteration of the event loop, so that others get their turn in between. Raises Overloaded."""
        asker = _asker.get()
        if asker is not None:
            await self._enter(asker)
            asyncio.get_running_loop().call_soon(self._give_back, asker)

    async def _enter(self, asker: Asker) -> None:
        if self._has_place(asker.workspace_id, asker.token_id):
            self._take(asker.workspace_id, asker.token_id)
        else:
            await self._wait(asker)

    async def _wait(self, asker: Asker) -> None:
        queue = self._waiting.setdefault(asker.workspace_id, {}).setdefault(asker.token_id, deque())
        if len(queue) >= self._bounds.waiting_per_token:
            raise Overloaded("too many operations of this token are already waiting")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            async with asyncio.timeout(self._bounds.wait_seconds):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self._give_back(asker)  # the place was given at the same moment
            else:
                queue.remove(place)
                self._forget_if_empty(asker.workspace_id, asker.token_id)
            if isinstance(error, TimeoutError):
                raise Overloaded("no place became free in time") from None
            raise

    def _has_place(self, workspace_id: int, token_id: int) -> bool:
        return (
            self._free > 0
            and self._by_token[token_id] < self._bounds.per_token
            and self._by_workspace[workspace_id] < self._bounds.per_workspace
        )

    def _take(self, workspace_id: int, token_id: int) -> None:
        self._free -= 1
        self._by_token[token_id] += 1
        self._by_workspace[workspace_id] += 1

    def _give_back(self, asker: Asker) -> None:
        self._free += 1
        for held, key in ((self._by_token, asker.token_id), (self._by_workspace, asker.workspace_id)):
            held[key] -= 1
            if not held[key]:
                del held[key]
        while self._serve_next():
            pass

    def _serve_next(self) -> bool:
        """Give a place to the next waiting operation that may have one. Returns False when there is none."""
        for workspace_id, tokens in self._waiting.items():
            for token_id, queue in tokens.items():
                if not self._has_place(workspace_id, token_id):
                    continue
                place = next((it for it in queue if not it.done()), None)
                if place is None:
                    continue  # all of them are cancelled, and remove themselves
                queue.remove(place)
                self._take(workspace_id, token_id)
                place.set_result(None)
                tokens[token_id] = tokens.pop(token_id)
                self._waiting[workspace_id] = self._waiting.pop(workspace_id)
                self._forget_if_empty(workspace_id, token_id)
                return True
        return False

    def _forget_if_empty(self, workspace_id: int, token_id: int) -> None:
        tokens = self._waiting.get(workspace_id, {})
        if token_id in tokens and not tokens[token_id]:
            del tokens[token_id]
        if not tokens:
            self._waiting.pop(workspace_id, None)
