"""Bounds test messages, each of which keeps a caller waiting for a receiver: one at a time per workspace, and few per process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from audience_gql.audience.failures import Failure
from audience_gql.audience.ports import Attempt, Ports, Sender
from audience_gql.audience.webhooks.endpoints import test_endpoint
from audience_gql.audience.webhooks.messages import MessageIds
from audience_gql.storage.orm.models import Workspace

TRIALS_AT_ONCE: Final = 8
"""Of a process. Receivers that never answer leave the other places for operations to the rest."""


class TrialRunning(Failure):
    """Another test message is on its way, so this one was not sent."""


class Trials:
    """The test messages of one process."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._running: set[int] = set()

    async def test(
        self, *, ports: Ports, workspace: Workspace, endpoint_id: int | None, ids: MessageIds
    ) -> Attempt:
        """Send a test message, as `test_endpoint` does. Raises NotFound, TrialRunning."""
        with self._place(workspace.id):
            return await test_endpoint(
                ports=ports, sender=self._sender, workspace=workspace, endpoint_id=endpoint_id, ids=ids
            )

    @contextmanager
    def _place(self, workspace_id: int) -> Iterator[None]:
        if workspace_id in self._running:
            raise TrialRunning(
                "another test message of this workspace is on its way; try again later", ("id",)
            )
        if len(self._running) >= TRIALS_AT_ONCE:
            message = f"at most {TRIALS_AT_ONCE} test messages are on their way at a time; try again later"
            raise TrialRunning(message, ("id",))
        self._running.add(workspace_id)
        try:
            yield
        finally:
            self._running.discard(workspace_id)
