"""Runs the web server around the app. draining.py ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, Final, cast

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from audience_gql.api.transport.listening import bound, listen
from audience_gql.api.transport.measuring.metrics_port import MetricsPort
from audience_gql.config import Settings
from audience_gql.draining import DrainingServer
from audience_gql.serving.http_protocol import HttpProtocol, Limits
from audience_gql.serving.socket_protocol import SocketProtocol

_UNREAD_MILLISECONDS: Final = 30_000
"""If the other end acknowledges nothing for this long, the kernel drops the connection and frees what waits to be sent."""

_GARBAGE: Final = (20_000, 20, 100)
"""Thresholds of the garbage collector, higher than Python's defaults: with many open sockets there are many live objects, and each full
collection blocks all clients (with the defaults, an eighth of the CPU time of delivering to 1,000 sockets)."""


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
        http=cast(
            "type[asyncio.Protocol]",
            partial(HttpProtocol, limits=Limits(request_seconds=settings.request_seconds), ending=ending),
        ),
        log_config=None,  # its messages go where ours go
        log_level=max(  # never INFO, where uvicorn logs every socket
            logging.WARNING, logging.getLevelNamesMapping()[settings.log_level]
        ),
        ws=SocketProtocol,
        ws_per_message_deflate=False,  # 37 KB a socket
        ws_ping_interval=None,  # graphql-transport-ws has its own pings
        ws_max_size=settings.frame_bytes,
        timeout_graceful_shutdown=int(settings.shutdown_seconds),
        server_header=False,
        access_log=False,
    )
    listening = bound(host, port, f"{host} port")
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
