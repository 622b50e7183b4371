"""GraphQL over websockets, by graphql-transport-ws: the library's protocol, with doors that hold.

A message that is not of the protocol closes the socket with a code that says so; a token is looked at again and again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from audience_gql.api.authorization import RECHECK_SECONDS, secret_of
from audience_gql.api.context import Context, Services
from audience_gql.api.errors import ApiError
from audience_gql.api.schema import Schema
from audience_gql.api.wire import Unreadable, decode, encode
from audience_gql.audience.access import Access, Unauthenticated
from audience_gql.storage.database import UNREACHABLE

BAD_REQUEST: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
TOO_MANY: Final = 4429
TRY_AGAIN_LATER: Final = 1013

logger = logging.getLogger(__name__)


class _Frames(ASGIWebSocketAdapter):
    """JSON in text frames. Whoever writes to a socket that is gone, learns it in one way."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:  # noqa: ARG002  # the library's signature
        while self.ws.application_state is WebSocketState.CONNECTED:
            frame = await self.ws.receive()
            if frame["type"] != "websocket.receive":
                return
            text = frame.get("text")
            if text is None:
                raise NonTextMessageReceived
            try:
                yield decode(text)
            except Unreadable as error:
                raise NonJsonMessageReceived from error

    async def send_json(self, message: Mapping[str, object]) -> None:
        if self.ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected
        try:
            await self.ws.send_text(encode(message).decode())
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            await self.ws.close(code, reason)


class _Connection(BaseGraphQLTransportWSHandler[Context | None, None]):
    """One socket."""

    view: Sockets
    _access: Access | None = None
    _watch: asyncio.Task[None] | None = None

    async def handle_message(self, message: Message) -> None:
        if problem := _problem(message):
            await self.handle_invalid_message(problem)
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        if self.connection_timed_out:
            return
        if self.connection_init_received:
            await self.websocket.close(TOO_MANY, "Too many initialisation requests")
            return
        self.connection_init_received = True
        try:
            secret = secret_of((message.get("payload") or {}).get("authorization"))
        except Unauthenticated:
            await self.websocket.close(UNAUTHORIZED, 'Send {"authorization": "Bearer agq_…"}')
            return
        await self._enter(secret)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        most = self.view.services.settings.subscriptions_per_socket
        if (
            len(self.operations) < most
            or message["id"] in self.operations
            or not self.connection_acknowledged
        ):
            await super().handle_subscribe(message)
            return
        error = ApiError("RATE_LIMITED", f"A socket runs at most {most} operations at a time.")
        await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})

    async def run_operation(self, operation: Operation[Context | None, None]) -> None:
        with self.view.services.live.operation():
            await super().run_operation(operation)

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):
            logger.error("a socket's task failed", exc_info=error)

    async def shutdown(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._access is not None:
            self.view.services.live.leave(self._access.token.id)
        await super().shutdown()

    async def _enter(self, secret: str) -> None:
        doorkeeper = self.view.services.doorkeeper
        try:
            access = await doorkeeper.authenticate(secret)
        except Unauthenticated:
            await self.websocket.close(FORBIDDEN, "The token is not good")
            return
        except UNREACHABLE:
            await self.websocket.close(TRY_AGAIN_LATER, "The database is away for the moment")
            return
        if not self.view.services.live.enter(access.token.id):
            await self.websocket.close(TOO_MANY, "Too many sockets for this token")
            return
        self._access = access
        self.context = Context(self.view.services, access)
        self._watch = asyncio.create_task(self._keep_checking(secret, self.context), name="token watch")
        self._watch.add_done_callback(_log_failure)
        await self.send_message({"type": "connection_ack"})
        self.connection_acknowledged = True

    async def _keep_checking(self, secret: str, context: Context) -> None:
        """Look at the token again and again, and close when it is no longer good. Postgres being away changes nothing."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                context.access = await self.view.services.doorkeeper.authenticate(secret)
            except Unauthenticated:
                await self.websocket.close(FORBIDDEN, "The token is no longer good")
                return
            except UNREACHABLE:
                continue


class Sockets(GraphQL[Context | None, None]):
    """The websockets of one process."""

    websocket_adapter_class = _Frames

    def __init__(self, schema: Schema, services: Services) -> None:
        self.graphql_transport_ws_handler_class = _Connection
        self.services = services
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=services.settings.socket_init_seconds),
            max_subscriptions_per_connection=None,
        )

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> None:
        """Nothing yet: who is asking comes with the first message."""


def _problem(message: object) -> str | None:
    """What keeps a message from being one of the protocol, if anything."""
    if not isinstance(message, dict):
        return "A message is an object"
    if not isinstance(message.get("payload") or {}, dict):
        return "A payload is an object"
    match message.get("type"):
        case "connection_init" | "ping" | "pong":
            return None
        case "complete":
            return None if _is_id(message.get("id")) else "An operation needs an id"
        case "subscribe":
            return _problem_of_subscribe(message)
    return "Unknown type of message"


def _problem_of_subscribe(message: Mapping[str, Any]) -> str | None:  # Any: JSON
    payload = message.get("payload") or {}
    if not _is_id(message.get("id")):
        return "An operation needs an id"
    if not isinstance(payload.get("query"), str):
        return "A subscribe needs a query"
    if not isinstance(payload.get("variables") or {}, dict):
        return "Variables are an object"
    return None if isinstance(payload.get("operationName") or "", str) else "An operation's name is a text"


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("a socket's token is no longer looked at", exc_info=error)
