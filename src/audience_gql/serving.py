"""The web server around the app: it answers what it has accepted, and takes nothing more, once it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Final, cast

import uvicorn
from starlette.applications import Starlette
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from audience_gql.config import Settings

_QUEUE_SECONDS: Final = 0.1
_ON_ITS_WAY_SECONDS: Final = 0.5
_UNREAD_MILLISECONDS: Final = 30_000
"""After so long without a byte taken by the other end, the kernel gives a connection up, and what waits to be sent is freed."""


def serve(app: Starlette, *, host: str, port: int, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        ws=_Socket,
        ws_per_message_deflate=False,  # 37 KB a socket
        ws_ping_interval=None,  # the protocol above has pings of its own
        ws_max_size=settings.frame_bytes,
        timeout_graceful_shutdown=int(settings.shutdown_seconds),
        server_header=False,
    )
    listening = config.bind_socket()
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
    _DrainingServer(config, app.state.live.drained).run([listening])


class _Socket(WebSocketsSansIOProtocol):
    """Closes on a client who does not read as well: the library waits until he has taken what was sent before."""

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close" and self.handshake_complete and not self.close_sent:
            for text in cast("Iterable[str]", message.get("last_words", ())):
                self.conn.send_text(text.encode())
            self.writable.set()
            self.loop.call_later(self.close_timeout, self.transport.abort)
        await super().send(message)


class _DrainingServer(uvicorn.Server):
    """A connection may have been made before the signal, and its request be on its way: it is waited for.

    The server as it comes closes whatever is idle at that instant, and resets what waits in the socket's queue.
    """

    def __init__(self, config: uvicorn.Config, drained: asyncio.Event) -> None:
        super().__init__(config)
        self._drained = drained

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in sockets or ():
            listening.listen(0)  # the queue takes nobody new, and is emptied
        await asyncio.sleep(_QUEUE_SECONDS)
        for server in self.servers:
            server.close()
        await asyncio.sleep(_ON_ITS_WAY_SECONDS)
        self._drained.set()
        await self.lifespan.state["sockets"].drain()
        await super().shutdown(sockets)
