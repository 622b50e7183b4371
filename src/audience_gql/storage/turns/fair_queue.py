"""Shares a limited number of places, or the time of the event loop, fairly among tokens and workspaces, within one process.

It must not know what a place stands for: a connection to Postgres, or a running operation.
"""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from audience_gql.storage.turns.waiting_line import Asker, Overloaded, WaitingLine
from audience_gql.telemetry.ids import find_with

__all__ = ["Asker", "Beginnings", "Bounds", "FairQueue", "Overloaded", "asking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many places there are, and how many of them a token and a workspace may hold at a time."""

    places: int
    per_token: int
    per_workspace: int
    """Smaller than `places`, so that one workspace alone cannot hold all of them."""
    waiting_per_token: int
    wait_seconds: float
    kept_free: int | None = None
    """A token may hold more than `per_token` places while more than this number are free. None: it never may."""


_ALONE_AFTER_SECONDS: Final = 1.0
"""How long after the latest beginning of another token one counts as alone."""
_asker: ContextVar[Asker | None] = ContextVar("asker", default=None)


def present_asker() -> Asker | None:
    """The token that the present work is done for; None for the process' own work."""
    return _asker.get()


def _ids_of_asker() -> dict[str, int]:
    asker = _asker.get()
    return {} if asker is None else {"workspace_id": asker.workspace_id, "token_id": asker.token_id}


find_with(_ids_of_asker)


class asking:  # noqa: N801  # it reads as a function
    """Count the work in the block, and in tasks that it starts, as this asker's. Work outside such a block belongs to the process itself."""

    __slots__ = ("_asker", "_former")

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def __enter__(self) -> None:
        self._former = _asker.set(self._asker)

    def __exit__(self, *_: object) -> None:
        _asker.reset(self._former)


class FairQueue:
    """The places and who waits for them. Workspaces take turns, and tokens take turns within a workspace. The process' own work never waits."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._free = bounds.places
        self._by_token: dict[int, int] = {}
        self._by_workspace: dict[int, int] = {}
        self._line = WaitingLine(per_token=bounds.waiting_per_token, seconds=bounds.wait_seconds)

    @property
    def held(self) -> int:
        """How many places are taken."""
        return self._bounds.places - self._free

    @property
    def waiting(self) -> int:
        """How many callers wait for a place."""
        return len(self._line)

    def place(self) -> Place:
        """Hold a place during the context. Raises Overloaded."""
        return Place(self)

    async def enter(self, asker: Asker) -> None:
        """Take a place, which the caller must give back. Raises Overloaded."""
        if not self.enter_now(asker):
            await self._line.wait(asker, lambda: self.give_back(asker))

    def give_back(self, asker: Asker) -> None:
        self._free += 1
        of_token = self._by_token.pop(asker.token_id) - 1
        if of_token:
            self._by_token[asker.token_id] = of_token
        of_workspace = self._by_workspace.pop(asker.workspace_id) - 1
        if of_workspace:
            self._by_workspace[asker.workspace_id] = of_workspace
        while self._line.waiting and self._line.serve_next(self.enter_now):
            pass

    def enter_now(self, asker: Asker) -> bool:
        """Take a place if there is one for the asker, which the caller must give back."""
        of_token = self._by_token.get(asker.token_id, 0)
        of_workspace = self._by_workspace.get(asker.workspace_id, 0)
        bounds = self._bounds
        if self._free <= 0 or of_workspace >= bounds.per_workspace:
            return False
        if of_token >= bounds.per_token and (bounds.kept_free is None or self._free <= bounds.kept_free):
            return False
        self._free -= 1
        self._by_token[asker.token_id] = of_token + 1
        self._by_workspace[asker.workspace_id] = of_workspace + 1
        return True


class Place:
    """A place of the current asker, during a context or from `enter` to `leave`. A generator would cost several times as much."""

    __slots__ = ("_asker", "_queue")

    def __init__(self, queue: FairQueue) -> None:
        self._queue = queue
        self._asker: Asker | None = None

    def enter_now(self) -> bool:
        """Enter if nobody must wait for it. Otherwise call `enter`."""
        asker = _asker.get()
        if asker is None:
            return True
        if self._queue.enter_now(asker):
            self._asker = asker
            return True
        return False

    async def enter(self) -> None:
        """Raises Overloaded."""
        if not self.enter_now():
            asker = _asker.get()
            assert asker is not None  # noqa: S101  # nobody else waits
            await self._queue.enter(asker)
            self._asker = asker

    def leave(self) -> None:
        if self._asker is not None:
            self._queue.give_back(self._asker)

    async def __aenter__(self) -> None:
        await self.enter()

    async def __aexit__(self, *_: object) -> None:
        self.leave()


class Beginnings:
    """Lets pieces of work begin that the event loop cannot interrupt. In each round of the loop, they may take a short time together.

    Those that find no time left wait. Then workspaces take turns, and tokens take turns within a workspace.
    """

    def __init__(
        self, *, round_seconds: float, alone_seconds: float, waiting_per_token: int, wait_seconds: float
    ) -> None:
        """`alone_seconds`: how long a round may last in which only one token begins anything, if it was alone for a second already."""
        self._round_seconds = round_seconds
        self._alone_seconds = alone_seconds
        self._latest_token: int | None = None
        """Whose piece began last."""
        self._alone_from = 0.0
        """From when on the latest one counts as alone."""
        self._line = WaitingLine(per_token=waiting_per_token, seconds=wait_seconds)
        self._began_at: float | None = None
        """When the first piece of this round began. None if none did."""

    def pass_now(self, asker: Asker) -> bool:
        """Whether the caller may begin at once. Otherwise it must call `pass_through`."""
        now = time.perf_counter()
        if asker.token_id != self._latest_token:
            self._latest_token, self._alone_from = asker.token_id, now + _ALONE_AFTER_SECONDS
        if self._began_at is None:
            self._begin_round(now)
            return True
        if self._line.waiting:
            return False
        most = self._alone_seconds if now > self._alone_from else self._round_seconds
        return now - self._began_at < most

    async def pass_through(self, asker: Asker) -> None:
        """Return when the caller may begin. Raises Overloaded."""
        if not self.pass_now(asker):
            await self._line.wait(asker, _nothing)

    def _begin_round(self, now: float, served: int = 0) -> None:
        """Begin a round, in which so many of those who waited begin."""
        self._began_at = now
        asyncio.get_running_loop().call_soon(self._end_round, now, served)

    def _end_round(self, began_at: float, served: int) -> None:
        """Serve those who wait: as many as would have had time in the round that ends, but at most twice as many as then, and at least one."""
        self._began_at = None
        if not self._line.waiting:
            return
        now = time.perf_counter()
        spent = now - began_at
        fitting = served * self._round_seconds / spent if spent else 0
        most = max(1, int(min(fitting, 2 * served)))
        served = 0
        while served < most and self._line.serve_next(_anybody):
            served += 1
        if served:
            self._begin_round(now, served)


def _anybody(_: Asker) -> bool:
    return True


def _nothing() -> None:
    """Nobody needs the turn of a caller who was cancelled."""
