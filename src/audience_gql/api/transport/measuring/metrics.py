"""/metrics of a web process: figures about all workspaces, and what this process measures.

They contain nothing about single people. The amount of data and the errors are confidential all the same.
"""

from __future__ import annotations

import hmac
import ipaddress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from audience_gql.api.transport.authorization import secret_of
from audience_gql.audience.access import Unauthenticated
from audience_gql.audience.acting import figures as acting
from audience_gql.audience.engine.auditor import metrics
from audience_gql.audience.webhooks import figures as webhooks
from audience_gql.storage.postgres.database import UNREACHABLE
from audience_gql.storage.postgres.pool import PoolUse
from audience_gql.storage.postgres.replica import Replica
from audience_gql.telemetry.exposition import Figures, written
from audience_gql.telemetry.metrics import WEB

if TYPE_CHECKING:  # a worker, which has no schema, does not load the GraphQL library for this type
    from audience_gql.api.context import Services

_POOLS: Final = {
    "audience_pool_connections": "Open connections to Postgres, by pool: `lent` or `idle`.",
    "audience_pool_most_connections": "The most connections that a pool opens.",
    "audience_pool_waiting": "Callers that wait for a connection of a pool.",
}
_WORKER: Final = {
    "audience_buckets_ticking": "Buckets that this worker ticks at present.",
    "audience_buckets_waiting": "Buckets that wait for a tick of this worker.",
}
_HELP: Final = {
    **_POOLS,
    "audience_audited_slices_total": "Slices of memberships that were audited since the installation.",
    "audience_audited_people_total": "People in these slices.",
    "audience_wrong_memberships_total": "Memberships that the auditor found wrong and repaired. It should stay at 0.",
    "audience_last_audit_timestamp_seconds": "When a slice was last audited, in seconds since 1970; 0 if never.",
    "audience_marks_waiting": "Marks that wait for a tick, counted up to 100,000.",
    "audience_fills_waiting": "Segments in the queue of fills.",
    "audience_workers_alive": "Workers with a heartbeat in the last seconds.",
    "audience_runs_waiting": "Runs of automations that wait for the end of a hold.",
    "audience_runs_done_last_hour": "Runs that were completed within the last hour.",
    "audience_runs_cancelled_last_hour": "Runs that were cancelled within the last hour.",
    "audience_runs_skipped_last_hour": "Runs that were skipped within the last hour.",
    "audience_runs_failed_last_hour": "Runs that failed within the last hour.",
    "audience_runs_cut_off_last_hour": "Runs that were cut off as loops within the last hour.",
    "audience_acting_lag_seconds": "The age of the oldest change that an automation has not read.",
    "audience_deliveries_waiting": "Webhook messages that wait for an attempt.",
    "audience_deliveries_delivered_last_hour": "Webhook messages that were delivered within the last hour.",
    "audience_deliveries_failed_last_hour": "Webhook messages that failed for good within the last hour.",
    "audience_deliveries_dropped_last_hour": "Webhook messages that were dropped within the last hour.",
    "audience_oldest_waiting_delivery_seconds": "The age of the oldest webhook message that waits.",
    "audience_live_connections": "Open sockets and streams of this web process.",
    "audience_live_operations": "Operations that run on these sockets and streams.",
    "audience_operations_running": "Queries and mutations that run in this web process, by queue: `all`, or those that are `heavy`.",
    "audience_operations_waiting": "Queries and mutations that wait for a place, by queue.",
    "audience_replica_lag_seconds": "How far the replica is behind, as this web process last knew it.",
    "audience_replica_usable": "Whether the replica answers (1) or not (0): it may be away or too far behind.",
    "audience_replica_queries_total": "Queries of clients that prefer the replica, by who answered: `replica` or `primary`.",
}


async def metrics_page(request: Request) -> Response:
    """The page. 401 or 403 for a client that may not read it, and 503 while Postgres is away."""
    services: Services = request.state.services
    token = services.settings.metrics_token
    if refused := refusal(request, token):
        return refused
    try:
        found = await metrics(ports=services.ports)
        found |= await acting.metrics(ports=services.ports)
        found |= await webhooks.metrics(ports=services.ports)
    except UNREACHABLE:
        return PlainTextResponse("Postgres does not answer\n", HTTPStatus.SERVICE_UNAVAILABLE)
    figures = Figures(_HELP)
    for name, value in found.items():
        figures.add(name, value)
    _add_own(figures, services)
    return page(request, figures, WEB)


def page(request: Request, *parts: Collector | CollectorRegistry) -> Response:
    """The metrics in the format that the request asks for."""
    body, media_type = written(request.headers.get("accept", ""), *parts)
    return Response(body, media_type=media_type)


def worker_figures() -> Figures:
    """A place for the figures of a worker."""
    return Figures(_POOLS | _WORKER)


def add_pool(figures: Figures, pool: str, use: PoolUse) -> None:
    """The figures of one pool of connections."""
    figures.add("audience_pool_connections", use.lent, pool=pool, state="lent")
    figures.add("audience_pool_connections", use.idle, pool=pool, state="idle")
    figures.add("audience_pool_most_connections", use.most, pool=pool)
    figures.add("audience_pool_waiting", use.waiting, pool=pool)


def _add_own(figures: Figures, services: Services) -> None:
    """What this process does at present."""
    figures.add("audience_live_connections", services.live.connections)
    figures.add("audience_live_operations", services.live.operations)
    for queue, places in services.operations.queues.items():
        figures.add("audience_operations_running", places.held, queue=queue)
        figures.add("audience_operations_waiting", places.waiting, queue=queue)
    add_pool(figures, "general", services.ports.database.use)
    add_pool(figures, "heavy", services.heavy_ports.database.use)
    if services.replica is not None:
        _add_replica(figures, services.replica)


def _add_replica(figures: Figures, replica: Replica) -> None:
    if replica.behind_seconds is not None:
        figures.add("audience_replica_lag_seconds", replica.behind_seconds)
    figures.add("audience_replica_usable", 0 if replica.problem else 1)
    figures.add("audience_replica_queries_total", replica.answers, by="replica")
    figures.add("audience_replica_queries_total", replica.handed_back, by="primary")
    if replica.pools is not None:
        add_pool(figures, "replica", replica.pools.database.use)
        add_pool(figures, "replica heavy", replica.pools.heavy.use)


def refusal(request: Request, token: str) -> Response | None:
    """The answer to a client that may not read metrics: without a token, everybody who is not on this machine."""
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
