"""GraphQL over server-sent events: one operation per request ("distinct connections"). Each result is sent as soon as it exists.

When the server ends a stream, it sends the reason and the cursor from which to continue. requests.py reads the request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from graphql import GraphQLError
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.types import ExecutionResult

from audience_gql.api.context import Context, Services
from audience_gql.api.errors import RETRY_AFTER_SECONDS, ApiError, masked
from audience_gql.api.operations.operation_requests import OperationRefused, OperationRequest
from audience_gql.api.transport.authorization import refusal, secret_of
from audience_gql.api.transport.exchange import Header, cut_off
from audience_gql.api.transport.replies import Reply
from audience_gql.api.transport.requests import EVENT_STREAM, Request, RequestRefused
from audience_gql.api.transport.results import only_errors, result_of
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from audience_gql.audience.access import Access
from audience_gql.audience.log.broadcast import LeftBehind
from audience_gql.audience.log.shared_execution import Result
from audience_gql.audience.tasks import end

_HEADERS: Final[Sequence[Header]] = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
_MEDIA_TYPE: Final[Header] = (b"content-type", f"{EVENT_STREAM}; charset=utf-8".encode())
_COMPLETE: Final = b"event: complete\ndata:\n\n"
_HEARTBEAT: Final = b":\n\n"
_PARTING_SECONDS: Final = 5.0
"""How long to wait for a client that does not read to take its last result."""

logger = logging.getLogger(__name__)


def single(result: ExecutionResult) -> Reply:
    """The stream of a query or mutation: its one result."""
    body = _next(result_of(result.data, result.errors, extensions=result.extensions).text, "1") + _COMPLETE
    return Reply(HTTPStatus.OK, body, EVENT_STREAM, _HEADERS)


def subscribe(
    request: Request,
    operation: OperationRequest,
    subscriptions: Subscriptions,
    services: Services,
    access: Access,
) -> ASGIApp:
    """The stream of a subscription. Raises RequestRefused if the token has too many connections."""
    if not services.live.enter(access.token.id):
        most = services.settings.sockets_per_token
        error = ApiError("RATE_LIMITED", f"A token has at most {most} sockets and streams at a time.")
        raise RequestRefused(HTTPStatus.TOO_MANY_REQUESTS, error, Retry_After=str(RETRY_AFTER_SECONDS))
    context = Context(services, access, request.header(b"last-event-id") or None)
    watching = partial(
        refusal,
        services.doorkeeper,
        secret_of(request.header(b"authorization")),
        request.asked(services.settings),
    )
    return _Stream(operation, subscriptions, context, watching)


class _Gone(Exception):
    """The client has closed the connection."""


class _TooSlow(Exception):
    """The client does not read."""


class _Events:
    """Writes the events of one client. It never writes faster than the client reads, so that nothing piles up."""

    def __init__(self, send: Send, cut_off: Callable[[], None], *, slow_seconds: float) -> None:
        self._send = send
        self._cut_off = cut_off
        self._slow_seconds = slow_seconds
        self._results = 0
        self._cursor = ""

    async def begin(self) -> None:
        headers = [*_HEADERS, _MEDIA_TYPE]
        await self._send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})

    async def next(self, result: Result) -> None:
        """A result. The event's id is its cursor, or its number if it has none."""
        self._results += 1
        await self._write_in_time(_next(result.text, result.cursor or str(self._results)))
        if result.on_sent is not None:
            result.on_sent()
        self._cursor = result.cursor

    async def heartbeat(self) -> None:
        """A comment, which keeps the connection open and detects a client that has gone."""
        await self._write_in_time(_HEARTBEAT)

    async def complete(self) -> None:
        await self._write_in_time(_COMPLETE, is_last=True)

    async def part(self, reason: GraphQLError) -> None:
        """The reason for the end, to a client that may not be reading. The connection is cut if it is not read in time."""
        if self._cursor and reason.extensions is not None:
            reason.extensions["cursor"] = self._cursor
        try:
            async with asyncio.timeout(_PARTING_SECONDS):
                last = only_errors([reason], self._cursor).text
                await self._write(_next(last, self._cursor or str(self._results + 1)))
                await self._write(_COMPLETE, is_last=True)
        except (TimeoutError, _Gone):
            logger.info("cut the connection of a client that does not read")
            self._cut_off()

    async def _write_in_time(self, content: bytes, *, is_last: bool = False) -> None:
        try:
            async with asyncio.timeout(self._slow_seconds):
                await self._write(content, is_last=is_last)
        except TimeoutError as error:
            raise _TooSlow from error

    async def _write(self, content: bytes, *, is_last: bool = False) -> None:
        try:
            await self._send({"type": "http.response.body", "body": content, "more_body": not is_last})
        except OSError as error:
            raise _Gone from error


class _Stream:
    """An ASGI application that sends results until they end, the client goes, or the server must end the stream."""

    def __init__(
        self,
        operation: OperationRequest,
        subscriptions: Subscriptions,
        context: Context,
        refused: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._operation = operation
        self._subscriptions = subscriptions
        self._context = context
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        services = self._context.services
        events = _Events(send, partial(cut_off, scope), slow_seconds=services.settings.slow_client_seconds)
        try:
            with services.live.operation():
                await events.begin()
                reason = await self._run(events, receive)
            if reason is not None:
                await events.part(reason)
        finally:
            services.live.leave(self._context.access.token.id)

    async def _run(self, events: _Events, receive: Receive) -> GraphQLError | None:
        """Send until something ends the stream. Returns the reason if the client must learn it."""
        services = self._context.services
        away = ApiError(
            "UNAVAILABLE", "This server is stopping. Continue on another one.", retryAfter=RETRY_AFTER_SECONDS
        )
        reasons: dict[asyncio.Task[Any], GraphQLError | None] = {  # Any: their results are not used
            _task(self._send_results(events)): None,
            _task(_departure(receive)): None,
            _task(_heartbeats(events, services.settings.stream_heartbeat_seconds)): None,
            _task(services.live.drained.wait()): away,
            _task(self._refused()): ApiError("UNAUTHENTICATED", "The token is no longer valid."),
        }
        try:
            done, _ = await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(*reasons)
        for task in done:
            match task.exception():
                case None | _Gone():
                    pass
                case _TooSlow() | LeftBehind():
                    return ApiError("SLOW_CLIENT", "The client reads too slowly. Continue from `cursor`.")
                case Exception() as error:  # the edge of streams: the error is logged, masked and sent
                    return masked(error)
        return next((reasons[task] for task in reasons if task in done), None)

    async def _send_results(self, events: _Events) -> None:
        try:
            async with aclosing(self._subscriptions.run(self._operation, self._context)) as results:
                async for result in results:
                    await events.next(result)
        except OperationRefused as error:
            await events.next(only_errors(error.errors))
        await events.complete()


def _task(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:  # Any: a coroutine's types
    return asyncio.create_task(work, name="stream")


async def _departure(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _heartbeats(events: _Events, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await events.heartbeat()


def _next(text: str, id_: str) -> bytes:
    return f"event: next\nid: {id_}\ndata: {text}\n\n".encode()
