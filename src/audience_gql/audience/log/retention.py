"""The log is kept for a while: what is older goes, but for the entering of those who were members by then.

So the log that is left, replayed from its start, still comes to the membership; and what segments' sizes were stays for ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage import retention
from audience_gql.storage.database import Transaction

CHANGES_A_SLICE: Final = 5_000
"""So few that ticks hardly notice who else holds their bucket."""


async def prune(*, ports: Ports, keep: timedelta, changes_a_slice: int = CHANGES_A_SLICE) -> None:
    """Shorten every bucket's log to what happened within `keep`, to the hour.

    Whole hours only, so that each is counted once. May be interrupted at any time.
    """
    async with ports.database.acquire() as connection:
        before = _hour(await ports.clock.now(connection) - keep)
        bucket_ids = await retention.buckets_to_prune(connection, before)
    for bucket_id in bucket_ids:
        while await _prune_slice(ports, bucket_id, before, changes_a_slice):
            pass


async def _prune_slice(ports: Ports, bucket_id: int, before: datetime, changes: int) -> bool:
    async def work(transaction: Transaction) -> bool:
        return await retention.prune_slice(transaction.connection, bucket_id, before=before, changes=changes)

    return await ports.database.run(work)


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
