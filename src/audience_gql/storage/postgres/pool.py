"""Keeps the connections of one process open, and lends them: the one that was returned last is lent first.

The driver's own pool starts two tasks and makes a proxy for each loan, which costs more than a short statement. This one lends the
connections themselves, so a caller must not use one after returning it. It must not know a table.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import asyncpg

from audience_gql.storage.postgres.connections import CLOSE_SECONDS, PlainConnection
from audience_gql.storage.postgres.known_buckets import KnownBuckets

Connect = Callable[[], Awaitable[PlainConnection]]

_UNUSED_SECONDS: Final = 300.0
"""A connection that was not lent for this long is closed, within twice this time. The last one stays open."""
_MOST_STATEMENTS: Final = 50_000
"""After so many statements a connection is closed, and with it the memory that its server process has collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """What a pool does at one moment."""

    lent: int
    idle: int
    most: int
    """The most connections that it opens."""
    waiting: int
    """Callers that wait for a connection."""


class Pool:
    """At most `most` connections."""

    def __init__(self, connect: Connect, *, most: int) -> None:
        self._connect = connect
        self._most = most
        self._idle: list[PlainConnection] = []
        """The last one is lent next."""
        self._all: set[PlainConnection] = set()
        self._known_buckets: KnownBuckets | None = None
        self._connecting = 0
        self._waiting: deque[asyncio.Future[PlainConnection | None]] = deque()
        """They get a connection, or None for the right to open one."""
        self._tidying: set[asyncio.Task[None]] = set()
        self._fewest_idle = 0
        """Since the last look. So many connections were not lent meanwhile: those at the beginning of `_idle`."""
        self._look_timer: asyncio.TimerHandle | None = None
        self._is_closing = False
        self._all_returned = asyncio.Event()

    @property
    def use(self) -> PoolUse:
        """How many connections are lent, and how many callers wait."""
        idle = len(self._idle)
        waiting = sum(not turn.done() for turn in self._waiting)
        return PoolUse(lent=len(self._all) - idle, idle=idle, most=self._most, waiting=waiting)

    @property
    def is_cluster(self) -> bool:
        """Whether its connections lead to a Citus cluster's coordinator."""
        return self._known_buckets is not None

    @is_cluster.setter
    def is_cluster(self, is_cluster: bool) -> None:
        self._known_buckets = KnownBuckets() if is_cluster else None
        for connection in self._all:
            connection.known_buckets = self._known_buckets

    async def open(self) -> None:
        """Open the first connection."""
        self.release_now(await self.acquire())
        self._look_later()

    async def acquire(self, timeout: float | None = None) -> PlainConnection:  # noqa: ASYNC109  # the ORM's parameter
        """A connection, which the caller must release. Raises TimeoutError, and what the driver raises if it cannot connect."""
        return self.acquire_now() or await self._acquire(timeout)

    def acquire_now(self) -> PlainConnection | None:
        """A connection that is idle, if there is one."""
        while self._idle and not self._is_closing:
            connection = self._idle.pop()
            self._fewest_idle = min(self._fewest_idle, len(self._idle))
            if not connection.is_closed():
                return connection
            self._all.discard(connection)
        return None

    async def release(self, connection: PlainConnection) -> None:
        """The same as `release_now`, for the ORM."""
        self.release_now(connection)

    def release_now(self, connection: PlainConnection) -> asyncio.Task[None] | None:
        """Take a connection back. One that is busy or in a transaction is lent when it is at rest: then returns the task that waits for that."""
        if connection.is_closed() or (connection.is_at_rest() and connection.statements < _MOST_STATEMENTS):
            self._take_back(connection)
            return None
        task = asyncio.get_running_loop().create_task(self._tidy(connection), name="tidying a connection")
        self._tidying.add(task)
        task.add_done_callback(self._tidying.discard)
        return task

    async def close(self) -> None:
        """Lend nothing more, wait until everything is returned, and close all connections."""
        self._begin_to_close()
        while len(self._idle) < len(self._all) or self._connecting:
            self._all_returned.clear()
            await self._all_returned.wait()
        await asyncio.gather(*(connection.close() for connection in self._all))
        self._all.clear()
        self._idle.clear()

    def terminate(self) -> None:
        """Lend nothing more, and drop all connections, whatever they are doing."""
        self._begin_to_close()
        for connection in self._all:
            connection.terminate()

    async def _acquire(self, seconds: float | None) -> PlainConnection:
        async with asyncio.timeout(seconds):
            if self._is_closing:
                raise asyncpg.InterfaceError("the pool is closing")
            if len(self._all) + self._connecting >= self._most:
                connection = await self._wait()
                if connection is not None:
                    return connection
            else:
                self._connecting += 1
            return await self._open_one()

    async def _open_one(self) -> PlainConnection:
        """Open a connection. The caller has counted it in `_connecting`."""
        try:
            connection = await self._connect()
        except BaseException:
            self._connecting -= 1
            self._let_somebody_connect()
            raise
        self._connecting -= 1
        self._all.add(connection)
        connection.siblings = self._all
        connection.known_buckets = self._known_buckets
        if self._is_closing:
            connection.terminate()
            self._take_back(connection)
            raise asyncpg.InterfaceError("the pool is closing")
        return connection

    async def _wait(self) -> PlainConnection | None:
        turn: asyncio.Future[PlainConnection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except BaseException:
            if turn.cancelled() or turn.exception() is not None:
                self._waiting = deque(it for it in self._waiting if it is not turn)
            elif (connection := turn.result()) is not None:
                self._take_back(connection)
            else:
                self._connecting -= 1
                self._let_somebody_connect()
            raise

    def _take_back(self, connection: PlainConnection) -> None:
        """Lend a connection that is at rest to the next one who waits, or keep it. Forget one that is closed."""
        if connection.is_closed():
            self._all.discard(connection)
            self._let_somebody_connect()
        elif (turn := self._next_turn()) is not None:
            turn.set_result(connection)
        else:
            self._idle.append(connection)
        if self._is_closing:
            self._all_returned.set()

    def _let_somebody_connect(self) -> None:
        if (turn := self._next_turn()) is not None:
            self._connecting += 1
            turn.set_result(None)
        if self._is_closing:
            self._all_returned.set()

    def _next_turn(self) -> asyncio.Future[PlainConnection | None] | None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                return turn
        return None

    async def _tidy(self, connection: PlainConnection) -> None:
        """Bring a connection to rest whose caller was cancelled in the middle of a statement or transaction, or close a worn one."""
        try:
            if connection.statements >= _MOST_STATEMENTS:
                await connection.close(timeout=CLOSE_SECONDS)
            else:
                await connection.come_to_rest()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            connection.terminate()
        except BaseException:
            connection.terminate()
            raise
        finally:
            self._take_back(connection)

    def _look_later(self) -> None:
        self._fewest_idle = len(self._idle)
        self._look_timer = asyncio.get_running_loop().call_later(_UNUSED_SECONDS, self._look)

    def _look(self) -> None:
        """Close what was not lent since the last look."""
        unused = min(self._fewest_idle, len(self._idle), len(self._all) - 1)
        for connection in self._idle[:unused]:
            connection.terminate()
            self._all.discard(connection)
        del self._idle[:unused]
        self._look_later()

    def _begin_to_close(self) -> None:
        self._is_closing = True
        if self._look_timer is not None:
            self._look_timer.cancel()
        while (turn := self._next_turn()) is not None:
            turn.set_exception(asyncpg.InterfaceError("the pool is closing"))
