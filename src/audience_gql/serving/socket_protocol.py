"""The protocol of one websocket: how its frames are written, and how it closes."""

from __future__ import annotations

import struct
from http import HTTPStatus
from typing import Final, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.http11 import Request

from audience_gql.api.transport.streaming.socket import DIRECT

_PARTING_SECONDS: Final = 5.0
"""How long to keep a connection open for reading after the close frame. If it closed while the client still sends, the client would
never read why."""
_TEXT: Final = 0x81
"""The first byte of a text frame in one piece."""
_SHORT: Final = 126
_LONG: Final = 0x10000
_MEDIUM_HEAD: Final = struct.Struct("!BBH")
_LONG_HEAD: Final = struct.Struct("!BBQ")


class SocketProtocol(WebSocketsSansIOProtocol):
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
