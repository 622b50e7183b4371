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
_TIMEOUT_SECONDS: Final = 2.0


class ArqJobs:
    """Jobs over one Redis database. Create it inside a running event loop, and close it."""

    def __init__(self, url: str) -> None:
        self._redis = connections.for_jobs(url)
        self._topic = prefix(self._redis)
        self._fills = Outbox("fills", self._tell_of_fills, timeout_seconds=_TIMEOUT_SECONDS)
        self._clearings = Outbox("clearings", partial(self._enqueue, CLEAR), timeout_seconds=_TIMEOUT_SECONDS)
        self._imports = Outbox("imports", partial(self._enqueue, IMPORT), timeout_seconds=_TIMEOUT_SECONDS)

    def fill(self, segment_ids: Iterable[int]) -> None:
        self._fills.put(segment_ids)

    def clear(self, workspace_id: int) -> None:
        self._clearings.put((workspace_id,))

    def run_import(self, import_id: int) -> None:
        self._imports.put((import_id,))

    async def close(self) -> None:
        await asyncio.gather(self._fills.close(), self._clearings.close(), self._imports.close())
        await self._redis.aclose(close_connection_pool=True)

    async def _enqueue(self, name: str, ids: frozenset[int]) -> None:
        for id_ in ids:
            await self._redis.enqueue_job(name, id_)
        await self._redis.publish(f"{self._topic}:jobs", "")

    async def _tell_of_fills(self, _: frozenset[int]) -> None:
        """Wake the workers. The queue's table says which segments wait, and in which order."""
        await self._redis.publish(f"{self._topic}:fills", "")
