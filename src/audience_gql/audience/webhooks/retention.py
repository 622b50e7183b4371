"""Forgets messages of webhooks that ended long ago."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage.acting import delivery_retention
from audience_gql.storage.postgres.database import Transaction

KEPT: Final = timedelta(days=30)
"""How long a message can be looked at, and replayed if it has failed."""
MESSAGES_A_SLICE: Final = 500


async def forget_old_deliveries(
    *, ports: Ports, keep: timedelta = KEPT, messages_a_slice: int = MESSAGES_A_SLICE
) -> None:
    """Delete the messages that were delivered, failed or dropped longer ago than `keep`. It may be interrupted at any time."""
    async with ports.database.acquire() as connection:
        before = await ports.clock.now(connection) - keep
        bucket_ids = await delivery_retention.buckets_to_shorten(connection, before)
    for bucket_id in bucket_ids:
        while await _forget_slice(ports, bucket_id, before, messages_a_slice):
            pass


async def _forget_slice(ports: Ports, bucket_id: int, before: datetime, limit: int) -> bool:
    async def work(transaction: Transaction) -> bool:
        return await delivery_retention.forget_ended(
            transaction.connection, bucket_id, before=before, limit=limit
        )

    return await ports.database.run(work)
