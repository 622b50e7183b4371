"""Places that are shared fairly among tokens and workspaces, within one process.

It must not know what a place is for: connections to Postgres, or operations that run.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


class Overloaded(Exception):
    """No place became free in time, or too many wait for one already. Nothing was done; trying again later is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """On whose behalf something is done."""

    workspace_id: int
    token_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many places there are, and how many of them a token and a workspace may hold at a time."""

    places: int
    per_token: int
    per_workspace: int
    """Less than there are places, so that another workspace always finds one."""
    waiting_per_token: int
    wait_seconds: float


_asker: ContextVar[Asker | None] = ContextVar("asker", default=None)


@contextmanager
def asking(asker: Asker) -> Iterator[None]:
    """Do what is in the block, and in the tasks that it starts, on somebody's behalf. All else is the process' own."""
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


class FairQueue:
    """Places. Those who wait get one in turn: workspace by workspace, within each token by token. The process' own work never waits."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._free = bounds.places
        self._by_token: Counter[int] = Counter()
        self._by_workspace: Counter[int] = Counter()
        self._waiting: dict[int, dict[int, deque[asyncio.Future[None]]]] = {}
        """By workspace and token; those that are served next come first."""

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place. Raises Overloaded."""
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
        """Hold a place until the event loop has been round once, so that others have been seen to meanwhile. Raises Overloaded."""
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
            raise Overloaded("too many operations of this token wait already")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            async with asyncio.timeout(self._bounds.wait_seconds):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self._give_back(asker)  # it came at the same moment
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
        """Give a place to the next that may have one. False when there is nobody."""
        for workspace_id, tokens in self._waiting.items():
            for token_id, queue in tokens.items():
                if not self._has_place(workspace_id, token_id):
                    continue
                place = next((it for it in queue if not it.done()), None)
                if place is None:
                    continue  # cancelled, and about to leave by themselves
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
