"""/metrics of a worker, on a port of its own: what this process measures. The web processes have the figures about all workspaces."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from audience_gql.api.transport.measuring.metrics import page, refusal
from audience_gql.api.transport.measuring.metrics_port import METRICS_PATH
from audience_gql.telemetry.metrics import WORKER


async def serve_metrics(listening: socket.socket, *, token: str, figures: Callable[[], Collector]) -> None:
    """Answer requests until cancelled. Without a token, only those from this machine."""

    async def answer(request: Request) -> Response:
        return refusal(request, token) or page(request, figures(), WORKER)

    app = Starlette(routes=[Route(METRICS_PATH, answer, methods=["GET"])])
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listening]), name="serving metrics")
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """A server that leaves the signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
