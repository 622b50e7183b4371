"""Shortens old parts of the log: there it keeps only the change by which each member of that time entered.

The remaining log, replayed from its start, still gives the membership. The past sizes of segments are kept.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage import retention
from audience_gql.storage.postgres.database import Transaction

CHANGES_A_SLICE: Final = 5_000
"""Small enough that ticks hardly wait for the bucket's lock."""


async def prune(*, ports: Ports, keep: timedelta, changes_a_slice: int = CHANGES_A_SLICE) -> None:
    """Shorten every bucket's log to the changes within `keep`, rounded to whole hours so that each hour is counted once.

    It may be interrupted at any time.
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
