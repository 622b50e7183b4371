"""The same subscription in plain Strawberry, as its documentation shows it: an async generator and a queue per client.

The comparison favours it: messages arrive complete over Redis, so that it reads no database. It checks no token, and compression
is off. It cannot resume.

    REDIS_URL=… uvicorn --app-dir benchmarks/fanout idiomatic:app
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import strawberry
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL

CHANNEL = "fanout"
queues: set[asyncio.Queue[dict[str, Any]]] = set()


@strawberry.type
class Segment:
    id: strawberry.ID
    name: str


@strawberry.type
class Subscriber:
    id: strawberry.ID
    external_id: str
    email: str | None


@strawberry.type
class MembershipChange:
    kind: str
    occurred_at: str
    segment: Segment
    subscriber: Subscriber


@strawberry.type
class Batch:
    after: str
    cursor: str
    changes: list[MembershipChange]


@strawberry.type
class Query:
    hello: str = "world"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def membership_changes(self) -> AsyncGenerator[Batch, None]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        queues.add(queue)
        try:
            yield Batch(after="", cursor="", changes=[])
            while True:
                yield _batch(await queue.get())
        finally:
            queues.discard(queue)


def _batch(message: dict[str, Any]) -> Batch:
    return Batch(
        after=message["after"],
        cursor=message["cursor"],
        changes=[
            MembershipChange(
                kind=change["kind"],
                occurred_at=change["occurredAt"],
                segment=Segment(**change["segment"]),
                subscriber=Subscriber(
                    id=change["subscriber"]["id"],
                    external_id=change["subscriber"]["externalId"],
                    email=change["subscriber"]["email"],
                ),
            )
            for change in message["changes"]
        ],
    )


async def _listen() -> None:
    async with Redis.from_url(os.environ["REDIS_URL"]).pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        async for message in pubsub.listen():
            if message["type"] == "message":
                told = json.loads(message["data"])
                for queue in queues:
                    queue.put_nowait(told)


@asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[None]:
    listening = asyncio.create_task(_listen())
    yield
    listening.cancel()


graphql: GraphQL[None, None] = GraphQL(strawberry.Schema(Query, subscription=Subscription))
app = Starlette(lifespan=_lifespan, routes=[Route("/graphql", graphql), WebSocketRoute("/graphql", graphql)])
