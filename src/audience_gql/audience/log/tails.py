"""The tails of the logs that clients of this process listen to. Each tail is read once for all its listeners."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final

from audience_gql.audience.log.broadcast import Broadcast
from audience_gql.audience.log.broadcasts import Broadcasts, Items
from audience_gql.audience.log.feed import Batch, Feed
from audience_gql.storage.log import FeedFilter

QUEUED_CHANGES: Final = 1_000
"""How many changes are kept for readers that are slower than the log grows. A reader that needs an older change gets LeftBehind."""


class Tails:
    """The tails of one process."""

    def __init__(self, *, poll_seconds: float, heartbeat_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._running: Broadcasts[Batch] = Broadcasts(most=QUEUED_CHANGES)

    def of(self, feed: Feed, wanted: FeedFilter) -> AbstractAsyncContextManager[Broadcast[Batch]]:
        """The changes in this log from now on. A client that resumes first reads up to the cursor of the `last` batch: see `read_between`."""

        async def batches() -> Items[Batch]:
            followed = feed.follow(
                after=None,
                wanted=wanted,
                poll_seconds=self._poll_seconds,
                heartbeat_seconds=self._heartbeat_seconds,
            )
            async with aclosing(followed):
                async for batch in followed:
                    yield batch, max(1, len(batch.changes))

        return self._running.of((feed.workspace.id, wanted), batches)
