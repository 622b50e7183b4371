"""Whether Postgres is there: asked every second on a connection of its own.

A server that vanishes without a word leaves every connection open and silent, and a long statement would wait for its own limit.
So when the question stays unanswered, every connection that registered here is thrown away, whatever it is doing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from weakref import WeakSet

import asyncpg

from audience_gql.storage.connections import CONNECT_SECONDS, PlainConnection
from audience_gql.storage.database import UNREACHABLE, Connection

_PAUSE_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 3.0
"""How long the answer to the simplest question may take."""
_HELD_UP_SECONDS: Final = 0.5
"""When the time is noticed to be up so much too late, this process itself was held up, and the server is not to blame."""
_AWAY: tuple[type[Exception], ...] = (asyncpg.PostgresError, *UNREACHABLE)
"""Whatever keeps the question from being asked: a watch that ended would be missed only at the next fault."""

logger = logging.getLogger(__name__)


class Presence:
    """The watch over one server, for all pools of a process. It watches while `watch` runs."""

    def __init__(self, url: str) -> None:
        self._url = urlunsplit(urlsplit(url)._replace(scheme="postgres"))
        self._open: WeakSet[Connection] = WeakSet()

    async def register(self, connection: Connection) -> None:
        """Throw this connection away, too, when the server is silent. A pool calls it for each that it opens."""
        self._open.add(connection)

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._ask_while_answered()
            except _AWAY as error:
                logger.warning("Postgres is away: %s", error or "it does not answer")
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
        """Ask once. When no answer comes, the connection is of no use any more; nor are the others, if the server is to blame."""
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
            "Postgres has been silent for %g s: %d connections are thrown away", SILENT_SECONDS, len(silent)
        )
