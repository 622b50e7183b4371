"""Passes ids to a sender in the background, so that a use case never waits for Redis and never fails because of it.

It must not keep ids that could not be sent: every listener also polls.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from redis.exceptions import RedisError

from audience_gql.audience.tasks import end

logger = logging.getLogger(__name__)


class Outbox:
    """Ids that wait to be sent. Equal ids are merged, so the number of ids bounds its size."""

    def __init__(
        self, name: str, send: Callable[[frozenset[int]], Awaitable[None]], *, timeout_seconds: float
    ) -> None:
        self._name = name
        self._send = send
        self._timeout_seconds = timeout_seconds
        self._waiting: set[int] = set()
        self._is_filled = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"outbox {name}")

    def put(self, ids: Iterable[int]) -> None:
        self._waiting.update(ids)
        self._is_filled.set()

    async def close(self) -> None:
        """Send the waiting ids within the timeout, and stop."""
        if self._waiting:
            await self._flush()
        await end(self._task)

    async def _run(self) -> None:
        while True:
            await self._is_filled.wait()
            await self._flush()

    async def _flush(self) -> None:
        ids, self._waiting = frozenset(self._waiting), set()
        self._is_filled.clear()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._send(ids)
        except (RedisError, OSError) as error:
            logger.warning("%s not sent, listeners will find them by polling: %s", self._name, error)
