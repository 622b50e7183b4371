"""The mutations that create, edit, enable, disable and delete endpoints of webhooks. They need the scope ADMIN."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.acting.endpoints import WebhookEndpoint
from audience_gql.api.acting.failures import WebhookEndpointConflict
from audience_gql.api.context import Info
from audience_gql.api.failures import DeletePayload, InUse, InvalidInput, NameTaken, NotFound
from audience_gql.api.ids import Kind
from audience_gql.api.shapes import enum
from audience_gql.api.viewer import Scope
from audience_gql.audience.people.keys import UNSET
from audience_gql.audience.webhooks import endpoints
from audience_gql.audience.webhooks.endpoints import ENDPOINTS_A_WORKSPACE, URL_LIMIT, WithSecret
from audience_gql.storage.acting.models import WebhookEndpoint as Row

_URL: Final = (
    f"up to {URL_LIMIT:,} characters. It begins with https://, and leads to a public address and to port 443 or 80, unless the server is configured "
    "otherwise."
)
_SECRET: Final = "The secret with which the receiver verifies signatures: `whsec_…`. Store it now: it is never shown again."  # noqa: S105  # a description
_ENDPOINT_ID: Final = "The endpoint's id."


@enum(
    "What happens to the messages that wait for an endpoint.",
    SEND="They are sent, in their order. Their schedules begin again.",
    DROP="They are never sent. The next message shows its receiver the gap.",
)
class WaitingMessages(StrEnum):
    SEND = "SEND"
    DROP = "DROP"


@strawberry.input(
    description="A webhook endpoint to create. Nothing is sent to it until an automation names it."
)
class CreateWebhookEndpointInput:
    name: str = strawberry.field(
        description="The name: 1 to 200 characters, unique among endpoints regardless of case."
    )
    url: str = strawberry.field(description=f"Where messages are sent: {_URL}")


@strawberry.input(
    description="Changes to a webhook endpoint. An omitted field stays as it is. Messages that wait are sent to the new URL."
)
class UpdateWebhookEndpointInput:
    id: strawberry.ID = strawberry.field(description=_ENDPOINT_ID)
    name: strawberry.Maybe[str | None] = strawberry.field(
        description="The new name: 1 to 200 characters, unique among endpoints regardless of case. It cannot be null."
    )
    url: strawberry.Maybe[str | None] = strawberry.field(
        description=f"The new URL: {_URL} It cannot be null."
    )
    if_revision: int | None = strawberry.field(
        description="The revision that the edit is based on. If the endpoint was edited since then, the result is a WebhookEndpointConflict. "
        "Without it, the edit is not checked.",
        default=strawberry.UNSET,
    )


@strawberry.input(description="A webhook endpoint that gets a new secret.")
class RotateWebhookSecretInput:
    id: strawberry.ID = strawberry.field(description=_ENDPOINT_ID)


@strawberry.input(description="A webhook endpoint to enable.")
class EnableWebhookEndpointInput:
    id: strawberry.ID = strawberry.field(description=_ENDPOINT_ID)
    waiting: WaitingMessages = strawberry.field(description="What happens to the messages that wait.")


@strawberry.input(description="A webhook endpoint to disable.")
class DisableWebhookEndpointInput:
    id: strawberry.ID = strawberry.field(description=_ENDPOINT_ID)


@strawberry.input(description="A webhook endpoint to delete.")
class DeleteWebhookEndpointInput:
    id: strawberry.ID = strawberry.field(description=_ENDPOINT_ID)


@strawberry.type(description="A new webhook endpoint with its secret.")
class CreateWebhookEndpointPayload:
    endpoint: WebhookEndpoint = strawberry.field(description="The endpoint without its secret.")
    secret: str = strawberry.field(description=_SECRET)

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, WithSecret)


@strawberry.type(description="A webhook endpoint with its new secret.")
class RotateWebhookSecretPayload:
    endpoint: WebhookEndpoint = strawberry.field(description="The endpoint without its secrets.")
    secret: str = strawberry.field(description=_SECRET)

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, WithSecret)

    @strawberry.field(
        description="Until when messages are also signed with the secret before this one: 24 hours from now."
    )
    @staticmethod
    def previous_secret_until(parent: strawberry.Parent[WithSecret]) -> datetime | None:
        return parent.endpoint.previous_until


CreateWebhookEndpointResult: TypeAlias = Annotated[
    CreateWebhookEndpointPayload | InvalidInput | NameTaken,
    strawberry.union(
        "CreateWebhookEndpointResult",
        description="The new endpoint with its secret, or the reason why it was not created.",
    ),
]
UpdateWebhookEndpointResult: TypeAlias = Annotated[
    WebhookEndpoint | InvalidInput | NotFound | NameTaken | WebhookEndpointConflict,
    strawberry.union(
        "UpdateWebhookEndpointResult", description="The changed endpoint, or the reason why nothing changed."
    ),
]
RotateWebhookSecretResult: TypeAlias = Annotated[
    RotateWebhookSecretPayload | NotFound,
    strawberry.union(
        "RotateWebhookSecretResult", description="The new secret, or NotFound for an unknown id."
    ),
]
EnableWebhookEndpointResult: TypeAlias = Annotated[
    WebhookEndpoint | NotFound,
    strawberry.union(
        "EnableWebhookEndpointResult", description="The enabled endpoint, or NotFound for an unknown id."
    ),
]
DisableWebhookEndpointResult: TypeAlias = Annotated[
    WebhookEndpoint | NotFound,
    strawberry.union(
        "DisableWebhookEndpointResult", description="The disabled endpoint, or NotFound for an unknown id."
    ),
]
DeleteWebhookEndpointResult: TypeAlias = Annotated[
    DeletePayload | NotFound | InUse,
    strawberry.union(
        "DeleteWebhookEndpointResult",
        description="The id of the deleted endpoint, or the reason why it was not deleted.",
    ),
]


@strawberry.type
class WebhookEndpointMutation:
    @strawberry.mutation(
        description="Creates an enabled webhook endpoint. "
        f"A workspace has at most {ENDPOINTS_A_WORKSPACE} endpoints; one more is InvalidInput with the code TOO_MANY. It needs the scope ADMIN.",
        graphql_type=CreateWebhookEndpointResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def create_webhook_endpoint(
        info: Info,
        given: Annotated[
            CreateWebhookEndpointInput,
            strawberry.argument(name="input", description="The endpoint to create."),
        ],
    ) -> WithSecret:
        return await endpoints.create_endpoint(
            ports=info.context.ports,
            sender=info.context.services.sender,
            workspace=info.context.workspace,
            name=given.name,
            url=given.url,
        )

    @strawberry.mutation(
        description="Changes a webhook endpoint. Every edit raises its revision. It needs the scope ADMIN.",
        graphql_type=UpdateWebhookEndpointResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def update_webhook_endpoint(
        info: Info,
        edit: Annotated[
            UpdateWebhookEndpointInput, strawberry.argument(name="input", description="The changes.")
        ],
    ) -> Row:
        return await endpoints.update_endpoint(
            ports=info.context.ports,
            sender=info.context.services.sender,
            workspace=info.context.workspace,
            endpoint_id=_number(edit.id),
            name=edit.name.value if edit.name else UNSET,
            url=edit.url.value if edit.url else UNSET,
            if_revision=None if edit.if_revision is strawberry.UNSET else edit.if_revision,
        )

    @strawberry.mutation(
        description="Gives a webhook endpoint a new secret. For 24 hours, messages are signed with the old secret as well, so that the receiver "
        "can change over. An older secret that was still valid ends now. It needs the scope ADMIN.",
        graphql_type=RotateWebhookSecretResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def rotate_webhook_secret(
        info: Info,
        given: Annotated[
            RotateWebhookSecretInput,
            strawberry.argument(name="input", description="The endpoint that gets a new secret."),
        ],
    ) -> WithSecret:
        return await endpoints.rotate_secret(
            ports=info.context.ports,
            sender=info.context.services.sender,
            workspace=info.context.workspace,
            endpoint_id=_number(given.id),
        )

    @strawberry.mutation(
        description="Enables a disabled webhook endpoint. One that is enabled stays as it is. It needs the scope ADMIN.",
        graphql_type=EnableWebhookEndpointResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def enable_webhook_endpoint(
        info: Info,
        given: Annotated[
            EnableWebhookEndpointInput,
            strawberry.argument(name="input", description="The endpoint to enable."),
        ],
    ) -> Row:
        return await endpoints.enable_endpoint(
            ports=info.context.ports,
            workspace=info.context.workspace,
            endpoint_id=_number(given.id),
            waiting=given.waiting.value,
        )

    @strawberry.mutation(
        description="Disables a webhook endpoint: its messages wait until it is enabled. An attempt that is under way is not stopped. It needs the "
        "scope ADMIN.",
        graphql_type=DisableWebhookEndpointResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def disable_webhook_endpoint(
        info: Info,
        given: Annotated[
            DisableWebhookEndpointInput,
            strawberry.argument(name="input", description="The endpoint to disable."),
        ],
    ) -> Row:
        return await endpoints.disable_endpoint(
            ports=info.context.ports, workspace=info.context.workspace, endpoint_id=_number(given.id)
        )

    @strawberry.mutation(
        description="Deletes a webhook endpoint to which no automation sends. Messages that wait are never sent, and its messages are deleted in "
        "the background. It needs the scope ADMIN.",
        graphql_type=DeleteWebhookEndpointResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def delete_webhook_endpoint(
        info: Info,
        given: Annotated[
            DeleteWebhookEndpointInput,
            strawberry.argument(name="input", description="The endpoint to delete."),
        ],
    ) -> DeletePayload:
        await endpoints.delete_endpoint(
            ports=info.context.ports, workspace=info.context.workspace, endpoint_id=_number(given.id)
        )
        return DeletePayload(deleted_id=given.id)


def _number(text: str) -> int | None:
    return ids.number_of(Kind.WEBHOOK_ENDPOINT, text)
