"""A complete response over HTTP, in one piece. Streams are sent by sse.py."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from starlette.types import Receive, Scope, Send

from audience_gql.api.transport.exchange import Exchange, Header, exchange_of

_OK: Final = int(HTTPStatus.OK)


def as_lines(headers: Iterable[Header]) -> bytes:
    """Headers as they are sent over HTTP."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


@lru_cache(8)
def _content_type(media_type: str) -> Header:
    return b"content-type", f"{media_type}; charset=utf-8".encode("latin-1")


class Reply:
    """A response that is an ASGI application, as Starlette's are, with less work for each."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes, media_type: str, headers: Iterable[Header] = ()) -> None:
        self.status = status
        self.body = body
        self.headers = [
            (b"content-length", b"%d" % len(body)),
            _content_type(media_type),
            *headers,
        ]

    @classmethod
    def without_body(cls, status: int, headers: Iterable[Header]) -> Reply:
        """A response of a status that allows no body, with these headers only."""
        reply = cls(status, b"", "")
        reply.headers = [*headers]
        return reply

    def send_now(self, exchange: Exchange | None) -> bool:
        """Send it in one piece, if that is possible. Otherwise call it."""
        return self.status == _OK and exchange is not None and exchange.send_whole(self.headers, self.body)

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        if self.send_now(exchange_of(scope)):
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})
