"""The feed for many: whoever asks the same of the same log is told the same bytes, executed and encoded once.

What it tells is what the schema alone would tell each of them (a test compares the two).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable
from contextlib import aclosing
from typing import Any, Final

from graphql import ExecutionResult
from graphql.execution import Executor, create_source_event_stream, execute_subscription_event
from strawberry.utils.await_maybe import await_maybe

from audience_gql.api.context import Context, Services
from audience_gql.api.lists.feed import Followed
from audience_gql.api.schema import Permitted, Schema
from audience_gql.api.transport.told import Asked, OperationRefused, Take, Told, told
from audience_gql.audience.log.broadcast import Broadcast, Reader
from audience_gql.audience.log.broadcasts import Broadcasts, Items
from audience_gql.audience.log.feed import Batch, arrive, is_past, read_between
from audience_gql.audience.log.tails import QUEUED_CHANGES, Tails

_AWAY_SECONDS: Final = 1.0
"""How long to wait before asking Postgres again."""
_LENGTH_OF_A_CHANGE: Final = 16 * 1024
"""A result that is longer counts for more changes than it has, so that what is kept has a bound in bytes: 16 MB for all who ask the same."""
_RECENT_SECONDS: Final = 0.5
_FIELD: Final = frozenset({"membershipChanges"})


def is_of_the_feed(permitted: Permitted) -> bool:
    return permitted.operation.type == "subscription" and permitted.operation.root_fields == _FIELD


class SharedFeed:
    """The feed as all clients of one process hear it."""

    def __init__(self, schema: Schema, services: Services) -> None:
        settings = services.settings
        self._schema = schema
        self._services = services
        self.tails = Tails(
            ports=services.ports,
            cursors=services.cursors,
            poll_seconds=settings.feed_poll_seconds,
            heartbeat_seconds=settings.feed_heartbeat_seconds,
        )
        self._broadcasts: Broadcasts[Told] = Broadcasts(most=QUEUED_CHANGES)
        self._recent = _Recent()

    async def run(
        self, asked: Asked, permitted: Permitted, context: Context, take: Take | None
    ) -> AsyncGenerator[Told, None]:
        """What a client is told, but for what `take` takes. Raises OperationRefused before the first result, LeftBehind when he is too slow."""
        rendering = _Rendering(self._schema, asked, permitted, context)
        followed = await rendering.followed()
        async with self._broadcasts.of(
            (rendering.key, followed.wanted), lambda: self._all(rendering, followed)
        ) as broadcast:
            listener = _Listener(broadcast, rendering, self._recent, followed, take)
            async with aclosing(listener.hear()) as heard:
                async for it in heard:
                    yield it

    async def _all(self, rendering: _Rendering, followed: Followed) -> Items[Told]:
        """Everything that happens, as those are told who ask for it in this way."""
        async with self.tails.of(followed.context.workspace, followed.wanted) as tail:
            reader = tail.join()
            try:
                yield Told(text="", cursor=tail.last.cursor), 0
                while True:
                    batch = await reader.next()
                    it = await rendering.of(batch)
                    yield it, max(1, len(batch.changes), len(it.text) // _LENGTH_OF_A_CHANGE)
            finally:
                reader.leave()


class _Rendering:
    """One way of asking for the feed: document, variables and scope."""

    def __init__(self, schema: Schema, asked: Asked, permitted: Permitted, context: Context) -> None:
        self._schema = schema
        self._asked = asked
        self._permitted = permitted
        self._context = context
        self.key = _key(asked, permitted, context)

    async def followed(self) -> Followed:
        """What the arguments come to; found by the field itself, for they may name a person. Raises OperationRefused."""
        source = await await_maybe(create_source_event_stream(self._executor(self._context)))
        if isinstance(source, ExecutionResult):
            raise OperationRefused(source.errors or [])
        assert isinstance(source, Followed)  # noqa: S101  # there is no other field of the feed
        return source

    async def of(self, batch: Batch) -> Told:
        """What this batch is for those who ask like that, with what is true by now."""
        executor = self._executor(Context(self._context.services, self._context.access))
        result = await await_maybe(execute_subscription_event(executor.build_per_event_executor(batch)))
        return told(result.data, result.errors, batch.cursor)

    def _executor(self, context: Context) -> Executor[Context]:
        return self._schema.executor(self._asked, self._permitted, context)


def _key(asked: Asked, permitted: Permitted, context: Context) -> Hashable:
    """All that a result may depend on besides the batch."""
    variables = {
        name: value
        for name, value in (asked.variables or {}).items()
        if name != permitted.operation.beginning
    }
    return (
        context.workspace.id,
        context.workspace.timezone,
        frozenset(context.access.token.scopes),
        asked.query,
        asked.operation_name,
        json.dumps(variables, sort_keys=True, default=repr),  # of numbers that fit no argument
    )


class _Recent:
    """Results for single clients, kept for a moment: after a restart many ask for the same at once."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, tuple[float, asyncio.Task[Told]]] = {}

    async def of(self, key: Hashable, render: Callable[[], Coroutine[Any, Any, Told]]) -> Told:
        now = asyncio.get_running_loop().time()
        while self._tasks and (oldest := next(iter(self._tasks.items())))[1][0] < now - _RECENT_SECONDS:
            del self._tasks[oldest[0]]
        if key not in self._tasks:
            self._tasks[key] = now, asyncio.create_task(render(), name="rendering")
        return await asyncio.shield(self._tasks[key][1])


class _Listener:
    """One client on his way from where he was to where all the others are."""

    def __init__(
        self,
        broadcast: Broadcast[Told],
        rendering: _Rendering,
        recent: _Recent,
        followed: Followed,
        take: Take | None,
    ) -> None:
        self._take = take
        self._broadcast = broadcast
        self._rendering = rendering
        self._recent = recent
        self._followed = followed
        self._reader: Reader[Told] = broadcast.join()

    async def hear(self) -> AsyncGenerator[Told, None]:
        """From his cursor on, then what all are told; each result begins where the one before ended."""
        try:
            async with aclosing(self._missed()) as missed:
                async for it in missed:
                    self._reader.is_away = True
                    yield it
                    self._reader.is_away = False
            while True:
                if self._take is not None:
                    await self._reader.listen(self._take)
                it = await self._reader.next()
                self._reader.is_away = True
                yield it
                self._reader.is_away = False
        finally:
            self._reader.leave()

    async def _missed(self) -> AsyncGenerator[Told, None]:
        """What he alone has missed, if anything. Then he has a place in the broadcast, where the last of it leads to."""
        cursor = self._followed.after
        if cursor is not None:
            await self._arrive(cursor)
        if cursor is None or self._is_ahead(cursor):
            start = cursor or self._join()
            yield await self._rendered(Batch(changes=[], after=start, cursor=start))
        if cursor is None:
            return
        await self._until_told(cursor)
        is_there = False
        while not is_there:
            stand = self._join()
            batch = await self._read(cursor, stand)
            if batch is None:
                self._reader.leave()
                await asyncio.sleep(_AWAY_SECONDS)
                continue
            is_there = batch.cursor == stand
            if not is_there:
                self._reader.leave()  # what comes meanwhile is in the log
            yield await self._rendered(batch)
            cursor = batch.cursor

    async def _rendered(self, batch: Batch) -> Told:
        key = self._rendering.key, self._followed.wanted, batch.after, batch.cursor
        return await self._recent.of(key, lambda: self._rendering.of(batch))

    async def _until_told(self, cursor: str) -> None:
        """Wait for the tail of this process, when another one, which had read more, has told him this cursor."""
        self._join()
        while self._is_ahead(cursor):
            await self._reader.next()

    def _is_ahead(self, cursor: str) -> bool:
        services, workspace = self._followed.context.services, self._followed.context.workspace
        last = self._broadcast.last.cursor
        return is_past(cursors=services.cursors, workspace=workspace, cursor=cursor, other=last)

    async def _arrive(self, cursor: str) -> None:
        context = self._followed.context
        await arrive(
            ports=context.ports, workspace=context.workspace, cursors=context.services.cursors, after=cursor
        )

    async def _read(self, after: str, until: str) -> Batch | None:
        context = self._followed.context
        return await read_between(
            ports=context.ports,
            workspace=context.workspace,
            cursors=context.services.cursors,
            after=after,
            until=until,
            wanted=self._followed.wanted,
        )

    def _join(self) -> str:
        """Take a place at the end; the cursor there."""
        self._reader.leave()
        self._reader = self._broadcast.join()
        return self._broadcast.last.cursor
