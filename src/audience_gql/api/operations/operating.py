"""The queue in which a query or mutation waits for a place among those that a process runs, and the time limit of each.

It runs nothing. Subscriptions need no place. Connections to Postgres have a queue of their own, with the same asker.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from graphql import GraphQLError

from audience_gql.api.errors import ApiError, for_client
from audience_gql.api.operations.time_limits import Running, TimeLimit, TookTooLong
from audience_gql.audience.access import Access
from audience_gql.config import Settings
from audience_gql.storage.turns.fair_queue import (
    Asker,
    Beginnings,
    Bounds,
    FairQueue,
    Overloaded,
    Place,
    asking,
)

_ROUND_SECONDS: Final = 0.001
"""How long operations may begin in one round of the event loop before the others wait for the next round."""
_ALONE_SECONDS: Final = 0.003
"""The same for a token that is alone: it has nobody to wait for it, and every wait costs."""
_WEIGHTLESS: Final = nullcontext()


class NotAnswered(Exception):
    """An operation that got no place or took too long. `error` is for the client."""

    def __init__(self, error: GraphQLError, *, is_overload: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.is_overload = is_overload


class OperationQueue:
    """The queue of one process."""

    def __init__(self, settings: Settings) -> None:
        self._heavy_cost = settings.heavy_cost
        self._heavy = FairQueue(heavy_operation_bounds(settings))
        self._all = FairQueue(operation_bounds(settings))
        self._limit = TimeLimit(settings.operation_seconds)
        # Parsing, checking and starting a document can block the event loop. So tokens take turns in its rounds, too.
        self._beginnings = Beginnings(
            round_seconds=_ROUND_SECONDS,
            alone_seconds=_ALONE_SECONDS,
            waiting_per_token=settings.operations_at_once,
            wait_seconds=settings.operation_seconds,
        )

    @property
    def queues(self) -> Mapping[str, FairQueue]:
        """Its queues by name, for monitoring."""
        return {"all": self._all, "heavy": self._heavy}

    def operating(self, access: Access) -> Operating:
        """Hold a place while an operation is prepared, run and answered. Raises NotAnswered."""
        return Operating(access.asker, self._all.place(), self._limit.running(), self._beginnings)

    def is_light(self, points: int) -> bool:
        """Whether a query with so many points needs no second place."""
        return points <= self._heavy_cost

    def weighing(self, points: int) -> AbstractAsyncContextManager[None]:
        """Hold a second place, within the first, while a query with a large response runs. `points` is its cost."""
        return _WEIGHTLESS if self.is_light(points) else self._heavy.place()


class Operating:
    """The time in which one operation holds its place. A generator for each would cost several times as much."""

    __slots__ = ("_asker", "_asking", "_beginnings", "_place", "_running")

    def __init__(self, asker: Asker, place: Place, running: Running, beginnings: Beginnings) -> None:
        self._asker = asker
        self._asking = asking(asker)
        self._place = place
        self._running = running
        self._beginnings = beginnings

    async def __aenter__(self) -> None:
        self._asking.__enter__()
        try:
            if not self._place.enter_now():
                await self._place.enter()
        except BaseException as error:
            self._asking.__exit__()
            _refuse_if_overloaded(error)
            raise
        self._running.__enter__()
        try:
            if not self._beginnings.pass_now(self._asker):
                await self._beginnings.pass_through(self._asker)
        except BaseException as error:
            self._end(error)
            raise

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        try:
            self._running.__exit__(None, error, None)
        except TookTooLong as late:
            message = f"The operation took more than {self._running.seconds:g} s and was stopped. Its changes up to then are kept."
            raise NotAnswered(ApiError("TIMEOUT", message)) from late
        finally:
            self._place.leave()
            self._asking.__exit__()
        _refuse_if_overloaded(error)


def _refuse_if_overloaded(error: BaseException | None) -> None:
    if isinstance(error, Overloaded):
        shown = for_client(GraphQLError("", original_error=error))
        raise NotAnswered(shown, is_overload=True) from error


def operation_bounds(settings: Settings) -> Bounds:
    """Bounds of all queries and mutations.

    A token that is alone may run half of them. A quarter is left for other tokens of its workspace, and a quarter for other workspaces.
    """
    most = settings.operations_at_once
    return Bounds(
        places=most,
        per_token=min(settings.operations_per_token, _all_but_one(most)),
        per_workspace=max(1, most - _quarter(most)),
        kept_free=_half(most),
        waiting_per_token=settings.operations_waiting_per_token,
        wait_seconds=settings.queue_seconds,
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
    """Bounds of the general pool. Two connections stay free for health checks, listeners and the checks of tokens.

    A token that is alone may hold more than half of the others, except for a quarter: whoever comes next finds a connection.
    """
    most = max(1, settings.pool_size - 2)
    return Bounds(
        places=most,
        per_token=_half(most),
        per_workspace=_all_but_one(most),
        kept_free=_quarter(most),
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


def _quarter(places: int) -> int:
    return max(1, (places + 3) // 4)


def _all_but_one(places: int) -> int:
    return max(1, places - 1)
