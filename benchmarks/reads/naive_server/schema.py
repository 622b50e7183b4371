"""The same questions in plain Strawberry with Tortoise, as their documentation shows it: models, resolvers, `prefetch_related` and DataLoaders.

It checks no token, reads one bucket of one workspace, and has plain lists instead of connections, which is an advantage for it.

    DATABASE_URL=… WORKSPACE_ID=… BUCKET_ID=… POOL_SIZE=… uvicorn benchmarks.reads.naive_server.schema:app
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, TypeAlias

import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.scalars import JSON
from tortoise import Tortoise
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.query_utils import Prefetch

from benchmarks.reads.naive_server.loaders import BUCKET_ID, Context
from benchmarks.reads.naive_server.models import MemberRow, PersonRow, SegmentRow, WorkspaceRow

WORKSPACE_ID: Final = int(os.environ["WORKSPACE_ID"])

Info: TypeAlias = strawberry.Info[Context, None]


@strawberry.type
class Workspace:
    name: str
    timezone: str


@strawberry.type
class Group:
    name: str


@strawberry.type
class Channel:
    channel: str
    status: str


@strawberry.type
class FieldValue:
    key: str
    value: JSON


@strawberry.type
class Person:
    row: strawberry.Private[PersonRow]
    external_id: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    language: str | None
    country: str | None
    city: str | None
    created_at: datetime

    @strawberry.field
    async def groups(self, info: Info, first: int = 20) -> list[Group]:
        return [Group(name=row.name) for row in (await info.context.groups.load(self.row.id))[:first]]

    @strawberry.field
    async def channels(self, info: Info) -> list[Channel]:
        rows = await info.context.channels.load(self.row.id)
        return [Channel(channel=row.channel, status=row.status) for row in rows]

    @strawberry.field
    async def fields(self, info: Info) -> list[FieldValue]:
        keys = await info.context.keys.load_many([int(it) for it in self.row.fields])
        values = zip(keys, self.row.fields.values(), strict=True)
        return [FieldValue(key=key, value=value) for key, value in sorted(values)]


def person_of(row: PersonRow) -> Person:
    return Person(
        row=row,
        external_id=row.external_id,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        language=row.language,
        country=row.country,
        city=row.city,
        created_at=row.created_at,
    )


@strawberry.type
class Member:
    entered_at: datetime
    person: Person


@strawberry.type
class Segment:
    row: strawberry.Private[SegmentRow]
    name: str

    @strawberry.field
    async def member_count(self, info: Info) -> int:
        return await info.context.counts.load(self.row.id)

    @strawberry.field
    async def members(self, first: int = 20) -> list[Member]:
        rows = (
            await MemberRow.filter(bucket_id=BUCKET_ID, segment_id=self.row.id)
            .order_by("-entered_at", "-person_id")
            .limit(first)
            .prefetch_related(Prefetch("person", queryset=PersonRow.filter(bucket_id=BUCKET_ID)))
        )
        return [Member(entered_at=row.entered_at, person=person_of(row.person)) for row in rows]


@strawberry.type
class Query:
    @strawberry.field
    async def workspace(self, id: strawberry.ID) -> Workspace | None:  # noqa: A002  # the argument's name in the schema
        row = await WorkspaceRow.get_or_none(id=int(id))
        return Workspace(name=row.name, timezone=row.timezone) if row else None

    @strawberry.field
    async def segment(self, id: strawberry.ID) -> Segment | None:  # noqa: A002  # the same
        row = await SegmentRow.get_or_none(workspace_id=WORKSPACE_ID, id=int(id))
        return Segment(row=row, name=row.name) if row else None

    @strawberry.field
    async def segments(self, first: int = 20) -> list[Segment]:
        rows = await SegmentRow.filter(workspace_id=WORKSPACE_ID).order_by("name_folded", "id").limit(first)
        return [Segment(row=row, name=row.name) for row in rows]

    @strawberry.field
    async def person(self, id: strawberry.ID) -> Person | None:  # noqa: A002  # the same
        row = await PersonRow.get_or_none(bucket_id=BUCKET_ID, id=int(id))
        return person_of(row) if row else None

    @strawberry.field
    async def people(self, first: int = 20) -> list[Person]:
        rows = await PersonRow.filter(bucket_id=BUCKET_ID).order_by("-created_at", "-id").limit(first)
        return [person_of(row) for row in rows]


class App(GraphQL[Context, None]):
    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:  # noqa: ARG002  # as in the library
        return Context()


@asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[None]:
    connection: dict[str, Any] = expand_db_url(os.environ["DATABASE_URL"])  # Any: the library's own type
    connection["credentials"] |= {
        "minsize": int(os.environ["POOL_SIZE"]),
        "maxsize": int(os.environ["POOL_SIZE"]),
    }
    apps = {"models": {"models": ["benchmarks.reads.naive_server.models"], "default_connection": "default"}}
    await Tortoise.init(
        config={"connections": {"default": connection}, "apps": apps, "use_tz": True},
        _enable_global_fallback=True,  # requests are other tasks than this one
    )
    yield
    await Tortoise.close_connections()


app = Starlette(
    lifespan=_lifespan, routes=[Route("/graphql", App(strawberry.Schema(Query), graphql_ide=None))]
)
