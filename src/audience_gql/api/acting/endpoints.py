"""Endpoints of webhooks, as queries show them. Their secrets are never shown."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from audience_gql.api import ids
from audience_gql.api.acting.automations import Automation
from audience_gql.api.context import Context, Info
from audience_gql.api.ids import Kind
from audience_gql.api.keys import folded_name
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import (
    LONG_PAGE_SIZE,
    PAGE_SIZE,
    After,
    First,
    ListConnection,
    ListEdge,
    Listing,
    Page,
)
from audience_gql.api.shapes import enum
from audience_gql.api.viewer import Scope
from audience_gql.storage.acting import endpoint_pages
from audience_gql.storage.acting.delivery_pages import DeliveryRecord
from audience_gql.storage.acting.models import Automation as AutomationRow
from audience_gql.storage.acting.models import WebhookEndpoint as Row

if TYPE_CHECKING:
    from audience_gql.api.acting.deliveries import WebhookDeliveryConnection, WebhookDeliveryState

_DELIVERIES: Final = Listing("webhookEndpoint.deliveries", datetime, int, int)
_ENDPOINTS: Final = Listing("webhookEndpoints", str, int)


@enum(
    "Whether messages are sent to an endpoint.",
    ENABLED="Messages are sent.",
    DISABLED="Nothing is sent. Messages wait until the endpoint is enabled.",
)
class WebhookEndpointState(StrEnum):
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


@strawberry.type(
    description="A URL that receives webhooks: signed messages with what automations tell. It and its deliveries need the scope ADMIN, because "
    "data about people leaves the product here."
)
class WebhookEndpoint(Node):
    name: str = strawberry.field(
        description="The endpoint's name, up to 200 characters; unique among endpoints regardless of case."
    )
    url: str = strawberry.field(description="Where messages are sent.")
    disabled_reason: str | None = strawberry.field(
        description="Why the endpoint was disabled: its receiver answered 410, or failed for five days. Null when it is enabled, and when a "
        "caller disabled it."
    )
    failing_since: datetime | None = strawberry.field(
        description="The first failed attempt since the last successful one; null when the last attempt was successful."
    )
    revision: int = strawberry.field(
        description="A number that every edit raises. Send it as `ifRevision` so that your edit overwrites nobody else's."
    )
    created_at: datetime = strawberry.field(description="When the endpoint was created.")
    updated_at: datetime = strawberry.field(description="When the endpoint was last edited.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, Row)

    @strawberry.field(description="Whether messages are sent to the endpoint.")
    @staticmethod
    def state(parent: strawberry.Parent[Row]) -> WebhookEndpointState:
        return WebhookEndpointState.ENABLED if parent.is_enabled else WebhookEndpointState.DISABLED

    @strawberry.field(
        description="Until when messages are also signed with the secret before the last rotation; null when only one secret signs."
    )
    @staticmethod
    async def previous_secret_until(parent: strawberry.Parent[Row], info: Info) -> datetime | None:
        until = parent.previous_until
        return until if until and until > await info.context.loaders.now.load(None) else None

    @strawberry.field(
        description="The automations that send to the endpoint, by name. While there is one, the endpoint cannot be deleted.",
        graphql_type=list[Automation],
    )
    @staticmethod
    async def automations(parent: strawberry.Parent[Row], info: Info) -> list[AutomationRow]:
        return await info.context.loaders.automations_of_endpoints.load(parent.id)

    @strawberry.field(
        description="The endpoint's messages, the latest first. Those that ended are kept for 30 days.",
        graphql_type=Annotated[
            "WebhookDeliveryConnection", strawberry.lazy("audience_gql.api.acting.deliveries")
        ],
    )
    @staticmethod
    async def deliveries(
        parent: strawberry.Parent[Row],
        info: Info,
        state: Annotated[
            list[Annotated[WebhookDeliveryState, strawberry.lazy("audience_gql.api.acting.deliveries")]]
            | None,
            strawberry.argument(
                description="Only messages in one of these states; all messages for null or []."
            ),
        ] = None,
        first: First = LONG_PAGE_SIZE,
        after: After = None,
    ) -> Page[DeliveryRecord]:
        part = _DELIVERIES.slice(first, after, default=LONG_PAGE_SIZE)
        states = tuple(sorted({one.value for one in state or ()}))
        entries = await info.context.loaders.deliveries_of_endpoints(part).load((parent.id, states))
        return _DELIVERIES.page(entries, part)


@strawberry.type(description="A webhook endpoint in a list.")
class WebhookEndpointEdge(ListEdge):
    node: WebhookEndpoint = strawberry.field(description="The endpoint.")


@strawberry.type(description="A page of webhook endpoints.")
class WebhookEndpointConnection(ListConnection[WebhookEndpointEdge]): ...


@strawberry.input(one_of=True, description="A key that names one webhook endpoint of the workspace.")
class WebhookEndpointKey:
    id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="The endpoint's id.")
    name: strawberry.Maybe[str] = strawberry.field(description="The endpoint's name, regardless of case.")


@strawberry.type
class WebhookQuery:
    @strawberry.field(
        description="The webhook endpoint with this id or name; null when there is none. It needs the scope ADMIN.",
        graphql_type=WebhookEndpoint | None,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def webhook_endpoint(
        info: Info,
        by: Annotated[WebhookEndpointKey, strawberry.argument(description="The endpoint's id or name.")],
    ) -> Row | None:
        return await _find(info.context, by)

    @strawberry.field(
        description="The webhook endpoints of the workspace, by name. It needs the scope ADMIN.",
        graphql_type=WebhookEndpointConnection,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def webhook_endpoints(
        info: Info,
        state: Annotated[
            WebhookEndpointState | None,
            strawberry.argument(description="Only endpoints in this state; all endpoints for null."),
        ] = None,
        first: First = PAGE_SIZE,
        after: After = None,
    ) -> Page[Row]:
        part = _ENDPOINTS.slice(first, after)
        entries = await endpoint_pages.endpoints(
            info.context.ports.database,
            info.context.workspace.id,
            part,
            is_enabled=None if state is None else state is WebhookEndpointState.ENABLED,
        )
        return _ENDPOINTS.page(entries, part)


async def _find(context: Context, key: WebhookEndpointKey) -> Row | None:
    if key.id:
        number = ids.number_of(Kind.WEBHOOK_ENDPOINT, key.id.value)
        return None if number is None else await context.loaders.endpoints.load(number)
    name = folded_name(key.name.value if key.name else "")
    return None if name is None else await endpoint_pages.find_endpoint_by_name(context.workspace.id, name)
