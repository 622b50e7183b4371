"""The queue in which a query or mutation waits for a place among those that a process runs, and the time limit of each.

It runs nothing. Subscriptions need no place. Connections to Postgres have a queue of their own, with the same asker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from graphql import GraphQLError

from audience_gql.api.errors import ApiError, for_client
from audience_gql.audience.access import Access
from audience_gql.config import Settings
from audience_gql.storage.fair_queue import Asker, Bounds, FairQueue, Overloaded, asking


class NotAnswered(Exception):
    """An operation that got no place or took too long. `error` is for the client."""

    def __init__(self, error: GraphQLError) -> None:
        super().__init__(error.message)
        self.error = error


class OperationQueue:
    """The queue of one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._all = FairQueue(operation_bounds(settings))
        self._heavy = FairQueue(heavy_operation_bounds(settings))
        self._starts = FairQueue(start_bounds(settings))

    @asynccontextmanager
    async def operating(self, access: Access) -> AsyncIterator[None]:
        """Hold a place while an operation is prepared, run and answered. Raises NotAnswered."""
        asker = Asker(workspace_id=access.workspace.id, token_id=access.token.id)
        try:
            with asking(asker):
                async with self._all.place(), self._limit():
                    await self._starts.pass_through()
                    yield
        except Overloaded as error:
            raise NotAnswered(for_client(GraphQLError("", original_error=error))) from error

    @asynccontextmanager
    async def weighing(self, points: int) -> AsyncIterator[None]:
        """Hold a second place, within the first, while a query with a large response runs. `points` is its cost."""
        if points <= self._settings.heavy_cost:
            yield
            return
        async with self._heavy.place():
            yield

    @asynccontextmanager
    async def _limit(self) -> AsyncIterator[None]:
        seconds = self._settings.operation_seconds
        try:
            async with asyncio.timeout(seconds) as limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            message = f"The operation took more than {seconds:g} s and was stopped. Its changes up to then are kept."
            raise NotAnswered(ApiError("TIMEOUT", message)) from error


def operation_bounds(settings: Settings) -> Bounds:
    most = settings.operations_at_once
    return Bounds(
        places=most,
        per_token=min(settings.operations_per_token, _all_but_one(most)),
        per_workspace=_half(most),
        waiting_per_token=settings.operations_waiting_per_token,
        wait_seconds=settings.queue_seconds,
    )


def start_bounds(settings: Settings) -> Bounds:
    """Parsing, checking and starting a document can block the event loop. So one starts in each round of the loop, and tokens take turns."""
    return Bounds(
        places=1,
        per_token=1,
        per_workspace=1,
        waiting_per_token=settings.operations_at_once,
        wait_seconds=settings.operation_seconds,
    )


def heavy_operation_bounds(settings: Settings) -> Bounds:
    most = settings.heavy_operations_at_once
    return Bounds(
        places=most,
        per_token=1,
        per_workspace=_all_but_one(most),
        waiting_per_token=settings.operations_waiting_per_token,
        wait_seconds=settings.queue_seconds,
    )


def connection_bounds(settings: Settings) -> Bounds:
    """Bounds of the general pool. Two connections stay free for health checks, listeners and the checks of tokens."""
    most = max(1, settings.pool_size - 2)
    return Bounds(
        places=most,
        per_token=_half(most),
        per_workspace=_all_but_one(most),
        waiting_per_token=settings.operations_waiting_per_token,
        wait_seconds=settings.queue_seconds,  # longer than the wait for a silent Postgres, which is not an overload
    )


def heavy_connection_bounds(settings: Settings) -> Bounds:
    most = settings.heavy_pool_size
    return Bounds(
        places=most,
        per_token=_all_but_one(most),
        per_workspace=_all_but_one(most),
        waiting_per_token=settings.operations_waiting_per_token,
        wait_seconds=settings.queue_seconds,
    )


def _half(places: int) -> int:
    return max(1, (places + 1) // 2)


def _all_but_one(places: int) -> int:
    return max(1, places - 1)
