"""The headers of every HTTP response of the API, and the origins whose pages may read it.

It must not depend on the response's content.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from random import getrandbits
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audience_gql.api.errors import REQUEST_ID
from audience_gql.api.transport.replies import WHOLE, Header, send_whole

_REQUEST_ID: Final = b"x-request-id"
_CACHE_CONTROL: Final = b"cache-control"
_NOT_STORED: Final[Header] = (_CACHE_CONTROL, b"no-store")
_NOT_GUESSED: Final[Header] = (b"x-content-type-options", b"nosniff")
_GIVEN: Final = re.compile(rb"[\w.:=+/-]{1,100}")
"""The form of an id that a proxy or client may give. It is safe to write into a log."""
_ASKED_WITH: Final = ("Authorization", "Content-Type", "If-Range", "Last-Event-ID", "Range", "X-Request-Id")
_READ_FROM: Final = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
)


def for_pages(app: ASGIApp, *, origins: Collection[str], methods: Collection[str]) -> ASGIApp:
    """An application whose responses pages of these origins may read. Cookies are not allowed: the token is in a header."""
    if not origins:
        return app
    return _ByMessages(
        CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=methods,
            allow_headers=_ASKED_WITH,
            expose_headers=_READ_FROM,
        )
    )


class _ByMessages:
    """An application that sends its responses by ASGI messages, for middleware that changes these."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.get("extensions", {}).pop(WHOLE, None)
        await self._app(scope, receive, send)


class Answers:
    """An application whose responses no cache stores and whose media type no browser guesses. Each has an id.

    The id is the request's `X-Request-Id`, or a new one. The server's log names it with every error of the request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = next((value for name, value in scope["headers"] if name == _REQUEST_ID), b"")
        request_id = given if _GIVEN.fullmatch(given) else f"{getrandbits(64):016x}".encode()

        def complete(headers: Sequence[Header]) -> list[Header]:
            stored = () if any(name == _CACHE_CONTROL for name, _ in headers) else (_NOT_STORED,)
            return [*headers, *stored, _NOT_GUESSED, (_REQUEST_ID, request_id)]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = complete(message["headers"])
            await send(message)

        whole = send_whole(scope)
        if whole is not None:
            scope["extensions"][WHOLE] = {"send": lambda headers, body: whole(complete(headers), body)}
        REQUEST_ID.set(request_id.decode())
        await self._app(scope, receive, answer)
