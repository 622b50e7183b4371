"""The headers of every HTTP response of the API, and the origins whose pages may read it.

It must not depend on the response's content.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audience_gql.api.errors import REQUEST_ID

_REQUEST_ID: Final = "x-request-id"
_GIVEN: Final = re.compile(r"[\w.:=+/-]{1,100}", re.ASCII)
"""The form of an id that a proxy or client may give. It is safe to write into a log."""
_ASKED_WITH: Final = ("Authorization", "Content-Type", "If-Range", "Last-Event-ID", "Range", "X-Request-Id")
_READ_FROM: Final = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Retry-After",
    "X-Request-Id",
)


def for_pages(app: ASGIApp, *, origins: Collection[str], methods: Collection[str]) -> ASGIApp:
    """An application whose responses pages of these origins may read. Cookies are not allowed: the token is in a header."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=methods,
        allow_headers=_ASKED_WITH,
        expose_headers=_READ_FROM,
    )


class Answers:
    """An application whose responses no cache stores and whose media type no browser guesses. Each has an id.

    The id is the request's `X-Request-Id`, or a new one. The server's log names it with every error of the request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get(_REQUEST_ID, "")
        request_id = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("cache-control", "no-store")
                headers["x-content-type-options"] = "nosniff"
                headers[_REQUEST_ID] = request_id
            await send(message)

        REQUEST_ID.set(request_id)
        await self._app(scope, receive, answer)
