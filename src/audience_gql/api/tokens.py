"""The keys to the API: made and revoked by whoever has one with the scope ADMIN."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import DeletePayload, InvalidInput, NotFound
from audience_gql.api.ids import Kind
from audience_gql.api.scalars import instant_at
from audience_gql.api.viewer import ApiToken, Scope
from audience_gql.audience.access import create_token, revoke_token
from audience_gql.storage import models
from audience_gql.storage.reads import batches


@strawberry.input(description="A token to make.")
class CreateApiTokenInput:
    name: str = strawberry.field(description="What it is for, up to 200 characters.")
    scopes: list[Scope] = strawberry.field(description="What it may do: at least one.")
    expires_at: datetime | None = strawberry.field(
        description="From when on it is refused; never when left out.", default=strawberry.UNSET
    )


@strawberry.input(description="A token to revoke.")
class RevokeApiTokenInput:
    id: strawberry.ID = strawberry.field(description="Which token. It may be the one that asks.")


@strawberry.type(description="A token that was just made.")
class CreateApiTokenPayload:
    token: ApiToken = strawberry.field(description="What is known of it from now on.")
    secret: str = strawberry.field(
        description="Its text, to be sent as `Authorization: Bearer …`. Keep it now: it is shown here and never again."
    )


CreateApiTokenResult: TypeAlias = Annotated[
    CreateApiTokenPayload | InvalidInput,
    strawberry.union("CreateApiTokenResult", description="The token, or why there is none."),
]
RevokeApiTokenResult: TypeAlias = Annotated[
    DeletePayload | NotFound,
    strawberry.union("RevokeApiTokenResult", description="Which token opens nothing any more, or why not."),
]


@strawberry.type
class TokenQuery:
    @strawberry.field(
        description="The tokens of the workspace that are not revoked, expired ones too, the latest first: what there is to revoke.",
        graphql_type=list[ApiToken],
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def api_tokens(info: Info) -> list[models.ApiToken]:
        return await batches.api_tokens(info.context.ports.database, info.context.workspace.id)


@strawberry.type
class TokenMutation:
    @strawberry.mutation(
        description="Make a token for this workspace. To replace one, make another, have it used, and then revoke the first: "
        "any number may live at once.",
        graphql_type=CreateApiTokenResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def create_api_token(
        info: Info,
        token: Annotated[
            CreateApiTokenInput, strawberry.argument(name="input", description="The token to make.")
        ],
    ) -> CreateApiTokenPayload:
        row, secret = await create_token(
            ports=info.context.ports,
            workspace=info.context.workspace,
            name=token.name,
            scopes=[scope.value for scope in token.scopes],
            expires_at=instant_at(token.expires_at, "input", "expiresAt") if token.expires_at else None,
        )
        return CreateApiTokenPayload(token=row, secret=secret)  # type: ignore[arg-type]  # a row stands for its type, as everywhere

    @strawberry.mutation(
        description="Have a token refused for good, within five seconds everywhere; its sockets close.",
        graphql_type=RevokeApiTokenResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def revoke_api_token(
        info: Info,
        token: Annotated[RevokeApiTokenInput, strawberry.argument(name="input", description="Which token.")],
    ) -> DeletePayload:
        token_id = ids.number_of(Kind.API_TOKEN, token.id)
        await revoke_token(ports=info.context.ports, workspace=info.context.workspace, token_id=token_id)
        return DeletePayload(deleted_id=token.id)
