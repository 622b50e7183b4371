"""The ends of the logs that somebody in this process listens to: each is read once, for everybody who stands there."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final

from audience_gql.audience.log.broadcast import Broadcast
from audience_gql.audience.log.broadcasts import Broadcasts, Items
from audience_gql.audience.log.cursors import CursorCodec
from audience_gql.audience.log.feed import Batch, follow
from audience_gql.audience.ports import Ports
from audience_gql.storage.feed import FeedFilter
from audience_gql.storage.models import Workspace

QUEUED_CHANGES: Final = 1_000
"""How many changes wait for a reader who is slower than the log grows, before he is left behind."""


class Tails:
    """The tails of one process."""

    def __init__(
        self, *, ports: Ports, cursors: CursorCodec, poll_seconds: float, heartbeat_seconds: float
    ) -> None:
        self._ports = ports
        self._cursors = cursors
        self._poll_seconds = poll_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._running: Broadcasts[Batch] = Broadcasts(most=QUEUED_CHANGES)

    def __len__(self) -> int:
        return len(self._running)

    def of(self, workspace: Workspace, wanted: FeedFilter) -> AbstractAsyncContextManager[Broadcast[Batch]]:
        """What happens in this log from now on. Who was away reads up to the `last` batch's cursor for himself: see `read_between`."""

        async def batches() -> Items[Batch]:
            followed = follow(
                ports=self._ports,
                workspace=workspace,
                cursors=self._cursors,
                after=None,
                wanted=wanted,
                poll_seconds=self._poll_seconds,
                heartbeat_seconds=self._heartbeat_seconds,
            )
            async with aclosing(followed):
                async for batch in followed:
                    yield batch, max(1, len(batch.changes))

        return self._running.of((workspace.id, wanted), batches)
