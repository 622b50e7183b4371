"""One connection to Postgres: how it is opened, how long it waits for an answer, when it is terminated, and how its loss is told.

It must not know a pool or a table. Each pool states how long its statements may take.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from typing import Any, Final, Protocol

import asyncpg

from audience_gql.storage.postgres.known_buckets import KnownBuckets
from audience_gql.storage.postgres.losses import DOUBTFUL, ConnectionLost, loss
from audience_gql.telemetry import traces

CONNECT_SECONDS: Final = 3.0
"""How long a server may take to accept a connection."""
GRACE_SECONDS: Final = 2.0
"""Postgres cancels a statement at its own timeout. If the client has no answer this long after that, the connection counts as dead."""
CANCEL_SECONDS: Final = 2.0
"""How long a server may take to cancel a statement whose caller has gone. After that, its connection is terminated."""
CLOSE_SECONDS: Final = 2.0
"""How long a pool may take to close its connections. After that, they are terminated."""
IDLE_IN_TRANSACTION_SECONDS: Final = 8
"""How long Postgres waits for the next statement of an open transaction before it ends the connection. Our transactions never wait
for anything except Postgres, so after this time the client is gone, and others may be waiting for its locks."""
SERVER_KEEPALIVE: Final = {
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "8000",
}
"""The same limits as _KEEPALIVE, for the server's end: connections of clients that are gone also use up the server's limit."""

_KEEPALIVE: Final = {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 8_000}
"""The kernel drops a connection when the other end has acknowledged nothing for eight to nine seconds, even while a long statement
runs. Units: seconds, seconds, probes, milliseconds. A system may lack some of these options."""


class PlainConnection(asyncpg.Connection):
    """A connection that returns to the pool without a reset, and that never waits for a server without a limit.

    The driver's reset costs a round trip at every release. Leaving it out is safe because nothing here sets
    session state: no SET, no LISTEN, no session locks, only SET LOCAL and row locks.
    """

    _protocol: Any  # the driver's own
    _top_xact: object | None

    def __init__(self, protocol: Any, transport: Any, *rest: Any) -> None:  # Any: the driver's own
        super().__init__(protocol, transport, *rest)
        _have_kernel_watch(transport.get_extra_info("socket"))

        if traces.current is not None:
            traces.current.watch(self)

        self.siblings: Collection[PlainConnection] = ()
        """All connections of our pool, with this one. Empty in a pool of the driver's."""
        self.known_buckets: KnownBuckets | None = None
        """Of the pool, if it leads to a Citus cluster's coordinator. None if it does not."""
        self._is_preparing = False
        """Whether a statement was prepared and not executed. Until the next command the server then keeps a transaction open, of which the driver knows nothing."""

    @property
    def is_cluster(self) -> bool:
        """Whether it leads to a Citus cluster's coordinator."""
        return self.known_buckets is not None

    def get_reset_query(self) -> str:
        return ""

    def _check_open(self) -> None:
        if self.is_closed():
            raise ConnectionLost("the connection is closed")

    async def execute(self, *given: Any, **named: Any) -> str:  # Any: the driver's parameters
        try:
            return await super().execute(*given, **named)
        except DOUBTFUL as error:
            raise loss(error) or error from error.__cause__

    async def _execute(
        self, *given: Any, **named: Any
    ) -> Any:  # Any: the driver's own, below all its methods that fetch rows
        try:
            return await super()._execute(*given, **named)  # type: ignore[misc]  # there is no public way
        except DOUBTFUL as error:
            raise loss(error) or error from error.__cause__

    async def _executemany(self, *given: Any, **named: Any) -> Any:  # Any: as above
        try:
            return await super()._executemany(*given, **named)  # type: ignore[misc]  # as above
        except DOUBTFUL as error:
            raise loss(error) or error from error.__cause__

    async def copy_records_to_table(self, *given: Any, **named: Any) -> str:  # Any: as above
        try:
            return await super().copy_records_to_table(*given, **named)
        except DOUBTFUL as error:
            raise loss(error) or error from error.__cause__

    @property
    def statements(self) -> int:
        """How many statements it has executed."""
        return int(self._protocol.queries_count)

    def is_at_rest(self) -> bool:
        """Whether it can execute a statement at once: no transaction is open, and no statement is being cancelled."""
        protocol = self._protocol
        return (
            not self._is_preparing
            and self._top_xact is None
            and not protocol.is_in_transaction()
            and not protocol._is_cancelling()  # noqa: SLF001  # as the driver's pool does
        )

    async def come_to_rest(self) -> None:
        """Wait for a cancellation under way, and roll back an open transaction. Raises what the driver raises for a lost connection."""
        await self._protocol._wait_for_cancellation(CANCEL_SECONDS)  # noqa: SLF001  # as the driver's pool does
        await self.reset(timeout=CANCEL_SECONDS)

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  # the driver's parameter
        """Roll back an open transaction. Pools call it before they lend the connection again."""
        await super().reset(timeout=timeout)
        if self._is_preparing:
            await self.execute("SELECT", timeout=timeout)  # any command ends the server's transaction
            self._is_preparing = False

    async def _get_statement(self, *given: Any, **named: Any) -> Any:  # Any: the driver's own
        """Note when a caller breaks off between preparing and executing. The driver prepares without ending the server's transaction."""
        before, self._is_preparing = (
            self._is_preparing,
            True,
        )  # it may prepare and execute another one, about types
        try:
            statement = await super()._get_statement(*given, **named)  # type: ignore[misc]  # there is no public way
        except asyncpg.PostgresError:  # after an error, the driver ends it
            self._is_preparing = before
            raise
        self._is_preparing = before  # the driver goes on to execute the statement, without waiting before
        return statement

    def _drop_global_statement_cache(self) -> None:
        """After a migration changed the types of a statement's result, all connections prepare again, and not each after a failure of its own."""
        super()._drop_global_statement_cache()  # type: ignore[misc]  # the driver's pool has no public way either
        for connection in self.siblings:
            connection._drop_local_statement_cache()  # type: ignore[attr-defined]  # noqa: SLF001  # the same

    def _drop_global_type_cache(self) -> None:
        super()._drop_global_type_cache()  # type: ignore[misc]  # as above
        for connection in self.siblings:
            connection._drop_local_type_cache()  # type: ignore[attr-defined]  # noqa: SLF001  # as above

    async def _cancel(self, waiter: Any, cancel_waiter: Any = None) -> None:  # Any: the driver's own futures
        """Ask the server to cancel a statement, within a limit: the driver alone waits for an answer that may never come."""
        async with asyncio.timeout(CANCEL_SECONDS) as limit:
            await super()._cancel(waiter, cancel_waiter)  # type: ignore[misc]  # there is no public method; this one swallows the cancellation
        if limit.expired():
            self.terminate()


class ClosedByDegrees(Protocol):
    """A pool, ours or the driver's."""

    async def close(self) -> None: ...

    def terminate(self) -> None: ...


async def close_pool(pool: ClosedByDegrees) -> None:
    """Close a pool. If the server does not answer within CLOSE_SECONDS, terminate its connections."""
    try:
        await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


def command_timeout(statement_timeout_seconds: float) -> float | None:
    """How long the client waits for a command, in seconds. None means no limit: then Postgres has none either."""
    return statement_timeout_seconds + GRACE_SECONDS if statement_timeout_seconds else None


def _have_kernel_watch(connection: socket.socket) -> None:
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
