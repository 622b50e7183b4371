"""Publishes the changes that clients receive: for ours a fact and a tick, for the idiomatic subject the same change over Redis."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Protocol

from redis.asyncio import Redis

from audience_gql.audience.access import create_token
from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import NotedJobs
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage import buckets
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.schema import migrate
from benchmarks.fanout.idiomatic import CHANNEL

PEOPLE = 100


class Publisher(Protocol):
    async def publish(self) -> None:
        """Publish one change of one person to all clients."""
        ...


class OurPublisher:
    """Makes a hundred people enter the segment and then leave it, one by one. Each change is a fact, a tick and a signal."""

    def __init__(self, ports: Ports, workspace: Workspace, membership: Membership, bucket_id: int) -> None:
        self._ports = ports
        self._workspace = workspace
        self._membership = membership
        self._bucket_id = bucket_id
        self._numbers = count()
        self.token = ""

    async def prepare(self) -> None:
        people = [{"externalId": f"p{n}", "email": f"p{n}@example.com"} for n in range(PEOPLE)]
        await upsert_subscribers(ports=self._ports, workspace=self._workspace, items=people)
        segment = await create_segment(
            ports=self._ports,
            workspace=self._workspace,
            name="Customers in Lithuania",
            description=None,
            condition={"country": {"is": "LT"}},
            ids=PLAIN_IDS,
        )
        async with self._ports.database.acquire() as connection:
            bucket_ids = await buckets.bucket_ids(connection, self._workspace.id)
        for bucket_id in bucket_ids:
            await self._membership.fill(bucket_id, segment.id)
        await self._membership.tick(self._bucket_id)
        _, self.token = await create_token(
            ports=self._ports, workspace=self._workspace, name="fanout", scopes=["READ"]
        )

    async def publish(self) -> None:
        number = next(self._numbers)
        country = "LT" if number // PEOPLE % 2 == 0 else "EE"
        item = {"externalId": f"p{number % PEOPLE}", "country": country}
        await upsert_subscribers(ports=self._ports, workspace=self._workspace, items=[item])
        await self._membership.tick(self._bucket_id)


class IdiomaticPublisher:
    """The same change as a message."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._numbers = count()

    async def publish(self) -> None:
        number = next(self._numbers)
        change = {
            "kind": "ENTERED" if number // PEOPLE % 2 == 0 else "LEFT",
            "occurredAt": datetime.now(UTC).isoformat(),
            "segment": {"id": "seg_AQIDBA", "name": "Customers in Lithuania"},
            "subscriber": {
                "id": f"sub_AQIDBAUGBwgJ{number % PEOPLE}",
                "externalId": f"p{number % PEOPLE}",
                "email": f"p{number % PEOPLE}@example.com",
            },
        }
        cursors = {name: f"{'A' * 54}{at:06}" for name, at in (("after", number), ("cursor", number + 1))}
        await self._redis.publish(CHANNEL, json.dumps({**cursors, "changes": [change]}))


@asynccontextmanager
async def our_publisher(database_url: str, redis_url: str) -> AsyncIterator[OurPublisher]:
    await migrate(database_url)
    async with AsyncExitStack() as stack:
        database = await Database.open(database_url)
        stack.push_async_callback(database.close)
        pool = await TickPool.open(database_url, size=2)
        stack.push_async_callback(pool.close)
        signals = RedisSignals(redis_url)
        stack.push_async_callback(signals.close)
        ports = Ports(database=database, clock=DatabaseClock(), signals=signals, jobs=NotedJobs())
        workspace = await create_workspace(ports=ports, name="Fan-out")
        async with database.acquire() as connection:
            bucket_id = (await buckets.open_bucket_ids(connection, workspace.id))[-1]
        publisher = OurPublisher(ports, workspace, Membership(ports, pool), bucket_id)
        await publisher.prepare()
        yield publisher


@asynccontextmanager
async def idiomatic_publisher(redis_url: str) -> AsyncIterator[IdiomaticPublisher]:
    async with Redis.from_url(redis_url) as redis:
        yield IdiomaticPublisher(redis)
