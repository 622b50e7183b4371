"""What pages of other origins may do (CORS): those of AUDIENCE_ALLOWED_ORIGINS send requests and read the responses, all others read nothing.

Cookies are never allowed, because the API has none: a page sends the token in a header.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from http import HTTPStatus
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audience_gql.api.transport.exchange import Header, Lines, exchange_of
from audience_gql.api.transport.replies import as_lines

_ASKED_WITH: Final = (
    "Authorization",
    "Content-Type",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Prefer",
    "Range",
    "X-Request-Id",
)
"""The headers that a page may send, besides those that every page may."""
_READ_FROM: Final = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Replica-Lag",
    "Retry-After",
    "X-Request-Id",
)
"""The headers that a page may read, besides those that every page may."""
_VARY: Final[Header] = (b"vary", b"Origin")
_REMEMBERED_SECONDS: Final = 600
"""How long a browser may remember the answer to a preflight."""


def for_pages(app: ASGIApp, *, origins: Collection[str], methods: Collection[str]) -> ASGIApp:
    """An application that pages of these origins may call with these methods, and whose responses they may read."""
    return _ForPages(app, origins=origins, methods=methods)


class _ForPages:
    def __init__(self, app: ASGIApp, *, origins: Collection[str], methods: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)
        self._methods = ", ".join(methods)
        self._exposed: Header = (b"access-control-expose-headers", ", ".join(_READ_FROM).encode())

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return (self._answer if self._origins else self._app)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if scope["method"] == "OPTIONS" and origin is not None:
            await self._preflight(origin)(scope, receive, send)
            return
        # Also for a request without an origin: a cache must not give its response to a page that may read nothing, or may.
        added: tuple[Header, ...] = (_VARY,)
        if origin is not None and origin.lower() in self._origins:
            added = ((b"access-control-allow-origin", origin), self._exposed, _VARY)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        exchange = exchange_of(scope)
        if exchange is not None:
            exchange.lines = _with(exchange.lines, as_lines(added))
        await self._app(scope, receive, answer)

    def _preflight(self, origin: bytes) -> ASGIApp:
        """The answer to a browser that asks whether a page may send a request."""
        vary = {"Vary": "Origin"}
        if origin.lower() not in self._origins:
            return PlainTextResponse(
                "This origin is not in AUDIENCE_ALLOWED_ORIGINS\n", HTTPStatus.BAD_REQUEST, vary
            )
        told = {
            "Access-Control-Allow-Origin": origin.decode("latin-1"),
            "Access-Control-Allow-Methods": self._methods,
            "Access-Control-Allow-Headers": ", ".join(_ASKED_WITH),
            "Access-Control-Max-Age": str(_REMEMBERED_SECONDS),
        }
        return PlainTextResponse("", headers={**told, **vary})


def _with(others: Lines | None, added: bytes) -> Lines:
    """The lines of others, and these."""
    return lambda headers: added if others is None else added + others(headers)
