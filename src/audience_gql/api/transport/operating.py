"""The place of a query or mutation among all that a process runs, and how long it may take. What listens needs no place.

It runs nothing. Connections to Postgres have a queue of their own, on behalf of the same asker.
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
    """An operation that found no place, or that took too long. `told` is for the client."""

    def __init__(self, told: GraphQLError) -> None:
        super().__init__(told.message)
        self.told = told


class OperationQueue:
    """The operations of one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._all = FairQueue(operation_bounds(settings))
        self._heavy = FairQueue(heavy_operation_bounds(settings))
        self._starts = FairQueue(start_bounds(settings))

    @asynccontextmanager
    async def operating(self, access: Access) -> AsyncIterator[None]:
        """Hold a place while an operation is prepared, runs and is answered. Raises NotAnswered."""
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
        """Hold a second place, within the first, while a query runs whose response may be large."""
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
            message = f"The operation took more than {seconds:g} s, and was ended. What it had changed by then stays changed."
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
    """Reading, checking and running a document may hold the event loop up. One begins in each of its rounds, of one token after the other."""
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
    """Of the pool that is for everything: two connections are left to health checks, listeners and tokens' checks."""
    most = max(1, settings.pool_size - 2)
    return Bounds(
        places=most,
        per_token=_half(most),
        per_workspace=_all_but_one(most),
        waiting_per_token=settings.operations_waiting_per_token,
        wait_seconds=settings.queue_seconds,  # longer than a silent Postgres is waited for: that is no overload
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
