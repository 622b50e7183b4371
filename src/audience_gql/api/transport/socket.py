"""The websockets of one process: who may come in, what the clock does to them, and how they are sent away together.

What is said on one of them is connection.py's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from audience_gql.api.context import Services
from audience_gql.api.transport.authorization import RECHECK_SECONDS
from audience_gql.api.transport.connection import FORBIDDEN, GOING_AWAY, Connection
from audience_gql.api.transport.messages import PROTOCOL
from audience_gql.api.transport.subscriptions import Subscriptions
from audience_gql.audience.access import Access, good_tokens
from audience_gql.audience.tasks import end
from audience_gql.storage.database import UNREACHABLE

WRONG_PROTOCOL: Final = 4406
_LOOK_SECONDS: Final = 1.0
_DRAIN_LOOK_SECONDS: Final = 0.05

logger = logging.getLogger(__name__)


class Sockets:
    """An ASGI application for websockets. Its clockwork goes while it is entered."""

    def __init__(self, subscriptions: Subscriptions, services: Services) -> None:
        self.services = services
        self.settings = services.settings
        self.subscriptions = subscriptions
        self.now = asyncio.get_running_loop().time
        self._open: set[Connection] = set()
        self._by_token: defaultdict[int, set[Connection]] = defaultdict(set)
        self._errands: set[asyncio.Task[None]] = set()
        self._is_draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket to its end."""
        await receive()  # websocket.connect
        headers = Headers(scope=scope)
        if not self._is_welcome(headers.get("origin"), headers.get("host")):
            await send({"type": "websocket.close", "code": FORBIDDEN})
            return
        is_ours = PROTOCOL in scope.get("subprotocols", ())
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL if is_ours else None})
        connection = Connection(self, scope, receive, send)
        self._open.add(connection)
        try:
            if not is_ours:
                await connection.close(WRONG_PROTOCOL, f"The subprotocol is {PROTOCOL}")
            elif self._is_draining:
                await connection.close(GOING_AWAY, "This server stops")
            await connection.run()
        finally:
            self._open.discard(connection)
            self._leave(connection)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Sockets]:
        """While it is open, silent, slow and revoked clients are found."""
        clockwork = [
            asyncio.create_task(self._look(), name="sockets' clock"),
            asyncio.create_task(self._recheck(), name="sockets' tokens"),
        ]
        for task in clockwork:
            task.add_done_callback(_log_failure)
        try:
            yield self
        finally:
            await end(*clockwork, *self._errands)

    def enter(self, connection: Connection, access: Access) -> bool:
        """Count a socket of a token; False when it has too many already."""
        if not self.services.live.enter(access.token.id):
            return False
        self._by_token[access.token.id].add(connection)
        return True

    async def drain(self) -> None:
        """Send everybody elsewhere, each when what he asked last is answered, and take nobody new."""
        self._is_draining = True
        deadline = self.now() + self.settings.shutdown_seconds
        while self._open:
            is_late = self.now() > deadline
            for connection in self._open:
                if is_late or not connection.is_waited_for:
                    self._send_on_errand(connection.close(GOING_AWAY, "This server stops"))
            await asyncio.gather(*self._errands, return_exceptions=True)  # a failure is logged
            if is_late or all(connection.is_closing for connection in self._open):
                return
            await asyncio.sleep(_DRAIN_LOOK_SECONDS)

    def _leave(self, connection: Connection) -> None:
        if connection.access is not None:
            self.services.live.leave(connection.access.token.id)
            sockets = self._by_token[connection.access.token.id]
            sockets.discard(connection)
            if not sockets:
                del self._by_token[connection.access.token.id]

    def _is_welcome(self, origin: str | None, host: str | None) -> bool:
        """Whether a page of this origin may open sockets; who says no origin is no browser."""
        if origin is None or origin.lower() in self.settings.allowed_origins:
            return True
        return host is not None and urlsplit(origin).netloc.lower() == host.lower()

    async def _look(self) -> None:
        """Look at the clock for all sockets at once: a timer for each would cost more than all the rest of an idle one."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = self.now()
            for connection in self._open:
                if (errand := connection.due(now)) is not None:
                    self._send_on_errand(errand)

    async def _recheck(self) -> None:
        """Find out which tokens are no longer good: one question for all of them. Postgres being away changes nothing."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            asked = frozenset(self._by_token)
            try:
                good = await good_tokens(ports=self.services.ports, token_ids=asked)
            except UNREACHABLE:
                continue
            except Exception:  # an edge: whoever asks again soon must not stop asking
                logger.exception("the sockets' tokens were not looked at")
                continue
            self._dismiss(asked - good)

    def _dismiss(self, token_ids: Iterable[int]) -> None:
        for token_id in token_ids:
            for connection in self._by_token.get(token_id, ()):
                self._send_on_errand(connection.close(FORBIDDEN, "The token is no longer good"))

    def _send_on_errand(
        self, work: Coroutine[Any, Any, None]
    ) -> None:  # Any: what a coroutine gives and takes
        task = asyncio.create_task(work, name="socket errand")
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        task.add_done_callback(_log_failure)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("the sockets' %s failed", task.get_name(), exc_info=error)
