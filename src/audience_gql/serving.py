"""The web server around the app: its protocols for HTTP and websockets. draining.py ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn._types import ASGISendEvent
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.http11 import Request

from audience_gql.api.transport.attending import GONE
from audience_gql.api.transport.ports import MetricsPort, listen
from audience_gql.api.transport.replies import WHOLE, Header
from audience_gql.api.transport.requests import BODY
from audience_gql.api.transport.socket import DIRECT
from audience_gql.api.transport.sse import CUT_OFF
from audience_gql.config import Settings
from audience_gql.draining import DrainingServer

_UNREAD_MILLISECONDS: Final = 30_000
"""If the other end acknowledges nothing for this long, the kernel drops the connection and frees what waits to be sent."""

_GARBAGE: Final = (20_000, 20, 100)
"""Thresholds of the garbage collector, higher than Python's defaults: with many open sockets there are many live objects, and each full
collection blocks all clients (with the defaults, an eighth of the CPU time of delivering to 1,000 sockets)."""
_PARTING_SECONDS: Final = 5.0
"""How long to keep a connection open for reading after the close frame. If it closed while the client still sends, the client would
never read why."""
_TEXT: Final = 0x81
"""The first byte of a text frame in one piece."""
_SHORT: Final = 126
_LONG: Final = 0x10000
_MEDIUM_HEAD: Final = struct.Struct("!BBH")
_LONG_HEAD: Final = struct.Struct("!BBQ")


def serve(app: Starlette, *, host: str, port: int, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    gc.set_threshold(*_GARBAGE)
    ending = asyncio.Event()
    config = uvicorn.Config(
        cast("ASGIApp", _Front(app)),
        interface="asgi3",  # the library would not see it, because the function is no coroutine function
        proxy_headers=False,  # _Front reads them where they matter
        host=host,
        port=port,
        http=cast("type[asyncio.Protocol]", partial(_Http, seconds=settings.request_seconds, ending=ending)),
        log_config=None,  # its messages go where ours go
        log_level=max(  # never INFO, where uvicorn logs every socket
            logging.WARNING, logging.getLevelNamesMapping()[settings.log_level]
        ),
        ws=_Socket,
        ws_per_message_deflate=False,  # 37 KB a socket
        ws_ping_interval=None,  # graphql-transport-ws has its own pings
        ws_max_size=settings.frame_bytes,
        timeout_graceful_shutdown=int(settings.shutdown_seconds),
        server_header=False,
        access_log=False,
    )
    listening = config.bind_socket()
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
    sockets = (
        [listening]
        if settings.metrics_port is None
        else [listening, _for_metrics(config, settings.metrics_port)]
    )

    async def end_streams(state: Mapping[str, Any]) -> None:  # Any: what the lifespan has opened
        app.state.live.drained.set()
        await state["sockets"].drain()

    DrainingServer(config, ending=ending, end_streams=end_streams).run(sockets)


def _for_metrics(config: uvicorn.Config, port: int) -> socket.socket:
    """Move the metrics of the application to a port of their own. Returns the socket that listens there."""
    config.app = MetricsPort(cast("ASGIApp", config.app), port)
    return listen(config.host, port, "AUDIENCE_METRICS_PORT")


class _Front:
    """Leads a request to its application: directly by its path, if the app says so, or through the app's routes.

    Only the routes need the scheme that a proxy on this machine tells, for redirects.
    """

    def __init__(self, app: Starlette) -> None:
        self._direct: Mapping[str, ASGIApp] = app.state.direct
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")  # as the library does
        self._routes = cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", app), trusted))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        direct = self._direct.get(scope["path"]) if scope["type"] == "http" else None
        return (direct or self._routes)(scope, receive, send)


class _Http(HttpToolsProtocol):
    """Limits how long to wait for the head of a request, and for the rest of a body that nobody reads any more.

    The library waits for both as long as a byte arrives now and then. The application itself limits the bodies that it reads.
    """

    def __init__(
        self, config: uvicorn.Config, *, seconds: float, ending: asyncio.Event, **given: Any
    ) -> None:  # Any: the server's own state
        super().__init__(config, **given)
        self._seconds = seconds
        self._ending = ending
        self._deadline: asyncio.TimerHandle | None = None
        self._on_gone: Callable[[], None] | None = None

    def tell_gone(self, on_gone: Callable[[], None] | None) -> None:
        """As in TellGone. One function is enough: the requests of a connection run one after another."""
        self._on_gone = on_gone

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the library
        super().connection_made(transport)
        self._expect_more()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:  # the head has not arrived yet
            self._expect_more()

    def on_headers_complete(self) -> None:
        self._expect_nothing()
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            if self._ending.is_set():
                self.cycle.keep_alive = False
            exchange = _Exchange(self.cycle)
            self.scope["extensions"] = {
                CUT_OFF: {"now": exchange.cut_off},
                WHOLE: {"send": exchange.send_whole},
                GONE: {"tell": self.tell_gone},
                BODY: {"take": exchange.take_body},
            }

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._expect_nothing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._expect_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)
        if self._on_gone is not None:
            self._on_gone()

    def _expect_more(self) -> None:
        is_ours = not self.transport.is_closing() and self.transport.get_protocol() is self
        if self._deadline is None and is_ours:  # after an upgrade, it is a socket's
            self._deadline = self.loop.call_later(self._seconds, self.transport.close)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Exchange:
    """What an application can do with one request that ASGI does not offer."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def cut_off(self) -> None:
        """Close the connection at once, whatever the client has read."""
        self._cycle.disconnected = True  # or else the library logs the missing end of the answer as our error
        self._cycle.transport.abort()

    def take_body(self) -> bytes | None:
        """As in TakeBody."""
        cycle = self._cycle
        if cycle.more_body or cycle.disconnected or cycle.response_complete or cycle.waiting_for_100_continue:
            return None
        body = bytes(cycle.body)
        cycle.body = bytearray()
        cycle.flow.resume_reading()
        cycle.message_event.clear()
        return body

    def send_whole(self, headers: Sequence[Header], body: bytes, more: bytes = b"") -> bool:
        """As in SendWhole."""
        cycle = self._cycle
        if cycle.disconnected or cycle.response_started or cycle.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        lines = [b"HTTP/1.1 200 OK\r\n"]
        for name, value in cycle.default_headers:
            lines += (name, b": ", value, b"\r\n")
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
        lines += (more, b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n", body)
        cycle.transport.write(b"".join(lines))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True


class _Socket(WebSocketsSansIOProtocol):
    """Writes text frames directly, and can close a connection whose client does not read.

    The library builds an object per frame, which costs more than the rest of a delivery. Before it closes, it waits until the client
    has read everything that was sent. If a client breaks the protocol, the library closes the connection at once, so that a client
    that is still sending never reads why.
    """

    def data_received(self, data: bytes) -> None:
        if self.conn.parser_exc is None:  # otherwise the connection is closing
            super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(b"".join(self.frames)):
            self.conn.fail(CloseCode.INVALID_DATA, "Messages are UTF-8")
            self.handle_parser_exception()  # the library would log it as our error, with a traceback
            return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        close = self.conn.close_sent
        assert close is not None  # noqa: S101  # the library's own
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_timer = self.loop.call_later(_PARTING_SECONDS, self.transport.close)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            extensions = cast("dict[str, object]", self.scope["extensions"])
            extensions[DIRECT] = self  # the application has not started yet

    def try_send(self, text: str) -> bool:
        """As in Direct."""
        if not self.writable.is_set() or self.disconnected or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(_frame(text))
        return True

    def force_send(self, text: str) -> None:
        """As in Direct."""
        if not self.close_sent:
            self.transport.write(_frame(text))

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.send" and self.handshake_complete:
            await self._send_text(cast("str", message.get("text")))
            return
        if message["type"] == "websocket.close" and self.handshake_complete and not self.close_sent:
            self.writable.set()
            self.loop.call_later(self.close_timeout, self.transport.abort)
        await super().send(message)

    async def _send_text(self, text: str) -> None:
        if not self.writable.is_set():
            await self.writable.wait()
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        self.transport.write(_frame(text))


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _frame(text: str) -> bytes:
    """A complete text frame from a server: unmasked and without extensions."""
    payload = text.encode()
    length = len(payload)
    if length < _SHORT:
        head = bytes((_TEXT, length))
    elif length < _LONG:
        head = _MEDIUM_HEAD.pack(_TEXT, _SHORT, length)
    else:
        head = _LONG_HEAD.pack(_TEXT, _SHORT + 1, length)
    return head + payload
