"""Opens the application's ports for a command that is neither the web process nor the worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from audience_gql.audience.ports import Ports
from audience_gql.audience.trail.actors import COMMAND_LINE
from audience_gql.messaging.jobs import ArqJobs
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.postgres.database import Database


@asynccontextmanager
async def open_ports(database_url: str, redis_url: str) -> AsyncIterator[Ports]:
    """The ports during the context. A statement may take a minute. Raises Unavailable."""
    database = await Database.open(database_url, statement_timeout_seconds=60, lock_timeout_seconds=30)
    signals, jobs = RedisSignals(redis_url), ArqJobs(redis_url)
    try:
        yield Ports(database=database, clock=DatabaseClock(), signals=signals, jobs=jobs, actor=COMMAND_LINE)
    finally:
        await jobs.close()
        await signals.close()
        await database.close()
