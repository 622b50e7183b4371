"""A separate workspace for every test, an engine that a test ticks by hand, and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
import pytest_asyncio

from audience_gql.audience.definitions.groups import create_group
from audience_gql.audience.definitions.segments import create_segment, update_segment
from audience_gql.audience.engine.membership import Membership, Ticked
from audience_gql.audience.people.events import EventItem, Tracked, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import Upserted, upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import MemorySignals, NotedJobs, SimulatedClock
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import buckets
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.orm.models import Group, Segment, Workspace
from audience_gql.storage.postgres.database import Database
from tests.filling import fill_bucket

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_names = count(1)


@dataclass
class House:
    """One workspace with everything that works on it, behind short method names for tests."""

    ports: Ports
    workspace: Workspace
    clock: SimulatedClock
    jobs: NotedJobs
    membership: Membership
    bucket_id: int

    async def upsert(self, *items: Mapping[str, object]) -> Upserted:
        return await upsert_subscribers(ports=self.ports, workspace=self.workspace, items=items)

    async def track(self, person: str, name: str, **more: Any) -> Tracked:
        event = EventItem(subscriber=SubscriberKey(kind="externalId", value=person), name=name, **more)
        return await track_events(ports=self.ports, workspace=self.workspace, items=[event])

    async def group(self, name: str) -> Group:
        return await create_group(ports=self.ports, workspace=self.workspace, name=name)

    async def segment(self, name: str, condition: object) -> Segment:
        """Define a segment and fill it at once."""
        segment = await create_segment(
            ports=self.ports,
            workspace=self.workspace,
            name=name,
            description=None,
            condition=condition,
            ids=PLAIN_IDS,
        )
        await self.fill()
        return segment

    async def edit(self, segment: Segment, condition: object) -> Segment:
        edited = await update_segment(
            ports=self.ports,
            workspace=self.workspace,
            segment_id=segment.id,
            condition=condition,
            ids=PLAIN_IDS,
        )
        await self.fill()
        return edited

    async def fill(self) -> None:
        """Run all waiting fills."""
        await fill_bucket(self.ports.database, self.membership, self.bucket_id)

    async def tick(self) -> Ticked:
        ticked = await self.membership.tick(self.bucket_id)
        assert ticked is not None
        return ticked

    async def members(self, segment: Segment) -> set[str]:
        """The external ids of a segment's stored members."""
        rows = await self.ports.database.fetch(
            "SELECT s.external_id FROM segment_members m JOIN subscribers s ON s.bucket_id = m.bucket_id AND s.id = m.subscriber_id "
            "WHERE m.bucket_id = $1 AND m.segment_id = $2",
            self.bucket_id,
            segment.id,
        )
        return {row["external_id"] for row in rows}

    async def log(self, *, since: int = 0) -> list[tuple[str, bool, str]]:
        """(external id, entered, cause) of every logged change, in order."""
        rows = await self.ports.database.fetch(
            "SELECT s.external_id, c.entered, c.cause FROM membership_changes c "
            "JOIN subscribers s ON s.bucket_id = c.bucket_id AND s.id = c.subscriber_id "
            "WHERE c.bucket_id = $1 AND c.sequence > $2 ORDER BY c.sequence",
            self.bucket_id,
            since,
        )
        return [(row["external_id"], row["entered"], row["cause"]) for row in rows]


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOON)


@pytest_asyncio.fixture(loop_scope="session")
async def house(database: Database, tick_pool: TickPool, clock: SimulatedClock) -> House:
    return await _house(database, tick_pool, clock)


@pytest_asyncio.fixture(loop_scope="session")
async def lone_house(empty_database_url: str, clock: SimulatedClock) -> AsyncIterator[House]:
    """A house in a database of its own, without other houses."""
    database = await Database.open(empty_database_url, is_default=False)
    pool = await TickPool.open(empty_database_url, size=1)
    yield await _house(database, pool, clock)
    await pool.close()
    await database.close()


async def _house(database: Database, tick_pool: TickPool, clock: SimulatedClock) -> House:
    jobs = NotedJobs()
    ports = Ports(database=database, clock=clock, signals=MemorySignals(), jobs=jobs)
    workspace = await create_workspace(ports=ports, name=f"workspace {next(_names)}")
    async with database.acquire() as connection:
        bucket_id = (await buckets.open_bucket_ids(connection, workspace.id))[-1]
    return House(ports, workspace, clock, jobs, Membership(ports, tick_pool), bucket_id)
