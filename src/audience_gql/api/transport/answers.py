"""What every HTTP answer of the API carries, and which pages of other origins may read it.

It must not know what is answered.
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
"""What a proxy's or client's own id may look like, so that it can be written into a log as it is."""
_ASKED_WITH: Final = ("Authorization", "Content-Type", "Last-Event-ID", "X-Request-Id")
_READ_FROM: Final = ("Retry-After", "X-Request-Id")


def for_pages(app: ASGIApp, *, origins: Collection[str], methods: Collection[str]) -> ASGIApp:
    """An application whose answers pages of these origins may read. Credentials are never sent along: a token is in a header."""
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
    """An application whose answers are kept by no cache, are taken for what they say they are, and have an id.

    The id is the request's `X-Request-Id`, or a new one. What is logged for the request names it.
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
