"""Deletes old runs. What rules about re-entry need stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage.acting import runs

RUNS_A_SLICE: Final = 5_000


async def prune_runs(*, ports: Ports, keep: timedelta, runs_a_slice: int = RUNS_A_SLICE) -> None:
    """Delete the runs that ended longer than `keep` ago. It may be interrupted at any time."""
    async with ports.database.acquire() as connection:
        before = await ports.clock.now(connection) - keep
        bucket_ids = await runs.buckets_with_places(connection)
    for bucket_id in bucket_ids:
        is_done = False
        while not is_done:
            async with ports.database.transaction() as transaction:
                is_done = not await runs.prune_runs(
                    transaction.connection, bucket_id, before=before, limit=runs_a_slice
                )
