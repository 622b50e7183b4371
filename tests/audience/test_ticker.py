"""The resident loop: what comes before what. Whose turn it is among equals is the schedule's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from audience_gql.audience.engine.membership import Membership, Ticked
from audience_gql.audience.engine.schedule import Urgency
from audience_gql.audience.engine.ticker import Ticker
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.tasks import end
from audience_gql.audience.workspaces import create_workspace
from audience_gql.storage import buckets
from audience_gql.storage.engine.membership import BucketTimes

TICKS = 20
FOUND_BY_SWEEPS = 3
"""Live by their marks, which this engine leaves alone: one sweep at the start, one when the worker has learned of the others."""


class Leaving(Membership):
    """An engine that moves nobody: each tick of a bucket leaves what is said of it, so many times."""

    def __init__(self, now: datetime, left_by_bucket: Mapping[int, Urgency]) -> None:
        self.now = now
        self.left = left_by_bucket
        self.ticks: list[int] = []
        self.is_done = asyncio.Event()

    async def tick(self, bucket_id: int) -> Ticked:
        await asyncio.sleep(0.005)  # long enough for whatever an alarm wants
        self.ticks.append(bucket_id)
        if all(self.ticks.count(each) >= TICKS for each in self.left):
            self.is_done.set()
        is_last = self.ticks.count(bucket_id) >= TICKS
        times = BucketTimes(evaluated_through=self.now, next_due_at=self.now, has_events_ahead=True)
        return Ticked(
            lists=frozenset(),
            changes=0,
            remaining=None if is_last else self.left[bucket_id],
            now=self.now,
            times=times,
            definitions_version=0,
            horizon=None,
        )


async def test_what_is_left_of_a_crowd_waits_for_live_changes_though_it_is_due_at_once(lone_house):
    ports, crowd_id = lone_house.ports, lone_house.bucket_id
    other = await create_workspace(ports=ports, name="another")
    async with ports.database.acquire() as connection:
        live_id = (await buckets.open_bucket_ids(connection, other.id))[-1]
    for workspace in (lone_house.workspace, other):
        await upsert_subscribers(ports=ports, workspace=workspace, items=[{"externalId": "ada"}])
    engine = Leaving(lone_house.clock.instant, {crowd_id: Urgency.BULK, live_id: Urgency.LIVE})

    ticker = asyncio.create_task(Ticker(ports, engine, sweep_seconds=60, concurrency=1).run())

    async with asyncio.timeout(20):
        await engine.is_done.wait()
    await end(ticker)
    last_live = TICKS + engine.ticks.index(live_id)
    assert engine.ticks[:last_live].count(crowd_id) <= FOUND_BY_SWEEPS, engine.ticks
