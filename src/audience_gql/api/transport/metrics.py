"""/metrics: figures for Prometheus about all workspaces and about the connections of this process.

They contain nothing about single people. The amount of data and the errors are confidential all the same.
"""

from __future__ import annotations

import hmac
import ipaddress
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from audience_gql.api.context import Services
from audience_gql.api.transport.authorization import secret_of
from audience_gql.audience.access import Unauthenticated
from audience_gql.audience.acting import figures as acting
from audience_gql.audience.engine.auditor import metrics
from audience_gql.audience.webhooks import figures as webhooks
from audience_gql.storage.database import UNREACHABLE

_MEDIA_TYPE: Final = "text/plain; version=0.0.4"


async def metrics_page(request: Request) -> Response:
    """The page. 401 or 403 for a client that may not read it, and 503 while Postgres is away."""
    services: Services = request.state.services
    if refused := _refused(request, services.settings.metrics_token):
        return refused
    try:
        found = await metrics(ports=services.ports)
        found |= await acting.metrics(ports=services.ports)
        found |= await webhooks.metrics(ports=services.ports)
    except UNREACHABLE:
        return PlainTextResponse("Postgres does not answer\n", HTTPStatus.SERVICE_UNAVAILABLE)
    found["audience_live_connections"] = services.live.connections
    found["audience_live_operations"] = services.live.operations
    lines = (f"# TYPE {name} {_type(name)}\n{name} {value:.15g}\n" for name, value in found.items())
    return PlainTextResponse("".join(lines), media_type=_MEDIA_TYPE)


def _refused(request: Request, token: str) -> Response | None:
    if not token:
        if _is_local(request):
            return None
        message = "Set AUDIENCE_METRICS_TOKEN, and send it as `Authorization: Bearer …`\n"
        return PlainTextResponse(message, HTTPStatus.FORBIDDEN)
    try:
        given = secret_of(request.headers.get("authorization"))
    except Unauthenticated:
        given = ""
    if hmac.compare_digest(given.encode(), token.encode()):
        return None
    message = "Send AUDIENCE_METRICS_TOKEN as `Authorization: Bearer …`\n"
    return PlainTextResponse(message, HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})


def _is_local(request: Request) -> bool:
    """Whether the request comes from this machine and not through a proxy on it."""
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _type(name: str) -> str:
    return "counter" if name.endswith("_total") else "gauge"
