"""The caller: the workspace of the request's token, and what the token may do."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import strawberry

from audience_gql.api.context import Info
from audience_gql.api.nodes import Node
from audience_gql.api.shapes import enum
from audience_gql.audience.access import Access
from audience_gql.storage.orm import models
from audience_gql.storage.reads import batches


@enum(
    "What an API token may do.",
    READ="All subscriptions, and all queries except those about tokens, trusted documents, webhooks and the audit trail. Also every field of a mutation's result: see WRITE.",
    WRITE="All mutations except trackEvents, exportSubscriber, and those about tokens, trusted documents and webhooks. Without READ, a result may contain counts, rejects, failures, and the "
    "ids of people, lists and definitions. A mutation that asks for any other field is FORBIDDEN and changes nothing.",
    TRACK="The mutation trackEvents.",
    ADMIN="Everything, including tokens, trusted documents, webhooks, the audit trail and exportSubscriber.",
)
class Scope(StrEnum):
    READ = "READ"
    WRITE = "WRITE"
    TRACK = "TRACK"
    ADMIN = "ADMIN"


@enum(
    "A kind of program that calls the API.",
    BROWSER="A page in a browser, such as the console.",
    COMMAND_LINE="A tool on a command line, such as `curl` or `audience-gql`.",
    PROGRAM="Any other program.",
)
class ClientKind(StrEnum):
    BROWSER = "BROWSER"
    COMMAND_LINE = "COMMAND_LINE"
    PROGRAM = "PROGRAM"


@enum(
    "A day on which weeks can begin.",
    MONDAY="Weeks are those of ISO 8601.",
    SATURDAY="Weeks begin on Saturday.",
    SUNDAY="Weeks begin on Sunday.",
)
class WeekStart(StrEnum):
    MONDAY = "MONDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


@strawberry.type(
    description="One audience with all its data. Workspaces share nothing, and a token opens exactly one."
)
class Workspace(Node):
    name: str = strawberry.field(description="The name of the workspace.")
    timezone: str = strawberry.field(
        description="The time zone that applies to people without their own, as a name of the IANA database."
    )
    week_start: WeekStart = strawberry.field(
        description="The day on which the weeks of calendar windows begin. `audience-gql week-start` changes it."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, models.Workspace)

    @strawberry.field(description="The exact number of people in the workspace now.")
    @staticmethod
    async def subscriber_count(info: Info) -> int:
        return await batches.count_subscribers(info.context.ports.database, info.context.workspace.id)


@strawberry.type(
    description="A token that gives access to the API. Its secret is shown only once, when it is created."
)
class ApiToken(Node):
    name: str = strawberry.field(description="What the token is for.")
    prefix: str = strawberry.field(
        description="The eight characters after `agq_` in the secret. They identify the token and need not be kept secret."
    )
    scopes: list[Scope] = strawberry.field(description="What the token may do.")
    created_at: datetime = strawberry.field(description="When the token was created.")
    expires_at: datetime | None = strawberry.field(
        description="The instant from which the token is refused. Null when it does not expire."
    )
    last_used_at: datetime | None = strawberry.field(
        description="When the token was last used, to the minute. Null when it was never used."
    )
    last_used_address: str | None = strawberry.field(
        description="The address from which it was used then. Null when it was never used, or the address is not known."
    )
    networks: list[str] | None = strawberry.field(
        description="The networks from which the token may be used, such as 203.0.113.0/24. Null for all networks."
    )
    only_trusted_documents: bool = strawberry.field(
        description="Whether the token is limited to trusted documents. Any other document is FORBIDDEN for it."
    )
    with_console_documents: bool = strawberry.field(
        description="Whether this limit lets the token run the console's documents, too. False for a token without the limit, which runs any document."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, models.ApiToken)

    @strawberry.field(
        description="What kind of program used it then, by the program's own name. Null when it was never used, or the program has no name."
    )
    @staticmethod
    def last_used_by(parent: strawberry.Parent[models.ApiToken]) -> ClientKind | None:
        return None if parent.last_used_agent is None else ClientKind(parent.last_used_agent)


@strawberry.type(description="The caller: the token of the request and its workspace.")
class Viewer:
    workspace: Workspace = strawberry.field(description="The workspace that the token opens.")
    token: ApiToken = strawberry.field(description="The token of the request.")


@strawberry.type
class ViewerQuery:
    @strawberry.field(
        description="The caller: the token of the request and its workspace.", graphql_type=Viewer
    )
    @staticmethod
    def viewer(info: Info) -> Access:
        return info.context.access
