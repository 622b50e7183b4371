"""Queues jobs for the worker through arq. The worker's sweep finds lost jobs again, so callers never wait and never see an error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Final

from audience_gql.messaging import connections
from audience_gql.messaging.outbox import Outbox
from audience_gql.messaging.signals import prefix

CLEAR: Final = "clear_deleted"
IMPORT: Final = "run_import"
EXPORT: Final = "run_export"
_TIMEOUT_SECONDS: Final = 2.0


class ArqJobs:
    """Jobs over one Redis database. Create it inside a running event loop, and close it."""

    def __init__(self, url: str) -> None:
        self._redis = connections.for_jobs(url)
        self._topic = prefix(self._redis)
        self._fills = Outbox("fills", self._tell_of_fills, timeout_seconds=_TIMEOUT_SECONDS)
        self._clearings = Outbox("clearings", partial(self._enqueue, CLEAR), timeout_seconds=_TIMEOUT_SECONDS)
        self._imports = Outbox("imports", partial(self._enqueue, IMPORT), timeout_seconds=_TIMEOUT_SECONDS)
        self._exports = Outbox("exports", partial(self._enqueue, EXPORT), timeout_seconds=_TIMEOUT_SECONDS)

    def fill(self, segment_ids: Iterable[int]) -> None:
        self._fills.put(segment_ids)

    def clear(self, workspace_id: int) -> None:
        self._clearings.put((workspace_id,))

    def run_import(self, import_id: int) -> None:
        self._imports.put((import_id,))

    def run_export(self, export_id: int) -> None:
        self._exports.put((export_id,))

    async def close(self) -> None:
        outboxes = self._fills, self._clearings, self._imports, self._exports
        await asyncio.gather(*(outbox.close() for outbox in outboxes))
        await self._redis.aclose(close_connection_pool=True)

    async def _enqueue(self, name: str, ids: frozenset[int]) -> None:
        for id_ in ids:
            await self._redis.enqueue_job(name, id_)
        await self._redis.publish(f"{self._topic}:jobs", "")

    async def _tell_of_fills(self, _: frozenset[int]) -> None:
        """Wake the workers. The queue's table says which segments wait, and in which order."""
        await self._redis.publish(f"{self._topic}:fills", "")
