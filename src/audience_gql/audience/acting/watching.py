"""Follows the runs of automations for live views."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from datetime import timedelta
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage.acting.pages import RunRecord, runs_changed_since
from audience_gql.storage.postgres.database import UNREACHABLE

_RUNS_A_READ: Final = 500
_OVERLAP: Final = timedelta(seconds=10)
"""Transactions commit in another order than that of the instants they write. None of those that write runs takes longer than this.
Who reads a list of runs and begins to watch at the same time misses none of them either: what the list does not contain yet is told."""
_AWAY_SECONDS: Final = 1.0


async def follow_runs(
    *,
    ports: Ports,
    workspace_id: int,
    automation_ids: Collection[int] | None = None,
    poll_seconds: float = 2.0,
) -> AsyncGenerator[RunRecord, None]:
    """Each run that begins or ends from now on, and before them those of the last ten seconds; once for each. While Postgres is away, it waits."""
    async with ports.signals.changes(workspace_id) as wakeups:
        async with ports.database.acquire() as connection:
            start = since = await ports.clock.now(connection) - _OVERLAP
        told: dict[tuple[int, int, str], RunRecord] = {}
        while True:
            try:
                async with ports.database.acquire() as connection:
                    found = await runs_changed_since(
                        connection, workspace_id, automation_ids, since, _RUNS_A_READ + len(told)
                    )
            except UNREACHABLE:
                await asyncio.sleep(_AWAY_SECONDS)
                continue
            fresh = [run for run in found if (run.bucket_id, run.id, run.state) not in told]
            for run in fresh:
                told[run.bucket_id, run.id, run.state] = run
                yield run
            if found:
                since = max(start, found[-1].changed_at - _OVERLAP)
                told = {key: run for key, run in told.items() if run.changed_at >= since}
            if not fresh:
                await wakeups.wait(poll_seconds)
