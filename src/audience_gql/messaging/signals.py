"""Wake-ups over Redis pub/sub: which buckets have marks, and which workspaces' logs have grown.

One connection per process serves all listeners in it. After an interruption, it wakes every listener with no ids, which means: check everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from audience_gql.audience.tasks import end
from audience_gql.audience.wakeups import Listener
from audience_gql.messaging.connections import SIGNAL_SECONDS, for_signals
from audience_gql.messaging.outbox import Outbox

_TIMEOUT_SECONDS: Final = SIGNAL_SECONDS
_RECONNECT_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 1.0
_SILENT_POLLS: Final = 3
"""After this many polls without a message, the subscription counts as dead. The first of them is followed by a ping."""
_AWAY: Final = (RedisError, OSError, RuntimeError, AttributeError)
"""What the shared subscription raises when Redis goes away. The last two come from the client: one task sends on a connection while
another task, which has noticed the loss first, is closing it."""

logger = logging.getLogger(__name__)


def prefix(redis: Redis) -> str:
    """The prefix of all topics. Pub/sub ignores databases, so the database's number separates instances that share a server."""
    return f"audience:{redis.connection_pool.connection_kwargs.get('db') or 0}"


class RedisSignals:
    """Signals over one Redis database. Create it inside a running event loop, and close it."""

    def __init__(self, url: str) -> None:
        self._redis = for_signals(url)
        self._prefix = prefix(self._redis)
        self._listeners: dict[str, set[Listener]] = defaultdict(set)
        self._pubsub: PubSub | None = None
        self._reader: asyncio.Task[None] | None = None
        self._marks = Outbox("marks", self._publish_marks, timeout_seconds=_TIMEOUT_SECONDS)
        self._changes = Outbox("changes", self._publish_changes, timeout_seconds=_TIMEOUT_SECONDS)

    def marked(self, bucket_ids: Iterable[int]) -> None:
        self._marks.put(bucket_ids)

    def changed(self, workspace_ids: Iterable[int]) -> None:
        self._changes.put(workspace_ids)

    @asynccontextmanager
    async def marks(self) -> AsyncIterator[Listener]:
        async with self._listen(f"{self._prefix}:marks") as listener:
            yield listener

    @asynccontextmanager
    async def changes(self, workspace_id: int) -> AsyncIterator[Listener]:
        async with self._listen(f"{self._prefix}:changes:{workspace_id}") as listener:
            yield listener

    @asynccontextmanager
    async def jobs(self) -> AsyncIterator[Listener]:
        """Listen for new jobs. A wake-up names no job: the queue does."""
        async with self._listen(f"{self._prefix}:jobs") as listener:
            yield listener

    @asynccontextmanager
    async def fills(self) -> AsyncIterator[Listener]:
        """Listen for new fills. A wake-up names no segment: the queue's table does."""
        async with self._listen(f"{self._prefix}:fills") as listener:
            yield listener

    async def is_reachable(self) -> bool:
        """Whether Redis answers."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return bool(await self._redis.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        await asyncio.gather(self._marks.close(), self._changes.close())
        if self._reader is not None:
            await end(self._reader)
        await self._redis.aclose(close_connection_pool=True)

    async def _publish_marks(self, bucket_ids: frozenset[int]) -> None:
        await self._redis.publish(f"{self._prefix}:marks", " ".join(map(str, bucket_ids)))

    async def _publish_changes(self, workspace_ids: frozenset[int]) -> None:
        for workspace_id in workspace_ids:
            await self._redis.publish(f"{self._prefix}:changes:{workspace_id}", str(workspace_id))

    @asynccontextmanager
    async def _listen(self, topic: str) -> AsyncIterator[Listener]:
        listener = Listener()
        self._listeners[topic].add(listener)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read(), name="signals reader")
        elif self._pubsub is not None and len(self._listeners[topic]) == 1:
            await self._tell(self._pubsub.subscribe(topic))
        else:
            listener.wake(())
        try:
            yield listener
        finally:
            self._listeners[topic].discard(listener)
            if not self._listeners[topic]:
                del self._listeners[topic]
                if self._pubsub is not None:
                    await self._tell(self._pubsub.unsubscribe(topic))

    async def _tell(self, command: Awaitable[object]) -> None:
        """Send a subscribe or unsubscribe. If it fails, the reader is about to reconnect and subscribe to the topics of that moment."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await command
        except _AWAY as error:
            logger.warning("signals are not available: %s", error)

    async def _read(self) -> None:
        """Wake the listeners that each message concerns. Other programs may write to a topic, so malformed messages are ignored."""
        async for message in self._messages():
            try:
                self._deliver(message)
            except ValueError as error:
                logger.warning("ignoring a malformed signal: %s", error)

    async def _messages(self) -> AsyncIterator[Mapping[str, Any]]:  # Any: a message's type decides its data
        """All messages, without end, over one subscription for all listeners."""
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(self._prefix, *self._listeners)
                    self._pubsub = pubsub
                    silent_polls = 0
                    while silent_polls < _SILENT_POLLS:
                        message = await pubsub.get_message(timeout=_POLL_SECONDS)
                        if message is not None:
                            silent_polls = 0
                            yield message
                        else:
                            silent_polls += 1
                            await _ping_once(pubsub, silent_polls)
                    logger.warning("signals are not available: no answer to a ping")
            except _AWAY as error:
                logger.warning("signals are not available, listeners poll: %s", error)
                await asyncio.sleep(_RECONNECT_SECONDS)
            finally:
                self._pubsub = None

    def _deliver(self, message: Mapping[str, Any]) -> None:
        """Wake a topic's listeners. A confirmed subscription wakes them, too, because anything may have happened before it."""
        if message["type"] == "subscribe":
            self._wake(message["channel"].decode(), ())
        elif message["type"] == "message":
            self._wake(message["channel"].decode(), map(int, message["data"].split()))

    def _wake(self, topic: str, ids: Iterable[int]) -> None:
        named = tuple(ids)
        for listener in self._listeners.get(topic, ()):
            listener.wake(named)


async def _ping_once(pubsub: PubSub, silent_polls: int) -> None:
    """Make the server answer while there are no messages: otherwise a dead subscription looks the same as an idle one."""
    if silent_polls == 1:
        await pubsub.ping()
