"""Delivers the feed to each client: first what it missed since its cursor, then the live results that equal subscriptions share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, TypeAlias

from audience_gql.audience.log.broadcast import Broadcast, Reader
from audience_gql.audience.log.feed import Batch
from audience_gql.audience.log.shared_execution import Result, SharedExecutions, Subscription
from audience_gql.audience.log.tails import Tails

_AWAY_SECONDS: Final = 1.0
"""How long to wait before asking Postgres again."""

Take: TypeAlias = Callable[[Result], bool]
"""Sends a result at once if the client is ready for it. Returns whether it did."""


class Deliveries:
    """The deliveries of one process."""

    def __init__(self, *, poll_seconds: float, heartbeat_seconds: float) -> None:
        tails = Tails(poll_seconds=poll_seconds, heartbeat_seconds=heartbeat_seconds)
        self._executions = SharedExecutions(tails)

    async def deliver(self, subscription: Subscription, take: Take | None) -> AsyncGenerator[Result, None]:
        """The results for one client, except those that `take` accepts. Each begins at the cursor where the previous one ended.

        Raises CursorInvalid, CursorExpired, and LeftBehind if the log has grown too far while a result was being sent.
        """
        async with self._executions.of(subscription) as broadcast:
            delivery = _Delivery(self._executions, subscription, broadcast)
            async with aclosing(delivery.results(take)) as results:
                async for result in results:
                    yield result


class _Delivery:
    """One client on its way from its cursor to the end of the broadcast."""

    def __init__(
        self, executions: SharedExecutions, subscription: Subscription, broadcast: Broadcast[Result]
    ) -> None:
        self._executions = executions
        self._subscription = subscription
        self._broadcast = broadcast
        self._reader: Reader[Result] = broadcast.join()

    async def results(self, take: Take | None) -> AsyncGenerator[Result, None]:
        """The missed results, then the shared ones."""
        try:
            async with aclosing(self._missed()) as missed:
                async for result in missed:
                    self._reader.is_away = True
                    yield result
                    self._reader.is_away = False
            while True:
                if take is not None:
                    await self._reader.listen(take)
                result = await self._reader.next()
                self._reader.is_away = True
                yield result
                self._reader.is_away = False
        finally:
            self._reader.leave()

    async def _missed(self) -> AsyncGenerator[Result, None]:
        """The results that this client alone has missed. Afterwards, its place in the broadcast is where the last of them ends."""
        feed, cursor, wanted = self._subscription.feed, self._subscription.after, self._subscription.wanted
        if cursor is not None:
            await feed.arrive(cursor)
        if cursor is None or self._is_ahead(cursor):
            start = cursor or self._join()
            yield await self._execute(Batch(changes=[], after=start, cursor=start))
        if cursor is None:
            return
        await self._wait_for_tail(cursor)
        is_there = False
        while not is_there:
            end = self._join()
            batch = await feed.read_between(after=cursor, until=end, wanted=wanted)
            if batch is None:
                self._reader.leave()
                await asyncio.sleep(_AWAY_SECONDS)
                continue
            is_there = batch.cursor == end
            if not is_there:
                self._reader.leave()  # the next read covers the changes of the meantime
            yield await self._execute(batch)
            cursor = batch.cursor

    def _join(self) -> str:
        """Take a place at the end of the broadcast. Returns the cursor there."""
        self._reader.leave()
        self._reader = self._broadcast.join()
        return self._broadcast.last.cursor

    async def _wait_for_tail(self, cursor: str) -> None:
        """Wait until the tail of this process has reached the cursor, which another process may have sent after reading further."""
        self._join()
        while self._is_ahead(cursor):
            await self._reader.next()

    def _is_ahead(self, cursor: str) -> bool:
        return self._subscription.feed.is_past(cursor, self._broadcast.last.cursor)

    async def _execute(self, batch: Batch) -> Result:
        return await self._executions.once(self._subscription, batch)
