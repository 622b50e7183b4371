"""Keeps /metrics on a port of its own: that port answers nothing else, and the other one of a web process everything else."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from audience_gql.api.transport.answers import Answers

METRICS_PATH: Final = "/metrics"
_NOTHING_HERE: Final = Answers(PlainTextResponse("Not Found", HTTPStatus.NOT_FOUND))


class MetricsPort:
    """An application that listens on two ports, one of which is for the metrics."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and self._is_elsewhere(scope):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close"})
            else:
                await _NOTHING_HERE(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_elsewhere(self, scope: Scope) -> bool:
        """Whether the other port has this path."""
        _, port = scope["server"] or (None, None)
        return (port == self._port) is not (scope["path"] == METRICS_PATH)
