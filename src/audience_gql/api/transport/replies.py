"""A complete response over HTTP, in one piece. Streams are sent by sse.py."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from starlette.types import Receive, Scope, Send

Header: TypeAlias = tuple[bytes, bytes]
"""A name in lower case, and a value."""


class Reply:
    """A response that is an ASGI application, as Starlette's are, with less work for each."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes, media_type: str, headers: Iterable[Header] = ()) -> None:
        self.status = status
        self.body = body
        self.headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", f"{media_type}; charset=utf-8".encode("latin-1")),
            *headers,
        ]

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})
