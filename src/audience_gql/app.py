"""Composes the web process by hand: what it opens, how its parts are connected, and which path leads to which endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Final, Literal, TypedDict

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from audience_gql.api.context import Services
from audience_gql.api.documents.documents import Documents
from audience_gql.api.operations.live import Live
from audience_gql.api.operations.operating import (
    OperationQueue,
    connection_bounds,
    heavy_connection_bounds,
)
from audience_gql.api.schema import Schema
from audience_gql.api.transport.answers import Answers
from audience_gql.api.transport.edge import Endpoint, guarded
from audience_gql.api.transport.files.downloads import send_file
from audience_gql.api.transport.files.uploads import receive
from audience_gql.api.transport.http import GraphQLEndpoint
from audience_gql.api.transport.measuring.metrics import metrics_page
from audience_gql.api.transport.origins import for_pages
from audience_gql.api.transport.sign_in import send_code, send_token
from audience_gql.api.transport.streaming.sockets import Sockets
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from audience_gql.audience.access import Doorkeeper
from audience_gql.audience.budgets import Budgets
from audience_gql.audience.insights.reading import SegmentReads
from audience_gql.audience.log.cursors import CursorCodec
from audience_gql.audience.log.segment_watch import SegmentWatch
from audience_gql.audience.ports import Ports
from audience_gql.audience.readiness import readiness
from audience_gql.audience.tasks import end
from audience_gql.audience.trusted_texts import TrustedTexts
from audience_gql.audience.webhooks.trials import Trials
from audience_gql.config import Settings
from audience_gql.messaging.jobs import ArqJobs
from audience_gql.messaging.point_ledger import RedisLedger
from audience_gql.messaging.sign_in_codes import RedisCodes
from audience_gql.messaging.signals import RedisSignals
from audience_gql.pages.addresses import endpoints
from audience_gql.pages.documents import ConsoleDocuments
from audience_gql.pages.serving import nothing_here
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.postgres.presence import Presence
from audience_gql.storage.postgres.replica import Pools, Replica
from audience_gql.storage.turns.fair_queue import Bounds
from audience_gql.telemetry import traces
from audience_gql.webhooks.sender import sender_for

GRAPHQL_PATH: Final = "/graphql"


class _State(TypedDict):
    """What requests find in `request.state`."""

    services: Services
    graphql: GraphQLEndpoint
    sockets: Sockets
    codes: RedisCodes


def create_app(settings: Settings) -> Starlette:
    """Create the ASGI application. It connects in its lifespan, which raises Unavailable if Postgres cannot be reached."""
    schema = Schema(introspection=settings.introspection)
    live = Live(most_per_token=settings.sockets_per_token)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[_State]:
        async with (
            _opened(settings, live, schema.documents) as services,
            aclosing(RedisCodes(settings.redis_url)) as codes,
        ):
            subscriptions = Subscriptions(schema, services)
            async with Sockets(subscriptions, services).running() as sockets:
                yield {
                    "services": services,
                    "graphql": GraphQLEndpoint(schema, services, subscriptions),
                    "sockets": sockets,
                    "codes": codes,
                }

    graphql = for_pages(_Door("graphql"), origins=settings.allowed_origins, methods=("GET", "POST"))
    if traces.current is not None:
        from audience_gql.api.transport.measuring.tracing import Traced  # noqa: PLC0415  # it needs OpenTelemetry

        graphql = Traced(graphql, traces.current)
    app = Starlette(
        lifespan=lifespan,
        middleware=[Middleware(Answers, proxies=settings.proxies)],
        exception_handlers={HTTPStatus.NOT_FOUND: _nothing_here},
        routes=[
            Route(GRAPHQL_PATH, graphql),
            WebSocketRoute(GRAPHQL_PATH, _Door("sockets")),
            *(Route(path, guarded(endpoint)) for path, endpoint in endpoints(settings.pages)),
            *(_sign_in_routes() if "console" in settings.pages else ()),
            Route("/imports/{import_id}/{secret}", _for_pages(_upload, settings, "PUT")),
            Route("/exports/{export_id}/{secret}", _for_pages(_download, settings, "GET", "HEAD")),
            Route("/healthz", guarded(_healthz), methods=["GET"]),
            Route("/readyz", guarded(_readyz), methods=["GET"]),
            Route("/metrics", guarded(metrics_page), methods=["GET"]),
        ],
    )
    app.state.live = live  # the server uses it to drain
    # The server looks here first, because looking through the routes takes longer.
    app.state.direct = {GRAPHQL_PATH: Answers(graphql, proxies=settings.proxies)}
    return app


@asynccontextmanager
async def _opened(settings: Settings, live: Live, documents: Documents) -> AsyncIterator[Services]:
    async with AsyncExitStack() as stack:
        if traces.current is not None:  # after the server, a signal ends the process at once
            stack.push_async_callback(asyncio.to_thread, traces.stop_traces)
        presence = Presence(settings.database_url)
        database = await Database.open(
            settings.database_url,
            pool_size=settings.pool_size,
            statement_timeout_seconds=settings.statement_timeout_seconds,
            lock_timeout_seconds=settings.lock_timeout_seconds,
            pool_wait_seconds=settings.pool_wait_seconds,
            presence=presence,
            bounds=connection_bounds(settings),
        )
        stack.push_async_callback(database.close)
        heavy = await Database.open(
            settings.database_url,
            pool_size=settings.heavy_pool_size,
            statement_timeout_seconds=settings.statement_timeout_seconds,
            lock_timeout_seconds=settings.lock_timeout_seconds,
            pool_wait_seconds=settings.queue_seconds,
            is_default=False,
            presence=presence,
            bounds=heavy_connection_bounds(settings),
        )
        stack.push_async_callback(heavy.close)
        watching = asyncio.create_task(presence.watch(), name="presence")
        stack.push_async_callback(end, watching)
        signals = RedisSignals(settings.redis_url)
        stack.push_async_callback(signals.close)
        jobs = ArqJobs(settings.redis_url)
        stack.push_async_callback(jobs.close)
        ports = Ports(database=database, clock=DatabaseClock(), signals=signals, jobs=jobs)
        ledger = await stack.enter_async_context(aclosing(RedisLedger(settings.redis_url)))
        budgets = Budgets(most=settings.points, per_second=settings.points_per_second, ledger=ledger)
        stack.push_async_callback(budgets.close)
        sender = sender_for(settings)
        reads = SegmentReads(ports)
        stack.push_async_callback(reads.close)
        replica = await stack.enter_async_context(_watched(settings, ports)) if settings.replica_url else None
        yield Services(
            ports=ports,
            heavy_ports=replace(ports, database=heavy),
            operations=OperationQueue(settings),
            budgets=budgets,
            doorkeeper=Doorkeeper(ports),
            trusted=TrustedTexts(ports, of_console=_console_documents(settings)),
            documents=documents,
            cursors=CursorCodec(settings.secret_keys),
            settings=settings,
            live=live,
            watch=SegmentWatch(ports, poll_seconds=settings.feed_poll_seconds),
            reads=reads,
            sender=sender,
            trials=Trials(sender),
            replica=replica,
        )


def _console_documents(settings: Settings) -> Callable[[str], str | None]:
    """Finds a document of the console that this process serves, by its hash."""
    return ConsoleDocuments().text_of if "console" in settings.pages else lambda _: None


@asynccontextmanager
async def _watched(settings: Settings, ports: Ports) -> AsyncIterator[Replica]:
    """The replica, watched during the context. It may be away at the beginning."""
    presence = Presence(settings.replica_url)

    async def pool(size: int, wait_seconds: float, bounds: Bounds) -> Database:
        return await Database.open(
            settings.replica_url,
            pool_size=size,
            statement_timeout_seconds=settings.statement_timeout_seconds,
            lock_timeout_seconds=settings.lock_timeout_seconds,
            pool_wait_seconds=wait_seconds,
            is_default=False,
            presence=presence,
            bounds=bounds,
        )

    async def open_pools() -> Pools:
        database = await pool(settings.pool_size, settings.pool_wait_seconds, connection_bounds(settings))
        try:
            heavy = await pool(
                settings.heavy_pool_size, settings.queue_seconds, heavy_connection_bounds(settings)
            )
        except Exception:
            await database.close()
            raise
        return Pools(database=database, heavy=heavy)

    replica = Replica(
        primary=ports.database,
        now=ports.clock.now,
        opener=open_pools,
        most_seconds=settings.replica_lag_seconds,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(replica.close)
        for name, watching in (("replica presence", presence.watch()), ("replica", replica.watch())):
            stack.push_async_callback(end, asyncio.create_task(watching, name=name))
        yield replica


def _for_pages(endpoint: Endpoint, settings: Settings, *methods: str) -> ASGIApp:
    """An endpoint for any method. Pages of the allowed origins may call it with these methods."""
    return for_pages(request_response(guarded(endpoint)), origins=settings.allowed_origins, methods=methods)


def _sign_in_routes() -> tuple[Route, ...]:
    return (
        Route("/sign-in/code", guarded(_code), methods=["POST"]),
        Route("/sign-in/token", guarded(_token), methods=["POST"]),
    )


class _Door:
    """Leads to an application that exists only while the process runs. It is an object, because Starlette wraps functions."""

    def __init__(self, name: Literal["graphql", "sockets"]) -> None:
        self._name = name

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        application: ASGIApp = scope["state"][self._name]
        return application(scope, receive, send)


async def _upload(request: Request) -> Response:
    return await receive(request, request.state.services)


async def _download(request: Request) -> Response:
    return await send_file(request, request.state.services)


async def _code(request: Request) -> Response:
    return await send_code(request, request.state.services, request.state.codes)


async def _token(request: Request) -> Response:
    return await send_token(request, request.state.services, request.state.codes)


async def _nothing_here(_: Request, __: Exception) -> Response:
    return nothing_here()


async def _healthz(_: Request) -> Response:
    """Answers 200 while the process runs."""
    return JSONResponse({"status": "ok"})


async def _readyz(request: Request) -> Response:
    """Answers 200 if the process can do its work, otherwise 503. The body has the state of each part. The work needs no replica."""
    services: Services = request.state.services
    found = await readiness(ports=services.ports)
    parts = {name: problem or "ok" for name, problem in found.parts.items()}
    if services.replica is not None:
        parts["replica"] = services.replica.problem or "ok"
    return JSONResponse(
        {"status": "ready" if found.is_ready else "not ready", "parts": parts}, 200 if found.is_ready else 503
    )
