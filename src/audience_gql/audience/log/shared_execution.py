"""Executes each batch once for all clients whose subscriptions are equal.

The subscription brings the function that executes it: this module knows no GraphQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from audience_gql.audience.log.broadcast import Broadcast
from audience_gql.audience.log.broadcasts import Broadcasts, Items
from audience_gql.audience.log.feed import Batch, Feed
from audience_gql.audience.log.tails import QUEUED_CHANGES, Tails
from audience_gql.storage.log import FeedFilter
from audience_gql.telemetry import traces

if TYPE_CHECKING:
    from audience_gql.telemetry.tracing import Tracing

_LENGTH_OF_A_CHANGE: Final = 16 * 1024
"""A longer result counts as more changes than it has. This bounds the kept results of equal subscriptions to 16 MB."""
_RECENT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One result of an operation, ready to be sent."""

    text: str
    """JSON."""
    cursor: str = ""
    """The feed's cursor after this result. Empty for all other operations."""
    on_sent: Callable[[], None] | None = None
    """To be called when the result was sent to a client; None if nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One client's subscription to the feed."""

    feed: Feed
    after: str | None
    """The cursor to start from; None for new changes only."""
    wanted: FeedFilter
    key: Hashable
    """Subscriptions with the same key and filter get the same result from the same batch."""
    execute: Callable[[Batch], Coroutine[Any, Any, Result]]  # Any: a coroutine's other types


class SharedExecutions:
    """The shared executions of one process."""

    def __init__(self, tails: Tails) -> None:
        self._tails = tails
        self._running: Broadcasts[Result] = Broadcasts(most=QUEUED_CHANGES)
        self._recent: dict[Hashable, tuple[float, asyncio.Task[Result]]] = {}
        self._executing: set[asyncio.Task[Result]] = set()

    def of(self, subscription: Subscription) -> AbstractAsyncContextManager[Broadcast[Result]]:
        """The results of all batches from now on, for every subscription that equals this one."""
        key = subscription.key, subscription.wanted
        return self._running.of(key, lambda: self._results(subscription))

    async def once(self, subscription: Subscription, batch: Batch) -> Result:
        """The result of a batch for a client that catches up. It is kept for a moment: after a restart, many clients need the same one."""
        now = asyncio.get_running_loop().time()
        while self._recent and (oldest := next(iter(self._recent.items())))[1][0] < now - _RECENT_SECONDS:
            del self._recent[oldest[0]]
        key = subscription.key, subscription.wanted, batch.after, batch.cursor
        if key not in self._recent:
            self._recent[key] = now, self._start(subscription, batch)
        return await asyncio.shield(self._recent[key][1])

    async def _results(self, subscription: Subscription) -> Items[Result]:
        async with self._tails.of(subscription.feed, subscription.wanted) as tail:
            reader = tail.join()
            try:
                yield Result(text="", cursor=tail.last.cursor), 0
                while True:
                    batch = await reader.next()
                    result = await asyncio.shield(self._start(subscription, batch))
                    yield result, max(1, len(batch.changes), len(result.text) // _LENGTH_OF_A_CHANGE)
            finally:
                reader.leave()

    def _start(self, subscription: Subscription, batch: Batch) -> asyncio.Task[Result]:
        """Start an execution. Nothing cancels it, because a cancelled GraphQL execution leaves coroutines that are never awaited."""
        executing = subscription.execute(batch)
        if batch.traces and traces.current is not None:
            executing = _traced(executing, batch, traces.current)
        task = asyncio.create_task(executing, name="execution")
        self._executing.add(task)
        task.add_done_callback(self._executing.discard)
        return task


async def _traced(
    executing: Coroutine[Any, Any, Result], batch: Batch, tracing: Tracing
) -> Result:  # Any: a coroutine's other types
    """The result, with a span for its execution, and one for the first client that gets it. Both follow from the tick."""
    attributes = {"graphql.operation.type": "subscription", "audience.changes": len(batch.changes)}
    with tracing.following("subscription", batch.traces, attributes, is_child=True):
        result = await executing
        return replace(result, on_sent=tracing.once("send"))
