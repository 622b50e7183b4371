"""The worker process: the loop that ticks, the loop that fills, and an arq worker with cron jobs and jobs on demand.

Postgres or Redis may go away at any time: each loop waits for them separately, and then continues.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeAlias

import orjson
import uvloop
from arq import ArqRedis, cron, func
from arq.worker import Worker
from redis.exceptions import RedisError

from audience_gql.api.ids import MESSAGE_IDS
from audience_gql.api.transport.listening import listen
from audience_gql.api.transport.measuring.metrics import add_pool, worker_figures
from audience_gql.audience.acting.actor import Actor
from audience_gql.audience.acting.dispatcher import Dispatcher
from audience_gql.audience.acting.retention import prune_runs
from audience_gql.audience.definitions.clearing import Clearing
from audience_gql.audience.definitions.recomputes import recompute_everything
from audience_gql.audience.engine.auditor import audit_slices
from audience_gql.audience.engine.fill_queue import FillQueue
from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.engine.rounds import Rounds
from audience_gql.audience.engine.ticker import Ticker
from audience_gql.audience.exports.runner import ExportRunner
from audience_gql.audience.imports.runner import ImportRunner
from audience_gql.audience.log.cursors import CursorCodec
from audience_gql.audience.log.retention import prune
from audience_gql.audience.ports import Ports, Wakeups
from audience_gql.audience.tasks import end
from audience_gql.audience.webhooks.carrier import Carrier
from audience_gql.audience.webhooks.courier import Courier
from audience_gql.audience.webhooks.retention import forget_old_deliveries
from audience_gql.config import Settings
from audience_gql.messaging.connections import QUEUE, for_jobs, serialize
from audience_gql.messaging.jobs import CLEAR, EXPORT, IMPORT, ArqJobs
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage import zone_clocks
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, Database, Unavailable
from audience_gql.storage.postgres.presence import Presence
from audience_gql.storage.schema import is_migrated, refuse_other_schema
from audience_gql.telemetry import traces
from audience_gql.telemetry.exposition import Figures
from audience_gql.telemetry.metrics import JOB_DURATION
from audience_gql.webhooks.sender import sender_for
from audience_gql.worker_metrics import serve_metrics

_RECONNECT_SECONDS: Final = 1.0
_CLEANUP_SECONDS: Final = 5.0
"""How long the ticker, the fills and the jobs may take to end what they are doing."""
_JOB_SECONDS: Final = 3600
_LOOK_SECONDS: Final = 0.5
"""How often to look into the queue without a signal: arq's own default. Cron jobs start at most this late."""
_AT_ONCE: Final = 0.001
"""No polling delay: _PromptWorker waits for signals instead."""
_SWEEP_EVERY_SECONDS: Final = 5
_PRUNE_AT_MINUTE: Final = 41  # of every hour, when no other job starts
_FORGET_AT_MINUTE: Final = 23  # of every hour
_FORGET_DELIVERIES_AT_MINUTE: Final = 29  # of every hour
_AUDIT_AT_SECOND: Final = 37  # of every minute, when no other job starts

Context: TypeAlias = dict[Any, Any]  # Any: arq's own type for what jobs share

logger = logging.getLogger(__name__)


def run(settings: Settings, *, host: str = "127.0.0.1") -> None:
    """Run the worker until SIGTERM or SIGINT. Its metrics, if they have a port, are at this address."""
    port = settings.worker_metrics_port
    metrics = None if port is None else listen(host, port, "AUDIENCE_WORKER_METRICS_PORT")
    uvloop.run(_run(settings, metrics))


async def _run(settings: Settings, metrics: socket.socket | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with _connected(settings, stopped) as connected:
        if connected is None:
            return
        # What is loaded now stays in memory. Frozen, it costs no garbage collection time, which would delay ticks.
        gc.collect()
        gc.freeze()
        ticker = Ticker(
            connected.ports,
            connected.membership,
            sweep_seconds=settings.sweep_seconds,
            concurrency=settings.tick_pool_size,
            job_rounds=connected.job_rounds,
        )
        courier = Courier(connected.ports, _carrier(settings, connected.ports), ticker.is_own)
        dispatcher = Dispatcher(connected.ports, Actor(connected.ports, posted=courier.wake))
        ticker.after_tick = dispatcher.attend(ticker)
        tasks = [
            asyncio.create_task(ticker.run(), name="ticker"),
            asyncio.create_task(dispatcher.run(), name="acting"),
            asyncio.create_task(courier.run(), name="webhooks"),
            asyncio.create_task(_work_off_fills(connected, ticker), name="fills"),
            asyncio.create_task(_work_jobs(settings, connected), name="jobs"),
            asyncio.create_task(stopped.wait(), name="stop"),
        ]
        if metrics is not None:
            figures = partial(_figures, connected, ticker)
            serving = serve_metrics(metrics, token=settings.metrics_token, figures=figures)
            tasks.append(asyncio.create_task(serving, name="metrics"))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await end(*tasks, again_after=_CLEANUP_SECONDS)
        for task in done:
            if not task.cancelled():
                task.result()  # a bug in one of the tasks ends the process with a traceback


@dataclass(frozen=True, slots=True, kw_only=True)
class _Connected:
    """What the loops and jobs of the process share."""

    ports: Ports
    signals: RedisSignals
    membership: Membership
    pool: TickPool
    clearing: Clearing
    job_rounds: Rounds


def _figures(connected: _Connected, ticker: Ticker) -> Figures:
    """What the worker does at present."""
    figures = worker_figures()
    figures.add("audience_buckets_ticking", ticker.running)
    figures.add("audience_buckets_waiting", ticker.waiting)
    uses = {"general": connected.ports.database.use, **connected.pool.uses}
    for name, use in uses.items():
        add_pool(figures, name, use)
    return figures


def _carrier(settings: Settings, ports: Ports) -> Carrier:
    return Carrier(ports, sender_for(settings), cursors=CursorCodec(settings.secret_keys), ids=MESSAGE_IDS)


@asynccontextmanager
async def _connected(settings: Settings, stopped: asyncio.Event) -> AsyncIterator[_Connected | None]:
    """Open the process' ports. Waits for Postgres as long as it takes; yields None when stopped before that. Raises OtherSchema."""
    presence = Presence(settings.database_url)
    opened = await _open(settings, stopped, presence)
    if opened is None:
        yield None
        return
    database, pool = opened
    watching = asyncio.create_task(presence.watch(), name="presence")
    signals, jobs = RedisSignals(settings.redis_url), ArqJobs(settings.redis_url)
    ports = Ports(database=database, clock=DatabaseClock(), signals=signals, jobs=jobs)
    try:
        await refuse_other_schema(database)
        if await is_migrated(database):
            await database.run(lambda transaction: zone_clocks.refresh(transaction.connection))
        yield _Connected(
            ports=ports,
            signals=signals,
            membership=Membership(ports, pool),
            pool=pool,
            clearing=Clearing(ports, pool),
            job_rounds=Rounds(),
        )
    finally:
        await asyncio.gather(jobs.close(), signals.close(), pool.close(), database.close())
        await end(watching)


async def _open(
    settings: Settings, stopped: asyncio.Event, presence: Presence
) -> tuple[Database, TickPool] | None:
    url = settings.database_url
    while not stopped.is_set():
        try:
            pool = await TickPool.open(
                url, size=settings.tick_pool_size, presence=presence, addresses=settings.citus_nodes
            )
            return await Database.open(url, pool_size=settings.pool_size, presence=presence), pool
        except Unavailable as error:
            logger.warning("waiting for Postgres: %s", error)
            await _pause(stopped)
    return None


async def _pause(stopped: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_RECONNECT_SECONDS):
            await stopped.wait()
    except TimeoutError:
        pass


async def _work_off_fills(connected: _Connected, ticker: Ticker) -> None:
    """Fill the wanted segments in the buckets that this worker ticks, for ever."""
    queue = FillQueue(connected.ports, connected.membership, ticker.is_own)
    async with connected.signals.fills() as wakeups:
        await queue.run(wakeups)


async def _work_jobs(settings: Settings, connected: _Connected) -> None:
    """Run arq's worker for ever. It ends when Redis goes away, and is then started again."""
    while True:
        redis = for_jobs(settings.redis_url)
        worker = _arq_worker(settings, connected, redis)
        working = asyncio.create_task(_run_jobs(connected, worker), name="arq")
        try:
            # Awaiting the task itself would wait for ever if it swallowed a cancellation.
            await asyncio.wait([working])
            working.result()
        except (RedisError, OSError) as error:
            logger.warning("jobs wait for Redis: %s", error)
        finally:
            await end(working)
            await end(*worker.tasks.values())
            await _let_go(redis)
        await asyncio.sleep(_RECONNECT_SECONDS)


async def _run_jobs(connected: _Connected, worker: _PromptWorker) -> None:
    async with connected.signals.jobs() as worker.wakeups:
        await worker.main()


async def _let_go(redis: ArqRedis) -> None:
    with suppress(RedisError, OSError):
        await redis.aclose(close_connection_pool=True)


class _PromptWorker(Worker):
    """arq's worker, but it looks into the queue when a signal tells it of a job, and otherwise only every half second.

    arq alone would have to poll ten times a second to be half as fast, which takes more CPU than everything that the clock causes.
    """

    wakeups: Wakeups
    rounds: Rounds

    async def _poll_iteration(self) -> None:
        await self.wakeups.wait(_LOOK_SECONDS)
        await super()._poll_iteration()
        self.rounds.complete()


def _arq_worker(settings: Settings, connected: _Connected, redis: ArqRedis) -> _PromptWorker:
    ports, membership = connected.ports, connected.membership
    every = range(0, 60, _SWEEP_EVERY_SECONDS)
    cron_jobs = [
        cron(sweep, name="sweep", second=set(every), run_at_startup=True),
        cron(audit, name="audit", second=_AUDIT_AT_SECOND),
        cron(forget_messages, name="forget_messages", minute=_FORGET_AT_MINUTE),
        cron(
            forget_deliveries,
            name="forget_deliveries",
            minute=_FORGET_DELIVERIES_AT_MINUTE,
            timeout=_JOB_SECONDS,
        ),
    ]
    if settings.recompute_hours:
        hours = set(range(0, 24, min(settings.recompute_hours, 24)))
        cron_jobs.append(cron(recompute, name="recompute", hour=hours, minute=17))
    if settings.retention_days:
        cron_jobs.append(cron(shorten_log, name="shorten_log", minute=_PRUNE_AT_MINUTE, timeout=_JOB_SECONDS))
    worker = _PromptWorker(
        functions=[
            func(clear_deleted, name=CLEAR, keep_result=0, timeout=_JOB_SECONDS, max_tries=1),
            func(run_import, name=IMPORT, keep_result=0, timeout=_JOB_SECONDS, max_tries=1),
            func(run_export, name=EXPORT, keep_result=0, timeout=_JOB_SECONDS, max_tries=1),
        ],
        cron_jobs=cron_jobs,
        queue_name=QUEUE,
        redis_pool=redis,
        job_serializer=serialize,
        job_deserializer=orjson.loads,
        handle_signals=False,
        keep_result=0,
        poll_delay=_AT_ONCE,
        log_results=False,
        ctx={
            "settings": settings,
            "ports": ports,
            "membership": membership,
            "clearing": connected.clearing,
            "imports": ImportRunner(ports),
            "exports": ExportRunner(ports, MESSAGE_IDS),
        },
    )
    worker.rounds = connected.job_rounds
    return worker


async def clear_deleted(ctx: Context, workspace_id: int) -> None:
    clearing: Clearing = ctx["clearing"]
    await clearing.clear(workspace_id)


async def run_import(ctx: Context, import_id: int) -> None:
    imports: ImportRunner = ctx["imports"]
    await _when_reachable("import", imports.work_off(import_id))


async def run_export(ctx: Context, export_id: int) -> None:
    exports: ExportRunner = ctx["exports"]
    await _when_reachable("export", exports.work_off(export_id))


async def sweep(ctx: Context) -> None:
    clearing: Clearing = ctx["clearing"]
    imports: ImportRunner = ctx["imports"]
    exports: ExportRunner = ctx["exports"]
    for look in (clearing.sweep, imports.sweep, exports.sweep):
        await _when_reachable("sweep", look())


async def recompute(ctx: Context) -> None:
    await _when_reachable("recompute", recompute_everything(ports=ctx["ports"]))


async def shorten_log(ctx: Context) -> None:
    settings: Settings = ctx["settings"]
    keep = timedelta(days=settings.retention_days)
    await _when_reachable("log retention", prune(ports=ctx["ports"], keep=keep))
    await _when_reachable("retention of runs", prune_runs(ports=ctx["ports"], keep=keep))


async def forget_messages(ctx: Context) -> None:
    imports: ImportRunner = ctx["imports"]
    await _when_reachable("deletion of old import messages", imports.forget_messages())


async def forget_deliveries(ctx: Context) -> None:
    await _when_reachable("deletion of old webhook deliveries", forget_old_deliveries(ports=ctx["ports"]))


async def audit(ctx: Context) -> None:
    await _when_reachable("audit", audit_slices(ports=ctx["ports"], membership=ctx["membership"]))


async def _when_reachable(what: str, work: Awaitable[object]) -> None:
    """Await the work. If Postgres is not available or busy, log a warning instead: these jobs are repeated anyway."""
    begun, outcome = time.monotonic(), "failed"
    try:
        if traces.current is None:
            await work
        else:
            with traces.current.work("job", {"audience.job": what}):
                await work
        outcome = "done"
    except (*UNREACHABLE, *BUSY) as error:
        outcome = "postponed"
        logger.warning("%s postponed: %s", what, error)
    finally:
        JOB_DURATION.labels(what, outcome).observe(time.monotonic() - begun)
