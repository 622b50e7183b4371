"""The websockets of one process: accepts them, checks all of them periodically, and closes them when the process stops.

socket.py handles the messages of one of them.
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
from audience_gql.api.transport.streaming.messages import PROTOCOL
from audience_gql.api.transport.streaming.socket import FORBIDDEN, GOING_AWAY, Socket
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from audience_gql.audience.access import Access, good_tokens
from audience_gql.audience.tasks import end
from audience_gql.storage.postgres.database import UNREACHABLE

WRONG_PROTOCOL: Final = 4406
_LOOK_SECONDS: Final = 1.0
_DRAIN_LOOK_SECONDS: Final = 0.05

logger = logging.getLogger(__name__)


class Sockets:
    """An ASGI application for websockets. It checks them while `running` is open."""

    def __init__(self, subscriptions: Subscriptions, services: Services) -> None:
        self.services = services
        self.settings = services.settings
        self.subscriptions = subscriptions
        self.now = asyncio.get_running_loop().time
        self._open: set[Socket] = set()
        self._by_token: defaultdict[int, set[Socket]] = defaultdict(set)
        self._tasks: set[asyncio.Task[None]] = set()
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
        socket = Socket(self, scope, receive, send)
        self._open.add(socket)
        try:
            if not is_ours:
                await socket.close(WRONG_PROTOCOL, f"The subprotocol is {PROTOCOL}")
            elif self._is_draining:
                await socket.close(GOING_AWAY, "This server is stopping")
            await socket.run()
        finally:
            self._open.discard(socket)
            self._leave(socket)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Sockets]:
        """While it is open, silent and slow clients and those with invalid tokens are found and closed."""
        checks = [
            asyncio.create_task(self._check_clients(), name="check of clients"),
            asyncio.create_task(self._check_tokens(), name="check of tokens"),
        ]
        for task in checks:
            task.add_done_callback(_log_failure)
        try:
            yield self
        finally:
            await end(*checks, *self._tasks)

    def enter(self, socket: Socket, access: Access) -> bool:
        """Count a socket of a token. False if the token has too many already: then it is not counted."""
        if not self.services.live.enter(access.token.id):
            return False
        self._by_token[access.token.id].add(socket)
        return True

    async def drain(self) -> None:
        """Close each socket after every operation on it has sent a result, so that its client connects to another server. Accept no new one."""
        self._is_draining = True
        deadline = self.now() + self.settings.shutdown_seconds
        while self._open:
            is_late = self.now() > deadline
            for socket in self._open:
                if is_late or not socket.is_waited_for:
                    self._start(socket.close(GOING_AWAY, "This server is stopping"))
            await asyncio.gather(*self._tasks, return_exceptions=True)  # a failure is logged
            if is_late or all(socket.is_closing for socket in self._open):
                return
            await asyncio.sleep(_DRAIN_LOOK_SECONDS)

    def _leave(self, socket: Socket) -> None:
        if socket.access is not None:
            self.services.live.leave(socket.access.token.id)
            sockets = self._by_token[socket.access.token.id]
            sockets.discard(socket)
            if not sockets:
                del self._by_token[socket.access.token.id]

    def _is_welcome(self, origin: str | None, host: str | None) -> bool:
        """Whether a page of this origin may open sockets. A client without an origin is not a browser."""
        if origin is None or origin.lower() in self.settings.allowed_origins:
            return True
        return host is not None and urlsplit(origin).netloc.lower() == host.lower()

    async def _check_clients(self) -> None:
        """Check all sockets at once. A timer for each would cost more than the rest of an idle socket."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = self.now()
            for socket in self._open:
                if (work := socket.due(now)) is not None:
                    self._start(work)

    async def _check_tokens(self) -> None:
        """Close the sockets of invalid tokens. One query checks all tokens. While Postgres is away, all stay open."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            checked = frozenset(self._by_token)
            try:
                good = await good_tokens(ports=self.services.ports, token_ids=checked)
            except UNREACHABLE:
                continue
            except Exception:  # an edge: the next check must take place
                logger.exception("the check of the sockets' tokens failed")
                continue
            self._dismiss(checked - good)

    def _dismiss(self, token_ids: Iterable[int]) -> None:
        for token_id in token_ids:
            for socket in self._by_token.get(token_id, ()):
                self._start(socket.close(FORBIDDEN, "The token is no longer valid"))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:  # Any: a coroutine's types
        task = asyncio.create_task(work, name="work on a socket")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_log_failure)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("the %s failed", task.get_name(), exc_info=error)
