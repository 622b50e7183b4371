"""Jobs for the worker through arq. A lost job is found again by the worker's sweep, so nothing here waits or fails."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import orjson
from arq.connections import ArqRedis, RedisSettings, create_pool

from audience_gql.messaging.outbox import Outbox
from audience_gql.messaging.signals import prefix

FILL: Final = "fill_segment"
CLEAR: Final = "clear_deleted"
IMPORT: Final = "run_import"
QUEUE: Final = "audience:jobs"
_TIMEOUT_SECONDS: Final = 2.0


class ArqJobs:
    """Jobs over one Redis database. Make it inside a running loop, and close it."""

    def __init__(self, url: str) -> None:
        self._settings = redis_settings(url)
        self._pool: ArqRedis | None = None
        self._connecting = asyncio.Lock()
        self._fills = Outbox("fills", partial(self._enqueue, FILL), timeout_seconds=_TIMEOUT_SECONDS)
        self._clearings = Outbox("clearings", partial(self._enqueue, CLEAR), timeout_seconds=_TIMEOUT_SECONDS)
        self._imports = Outbox("imports", partial(self._enqueue, IMPORT), timeout_seconds=_TIMEOUT_SECONDS)

    def fill(self, segment_id: int) -> None:
        self._fills.put((segment_id,))

    def clear(self, workspace_id: int) -> None:
        self._clearings.put((workspace_id,))

    def run_import(self, import_id: int) -> None:
        self._imports.put((import_id,))

    async def close(self) -> None:
        await self._fills.close()
        await self._clearings.close()
        await self._imports.close()
        if self._pool is not None:
            await self._pool.aclose()

    async def _enqueue(self, name: str, ids: frozenset[int]) -> None:
        pool = await self._connected()
        for id_ in ids:
            await pool.enqueue_job(name, id_)
        await pool.publish(f"{prefix(self._settings.database)}:jobs", "")

    async def _connected(self) -> ArqRedis:
        async with self._connecting:
            if self._pool is None:
                self._pool = await create_pool(
                    self._settings,
                    default_queue_name=QUEUE,
                    job_serializer=serialize,
                    job_deserializer=orjson.loads,
                )
            return self._pool


def serialize(job: object) -> bytes:
    """A job or its result. What is no JSON, an error for example, by its words."""
    return orjson.dumps(job, default=str)


def redis_settings(url: str) -> RedisSettings:
    """arq's settings for a redis:// URL; it gives up quickly, because whoever calls it tries again."""
    settings = RedisSettings.from_dsn(url)
    settings.conn_retries = 1
    settings.conn_timeout = 1
    return settings
