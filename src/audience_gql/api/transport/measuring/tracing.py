"""Gives each GraphQL request over HTTP a span. It is a part of the application only if the process writes spans."""

from __future__ import annotations

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audience_gql.telemetry.tracing import Tracing

_CARRIED: Final = {b"traceparent": "traceparent", b"tracestate": "tracestate"}
_ACCEPT: Final = b"accept"
_STREAM: Final = b"text/event-stream"


class Traced:
    """An application whose requests have spans. A stream has none, because it may last for days; its results have their own."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        headers: dict[str, str] | None = None
        for name, value in scope["headers"]:
            if name in _CARRIED:
                headers = {**(headers or {}), _CARRIED[name]: value.decode("latin-1")}
            elif name == _ACCEPT and _STREAM in value:
                return self._app(scope, receive, send)
        if headers is None and not self._tracing.is_sampled():
            return self._app(scope, receive, send)
        return self._with_span(headers, scope, receive, send)

    async def _with_span(
        self, headers: dict[str, str] | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        with self._tracing.request(attributes, headers) as span:
            status: int | None = None

            async def note(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            await self._app(scope, receive, note)
            # A response that is sent whole, past these messages, has always this status.
            span.set_attribute("http.response.status_code", HTTPStatus.OK if status is None else status)
