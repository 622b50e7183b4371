"""What an outbox promises to whoever closes it."""

from __future__ import annotations

import asyncio

from audience_gql.messaging.outbox import Outbox
from tests.patience import PATIENCE_SECONDS


async def test_closing_ends_a_sender_that_swallows_a_cancellation():
    sending = asyncio.Event()

    async def send(_: frozenset[int]) -> None:
        sending.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return  # as wait_for does in Python 3.11, when the answer comes at the same time

    outbox = Outbox("test", send, timeout_seconds=60)
    outbox.put([1])
    await sending.wait()

    async with asyncio.timeout(PATIENCE_SECONDS):
        await outbox.close()

    assert [task for task in asyncio.all_tasks() if task.get_name() == "outbox test"] == []


async def test_closing_sends_what_is_waiting():
    sent: list[frozenset[int]] = []

    async def send(ids: frozenset[int]) -> None:
        sent.append(ids)

    outbox = Outbox("test", send, timeout_seconds=1)
    outbox.put([1, 2])

    await outbox.close()

    assert sent == [{1, 2}]
