"""Who is asking: the workspace that a token opens, and what the token may do."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import strawberry

from audience_gql.api.context import Info
from audience_gql.api.nodes import Node
from audience_gql.api.shapes import enum
from audience_gql.audience.access import Access
from audience_gql.storage import models
from audience_gql.storage.reads import batches


@enum(
    "What a token may do.",
    READ="Queries, except those about tokens, and subscriptions. Also everything below a mutation's payload: see WRITE.",
    WRITE="Every mutation except trackEvents and those about tokens. Without READ, the result has the payload's counts and rejects, "
    "failures, and the ids of people, lists and definitions; any other field of these is FORBIDDEN before anything is done.",
    TRACK="The mutation trackEvents.",
    ADMIN="Everything, tokens included.",
)
class Scope(StrEnum):
    READ = "READ"
    WRITE = "WRITE"
    TRACK = "TRACK"
    ADMIN = "ADMIN"


@strawberry.type(description="One audience and everything about it, apart from all others.")
class Workspace(Node):
    name: str = strawberry.field(description="What people call it.")
    timezone: str = strawberry.field(
        description="Where its day begins, for people without a time zone of their own."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, models.Workspace)

    @strawberry.field(description="How many people it holds, counted now.")
    @staticmethod
    async def subscriber_count(info: Info) -> int:
        return await batches.count_subscribers(info.context.ports.database, info.context.workspace.id)


@strawberry.type(description="A key to the API. Its secret is shown once, when it is made.")
class ApiToken(Node):
    name: str = strawberry.field(description="What it is for.")
    prefix: str = strawberry.field(description="The part of its text that names it, and is no secret.")
    scopes: list[Scope] = strawberry.field(description="What it may do.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="From when on it is refused; null for never.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to the minute.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, models.ApiToken)


@strawberry.type(description="Who is asking: the workspace and the token's scopes.")
class Viewer:
    workspace: Workspace = strawberry.field(description="The workspace that the token opens.")
    token: ApiToken = strawberry.field(description="The token itself.")


@strawberry.type
class ViewerQuery:
    @strawberry.field(description="Who is asking.", graphql_type=Viewer)
    @staticmethod
    def viewer(info: Info) -> Access:
        return info.context.access
