"""The query and the mutations for API tokens. They need the scope ADMIN."""

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
from audience_gql.audience.access import DEFAULT_DAYS, create_token, revoke_token
from audience_gql.audience.callers import NETWORKS_LIMIT
from audience_gql.audience.people.keys import UNSET, Unset
from audience_gql.storage.orm import models
from audience_gql.storage.reads import batches


@strawberry.input(description="An API token to create.")
class CreateApiTokenInput:
    name: str = strawberry.field(description="What the token is for: 1 to 200 characters.")
    scopes: list[Scope] = strawberry.field(description="What the token may do: at least one scope.")
    expires_at: datetime | None = strawberry.field(
        description=f"The instant from which the token is refused. Without it, {DEFAULT_DAYS} days from now. With null, the token does not expire.",
        default=strawberry.UNSET,
    )
    networks: list[str] | None = strawberry.field(
        description=f"The networks from which the token may be used, such as 203.0.113.0/24 or 2001:db8::/32: 1 to {NETWORKS_LIMIT}. From anywhere for "
        "null. Elsewhere it is as unknown as a wrong token.",
        default=None,
    )
    only_trusted_documents: bool = strawberry.field(
        description="Whether the token is limited to trusted documents. Any other document, also a query of the schema, is FORBIDDEN for it.",
        default=False,
    )
    with_console_documents: bool = strawberry.field(
        description="Whether a token that is limited to trusted documents may run the console's documents, too, within its scopes. Then it can sign "
        "in to the console. For a token without the limit it must be false: such a token can anyway.",
        default=False,
    )


@strawberry.input(description="An API token to revoke.")
class RevokeApiTokenInput:
    id: strawberry.ID = strawberry.field(description="The token's id. It may be the token of this request.")


@strawberry.type(description="A new API token with its secret.")
class CreateApiTokenPayload:
    token: ApiToken = strawberry.field(description="The token without its secret.")
    secret: str = strawberry.field(
        description="The secret, which clients send as `Authorization: Bearer …`. Store it now: it is never shown again."
    )


CreateApiTokenResult: TypeAlias = Annotated[
    CreateApiTokenPayload | InvalidInput,
    strawberry.union(
        "CreateApiTokenResult", description="The new token, or the reason why it was not created."
    ),
]
RevokeApiTokenResult: TypeAlias = Annotated[
    DeletePayload | NotFound,
    strawberry.union(
        "RevokeApiTokenResult", description="The id of the revoked token, or NotFound for an unknown id."
    ),
]


@strawberry.type
class TokenQuery:
    @strawberry.field(
        description="The tokens of the workspace that are not revoked, including expired ones. The latest comes first.",
        graphql_type=list[ApiToken],
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def api_tokens(info: Info) -> list[models.ApiToken]:
        return await batches.api_tokens(info.context.ports.database, info.context.workspace.id)


@strawberry.type
class TokenMutation:
    @strawberry.mutation(
        description="Creates an API token for this workspace. There is no limit to their number. To replace a token, create another, let "
        "all clients use it, then revoke the first.",
        graphql_type=CreateApiTokenResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def create_api_token(
        info: Info,
        token: Annotated[
            CreateApiTokenInput, strawberry.argument(name="input", description="The token to create.")
        ],
    ) -> CreateApiTokenPayload:
        row, secret = await create_token(
            ports=info.context.ports,
            workspace=info.context.workspace,
            name=token.name,
            scopes=[scope.value for scope in token.scopes],
            expires_at=_expiry(token),
            networks=token.networks,
            only_trusted_documents=token.only_trusted_documents,
            with_console_documents=token.with_console_documents,
        )
        return CreateApiTokenPayload(token=row, secret=secret)  # type: ignore[arg-type]  # a row stands for its type, as everywhere

    @strawberry.mutation(
        description="Revokes an API token for good. Every server refuses it within five seconds and closes its websockets.",
        graphql_type=RevokeApiTokenResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def revoke_api_token(
        info: Info,
        token: Annotated[
            RevokeApiTokenInput, strawberry.argument(name="input", description="The token to revoke.")
        ],
    ) -> DeletePayload:
        token_id = ids.number_of(Kind.API_TOKEN, token.id)
        await revoke_token(ports=info.context.ports, workspace=info.context.workspace, token_id=token_id)
        return DeletePayload(deleted_id=token.id)


def _expiry(token: CreateApiTokenInput) -> datetime | Unset | None:
    if token.expires_at is strawberry.UNSET:
        return UNSET
    return None if token.expires_at is None else instant_at(token.expires_at, "expires_at")
