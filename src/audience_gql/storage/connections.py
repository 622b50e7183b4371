"""One connection to Postgres: how it is opened, how long it waits for an answer, and how it is given up.

It must not know a pool or a table. Each pool states how long its statements may take.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

import asyncpg

CONNECT_SECONDS: Final = 3.0
"""How long a server may take to let a connection in."""
GRACE_SECONDS: Final = 2.0
"""Postgres ends a statement at its own limit. A client that has heard nothing for so long after that takes the connection for dead."""
CANCEL_SECONDS: Final = 2.0
"""How long a server may take to end a statement that nobody waits for any more. Then its connection is given up."""
CLOSE_SECONDS: Final = 2.0
"""How long a pool may take to say goodbye to the server."""
IDLE_IN_TRANSACTION_SECONDS: Final = 8
"""How long Postgres waits for the next statement of a transaction, whose locks others wait for: its client may be gone, and no
transaction of ours waits for anything but Postgres."""
SERVER_KEEPALIVE: Final = {
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "8000",
}
"""The same as _KEEPALIVE at the other end: connections of clients that are gone count there, too."""

_KEEPALIVE: Final = {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 8_000}
"""The kernel gives a connection up after eight to nine seconds in which the other end confirms nothing, even while a long statement
runs. Seconds, seconds, probes, milliseconds; where the system has them."""


class PlainConnection(asyncpg.Connection):
    """A connection that goes back to the pool as it is, and that waits for no server for ever.

    The usual reset costs a round trip at every release. Leaving it out is safe because nothing here ever sets
    session state: no SET, no LISTEN, no session locks, only SET LOCAL and row locks.
    """

    def __init__(self, protocol: Any, transport: Any, *rest: Any) -> None:  # Any: the driver's own
        super().__init__(protocol, transport, *rest)
        _have_kernel_watch(transport.get_extra_info("socket"))

    def get_reset_query(self) -> str:
        return ""

    async def _cancel(self, waiter: Any, cancel_waiter: Any = None) -> None:  # Any: the driver's own futures
        """Ask the server to end a statement; without this limit the driver waits for an answer that may never come."""
        async with asyncio.timeout(CANCEL_SECONDS) as limit:
            await super()._cancel(waiter, cancel_waiter)  # type: ignore[misc]  # no public door; it swallows the cancellation
        if limit.expired():
            self.terminate()


async def close_pool(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Close a pool, without waiting long for a server that may be gone."""
    try:
        await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


def command_timeout(statement_timeout_seconds: float) -> float | None:
    """How long a client waits for a command. None, for ever, where Postgres has no limit either."""
    return statement_timeout_seconds + GRACE_SECONDS if statement_timeout_seconds else None


def _have_kernel_watch(connection: socket.socket) -> None:
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
