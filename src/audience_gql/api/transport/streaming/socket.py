"""One websocket that speaks graphql-transport-ws: its state, its operations, and the reasons to close it.

It holds at most one unsent message per operation: an operation waits for a slow client, and nothing else does.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from audience_gql.api.context import Context
from audience_gql.api.errors import ApiError, masked
from audience_gql.api.operations.operation_requests import OperationRefused
from audience_gql.api.transport.authorization import offered, secret_of
from audience_gql.api.transport.callers import caller_of
from audience_gql.api.transport.streaming import messages
from audience_gql.api.transport.streaming.messages import (
    Complete,
    Init,
    Malformed,
    Message,
    Ping,
    Pong,
    Subscribe,
)
from audience_gql.audience.access import Access, Unauthenticated
from audience_gql.audience.log.broadcast import LeftBehind
from audience_gql.audience.log.shared_execution import Result
from audience_gql.audience.tasks import end
from audience_gql.storage.postgres.database import UNREACHABLE

if TYPE_CHECKING:
    from audience_gql.api.transport.streaming.sockets import Sockets

GOING_AWAY: Final = 1001
INTERNAL: Final = 1011
TRY_AGAIN_LATER: Final = 1013
BAD_REQUEST: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
TIMED_OUT: Final = 4408
IN_USE: Final = 4409
TOO_SLOW: Final = 4413
TOO_MANY: Final = 4429
LONGEST_REASON: Final = 123
"""In bytes, the most that a close frame can hold."""
MESSAGES_A_SECOND: Final = 100
SILENT_PINGS: Final = 2.5
"""A client that sends nothing for so many intervals is gone."""

logger = logging.getLogger(__name__)

DIRECT: Final = "audience_gql.direct"
"""The ASGI extension of our server that holds a Direct for a websocket."""


class Direct(Protocol):
    """The server's own way to a websocket's client. Neither method waits."""

    def try_send(self, text: str) -> bool:
        """Send a text if the client has taken everything before it. Returns whether it did."""
        ...

    def force_send(self, text: str) -> None:
        """Send a text even if the client does not read. For the last messages before a close."""
        ...


class _NoDirect:
    """For a server without the extension: results are sent the ordinary way, and a client that does not read gets no last messages."""

    def try_send(self, _: str) -> bool:
        return False

    def force_send(self, _: str) -> None: ...


_NO_DIRECT: Final = _NoDirect()


class _Gone(Exception):
    """The socket is closed. Nobody reads what is written to it."""


@dataclass(slots=True, eq=False)
class _Operation:
    """An operation that runs under an id."""

    task: asyncio.Task[None] | None = None
    has_result: bool = False
    cursor: str = ""
    """The feed's cursor after its latest result. Empty for all other operations."""


class Socket:
    """One client's websocket, which the server has accepted."""

    __slots__ = (
        "_allowance",
        "_caller",
        "_counted_at",
        "_direct",
        "_heard_at",
        "_is_closing",
        "_is_init",
        "_opened_at",
        "_operations",
        "_pinged_at",
        "_receive",
        "_send",
        "_sending",
        "_sending_since",
        "_sockets",
        "_upgrade",
        "access",
    )  # fmt: skip

    def __init__(self, sockets: Sockets, scope: Scope, receive: Receive, send: Send) -> None:
        now = sockets.now()
        self.access: Access | None = None
        self._sockets = sockets
        self._receive = receive
        self._send = send
        self._upgrade = Headers(scope=scope).get("authorization")
        self._caller = caller_of(scope, sockets.settings.proxies)
        self._direct: Direct = scope["extensions"].get(DIRECT, _NO_DIRECT)
        self._operations: dict[str, _Operation] = {}
        self._is_init = self._is_closing = False
        self._opened_at = self._heard_at = self._counted_at = now
        self._pinged_at = now + random.random() * sockets.settings.socket_ping_seconds / 2  # noqa: S311  # so that not all sockets are pinged at once
        self._allowance = float(MESSAGES_A_SECOND)
        self._sending = 0
        self._sending_since = now

    @property
    def is_closing(self) -> bool:
        return self._is_closing

    @property
    def is_waited_for(self) -> bool:
        """Whether an operation runs that has not sent a result yet."""
        return any(not operation.has_result for operation in self._operations.values())

    async def run(self) -> None:
        """Serve the client until the socket is closed."""
        try:
            while (frame := await self._receive())["type"] == "websocket.receive":
                if not self._is_closing:
                    await self._hear(frame.get("text"))
        except _Gone:
            pass
        except Exception as error:  # noqa: BLE001  # the edge of sockets: the error is logged under an id that the client gets
            await self.close(INTERNAL, masked(error).message)
        finally:
            self._is_closing = True
            await self._end_operations()

    async def close(self, code: int, reason: str, last_messages: Sequence[str] = ()) -> None:
        """Stop all operations and close. `last_messages` are sent before, even to a client that does not read."""
        if self._is_closing:
            return
        self._is_closing = True
        for operation in self._operations.values():
            if operation.task is not None and operation.task is not asyncio.current_task():
                operation.task.cancel()
        for message in last_messages:
            self._direct.force_send(message)
        with suppress(OSError):  # the client has gone already
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def close_as_slow(self) -> None:
        """Close because the client reads too slowly. Each operation on the feed gets an error with the cursor to continue from."""
        following = {id_: it.cursor for id_, it in self._operations.items() if it.cursor}
        reason = next(iter(following.values()), "") if len(following) == 1 else ""
        text = "The client reads too slowly. Continue from `cursor`."
        last_messages = [
            messages.errors(id_, [ApiError("SLOW_CLIENT", text, cursor=cursor)])
            for id_, cursor in following.items()
        ]
        await self.close(TOO_SLOW, reason if 0 < len(reason) <= LONGEST_REASON else "Too slow", last_messages)

    def due(self, now: float) -> Coroutine[Any, Any, None] | None:  # Any: a coroutine's types
        """The work that is due for this socket at this time, or None."""
        settings = self._sockets.settings
        if self._is_closing:
            return None
        if self._sending and now - self._sending_since > settings.slow_client_seconds:
            return self.close_as_slow()
        if not self._is_init:
            is_late = now - self._opened_at > settings.socket_init_seconds
            return self.close(TIMED_OUT, "No connection_init in time") if is_late else None
        if now - self._heard_at > SILENT_PINGS * settings.socket_ping_seconds:
            return self.close(TIMED_OUT, "No answer to a ping in time")
        if now - self._pinged_at > settings.socket_ping_seconds and not self._sending:
            self._pinged_at = now
            return self._ping()
        return None

    async def _ping(self) -> None:
        with suppress(_Gone):
            await self._say(messages.PING)

    async def _hear(self, text: object) -> None:
        now = self._sockets.now()
        self._heard_at = now
        self._allowance = min(
            MESSAGES_A_SECOND, self._allowance + (now - self._counted_at) * MESSAGES_A_SECOND
        )
        self._counted_at = now
        if self._allowance < 1:
            await self.close(TRY_AGAIN_LATER, f"More than {MESSAGES_A_SECOND} messages a second")
            return
        self._allowance -= 1
        try:
            message = messages.parse(text)
        except Malformed as problem:
            await self.close(BAD_REQUEST, str(problem))
            return
        await self._handle(message)

    async def _handle(self, message: Message) -> None:
        match message:
            case Init():
                await self._enter(message)
            case Ping():
                await self._say(messages.PONG)
            case Pong():
                pass
            case Subscribe():
                await self._subscribe(message)
            case Complete():
                operation = self._operations.pop(message.id, None)
                if operation is not None and operation.task is not None:
                    operation.task.cancel()

    async def _enter(self, message: Init) -> None:
        if self._is_init:
            await self.close(TOO_MANY, "Too many initialisation requests")
            return
        self._is_init = True
        try:
            secret = secret_of(offered(message.payload, self._upgrade))
        except Unauthenticated:
            await self.close(UNAUTHORIZED, 'Send {"authorization": "Bearer agq_…"}')
            return
        try:
            access = await self._sockets.services.doorkeeper.authenticate(secret, lambda: self._caller)
        except Unauthenticated:
            await self.close(FORBIDDEN, "The token is not valid")
            return
        except UNREACHABLE:
            await self.close(TRY_AGAIN_LATER, "The database is unavailable. Try again later")
            return
        if self._is_closing:
            return
        if not self._sockets.enter(self, access):
            await self.close(
                TRY_AGAIN_LATER, f"At most {self._sockets.settings.sockets_per_token} sockets a token"
            )
            return
        self.access = access
        await self._say(messages.ACK)

    async def _subscribe(self, message: Subscribe) -> None:
        most = self._sockets.settings.subscriptions_per_socket
        if self.access is None:
            await self.close(UNAUTHORIZED, "Unauthorized")
        elif message.id in self._operations:
            await self.close(IN_USE, "An operation with this id is running")
        elif len(self._operations) >= most:
            error = ApiError("RATE_LIMITED", f"A socket runs at most {most} operations at a time.")
            await self._say(messages.errors(message.id, [error]))
        else:
            operation = self._operations[message.id] = _Operation()
            work = self._operate(message, operation, Context(self._sockets.services, self.access))
            operation.task = asyncio.create_task(work, name="operation")
            operation.task.add_done_callback(_log_failure)

    async def _operate(self, message: Subscribe, operation: _Operation, context: Context) -> None:
        """Run one operation to its end. Its failure does not stop the others on this socket."""
        last = messages.complete(message.id)
        try:
            with self._sockets.services.live.operation():
                await self._send_results(message, operation, context)
        except OperationRefused as refused:
            last = messages.errors(message.id, refused.errors)
        except LeftBehind:
            await self.close_as_slow()
        except _Gone:
            return
        except Exception as error:  # noqa: BLE001  # an edge: the error is logged, masked and sent
            last = messages.errors(message.id, [masked(error)])
        if self._operations.get(message.id) is operation:
            del self._operations[message.id]  # before the message: the client may use the id again at once
            with suppress(_Gone):
                await self._say(last)

    async def _send_results(self, message: Subscribe, operation: _Operation, context: Context) -> None:
        opening = messages.opening(message.id)

        def take(result: Result) -> bool:
            is_over = self._is_closing or self._operations.get(message.id) is not operation
            if is_over or not self._direct.try_send(f"{opening}{result.text}}}"):
                return False
            operation.cursor = result.cursor
            if result.on_sent is not None:
                result.on_sent()
            return True

        async with aclosing(self._sockets.subscriptions.run(message.request, context, take)) as results:
            async for result in results:
                if self._operations.get(message.id) is not operation:
                    return  # the client has completed it, and the cancellation was lost
                await self._say(f"{opening}{result.text}}}")
                if result.on_sent is not None:
                    result.on_sent()
                operation.has_result = True
                operation.cursor = result.cursor

    async def _say(self, text: str) -> None:
        """Send one message as soon as the client is ready for it. Raises _Gone."""
        if self._is_closing:
            raise _Gone
        if not self._sending:
            self._sending_since = self._sockets.now()
        self._sending += 1
        try:
            await self._send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError) as error:  # closed while this waited
            raise _Gone from error
        finally:
            self._sending -= 1
            self._sending_since = self._sockets.now()

    async def _end_operations(self) -> None:
        tasks = [it.task for it in self._operations.values() if it.task is not None]
        self._operations.clear()
        await end(*tasks)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("an operation on a socket failed", exc_info=error)
