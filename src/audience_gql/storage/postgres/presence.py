"""Checks every second, on a separate connection, whether Postgres answers.

A server that vanishes without closing its connections leaves them open and silent, and a long statement would wait for its own timeout.
So when a check is not answered, this module terminates every registered connection, whatever the connection is doing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from weakref import WeakSet

import asyncpg

from audience_gql.storage.postgres.connections import CONNECT_SECONDS, PlainConnection
from audience_gql.storage.postgres.database import NO_CONNECTION, Connection

_PAUSE_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 3.0
"""Without an answer to `SELECT 1` for this long, the server counts as silent."""
_HELD_UP_SECONDS: Final = 0.5
"""If the timeout fires this much too late, this process itself was blocked, and the server is not at fault."""
_AWAY: tuple[type[Exception], ...] = (asyncpg.PostgresError, *NO_CONNECTION)
"""Everything that can prevent a check. The watch must survive all of it: nobody would notice its end before the next fault."""

logger = logging.getLogger(__name__)


class Presence:
    """Watches one server for all pools of a process, while `watch` runs."""

    def __init__(self, url: str) -> None:
        self._url = urlunsplit(urlsplit(url)._replace(scheme="postgres"))
        self._open: WeakSet[Connection] = WeakSet()

    async def register(self, connection: Connection) -> None:
        """Include this connection in those that are terminated when the server is silent. A pool calls this for each new connection."""
        self._open.add(connection)

    async def watch(self) -> None:
        """Check until cancelled."""
        while True:
            try:
                await self._ask_while_answered()
            except _AWAY as error:
                logger.warning("Postgres is not available: %s", error or "it does not answer")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _ask_while_answered(self) -> None:
        connection = await asyncpg.connect(
            self._url,
            connection_class=PlainConnection,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": "audience-gql presence"},
        )
        try:
            while True:
                if not await self._is_answered(connection):
                    return
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            connection.terminate()

    async def _is_answered(self, connection: Connection) -> bool:
        """Check once. Returns False when no answer came: this connection is then useless, and the others too if the server is at fault."""
        now = asyncio.get_running_loop().time
        asked_at = now()
        try:
            await connection.execute("SELECT 1", timeout=SILENT_SECONDS)
        except TimeoutError:
            if now() - asked_at < SILENT_SECONDS + _HELD_UP_SECONDS:
                self._throw_all_away()
            return False
        return True

    def _throw_all_away(self) -> None:
        silent = list(self._open)
        for connection in silent:
            connection.terminate()
        logger.warning(
            "Postgres has not answered for %g s: terminating %d connections", SILENT_SECONDS, len(silent)
        )
