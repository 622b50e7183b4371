"""Deliveries: messages to endpoints of webhooks, with their attempts. They never show what a message says."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import strawberry

from audience_gql.api import ids
from audience_gql.api.acting.automations import Automation
from audience_gql.api.acting.endpoints import WebhookEndpoint
from audience_gql.api.acting.runs import AutomationRun
from audience_gql.api.context import Info
from audience_gql.api.ids import MESSAGE_IDS
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import PAGE_SIZE, ListConnection, ListEdge, page_size
from audience_gql.api.shapes import enum
from audience_gql.api.viewer import Scope
from audience_gql.audience.webhooks.messages import CHANGES_A_MESSAGE
from audience_gql.storage.acting.deliveries import AttemptRecord
from audience_gql.storage.acting.delivery_pages import DeliveryRecord
from audience_gql.storage.acting.models import Automation as AutomationRow
from audience_gql.storage.acting.models import WebhookEndpoint as EndpointRow
from audience_gql.storage.acting.pages import RunRecord
from audience_gql.storage.reads.slices import Slice


@enum(
    "What has become of a message.",
    WAITING="It waits for its next attempt. While the endpoint is disabled, it waits for that to end.",
    DELIVERED="The receiver accepted it with a status of 2xx.",
    FAILED="All attempts of its schedule failed, in about 75 hours. It can be replayed.",
    DROPPED="It was never delivered: its endpoint was enabled without what waited, or its automation was deleted.",
)
class WebhookDeliveryState(StrEnum):
    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    DROPPED = "DROPPED"


@strawberry.type(description="One attempt to send a message.")
class WebhookAttempt:
    at: datetime = strawberry.field(description="When the attempt began.")
    status: int | None = strawberry.field(
        description="The HTTP status of the answer; null when no answer arrived."
    )
    milliseconds: int = strawberry.field(description="How long the attempt took.")
    failure: str | None = strawberry.field(
        description="Why the attempt failed, as a sentence; null when it was successful."
    )
    response: str = strawberry.field(
        description="The first 1,024 bytes of the answer's body as text. It is empty after the erasure of a person in the message, because an "
        "answer may repeat the message."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, AttemptRecord)


@strawberry.type(
    description=f"One message to one webhook endpoint: up to {CHANGES_A_MESSAGE} changes of one automation."
)
class WebhookDelivery(Node):
    state: WebhookDeliveryState = strawberry.field(description="What has become of the message.")
    created_at: datetime = strawberry.field(description="When the message was formed.")
    ended_at: datetime | None = strawberry.field(
        description="When the message was delivered, failed or was dropped; null while it waits."
    )
    next_attempt_at: datetime | None = strawberry.field(
        description="When the next attempt is due; null unless the message waits."
    )
    after: str = strawberry.field(
        description="The `after` in the message: the `cursor` of the message before it. It is a cursor of `membershipChanges`."
    )
    cursor: str = strawberry.field(
        description="The `cursor` in the message: the place in the feed of the last change in the message."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, DeliveryRecord)

    @strawberry.field(
        description="The header `webhook-id` of each attempt, by which a receiver recognises a message that arrives twice."
    )
    @staticmethod
    def message_id(parent: strawberry.Parent[DeliveryRecord]) -> str:
        return MESSAGE_IDS.encode("message", parent.bucket_id, parent.id, parent.epoch)

    @strawberry.field(
        description="The endpoint; null if it was deleted meanwhile.", graphql_type=WebhookEndpoint | None
    )
    @staticmethod
    async def endpoint(parent: strawberry.Parent[DeliveryRecord], info: Info) -> EndpointRow | None:
        return await info.context.loaders.endpoints.load(parent.endpoint_id)

    @strawberry.field(
        description="The automation that sent the message; null after it is deleted.",
        graphql_type=Automation | None,
    )
    @staticmethod
    async def automation(parent: strawberry.Parent[DeliveryRecord], info: Info) -> AutomationRow | None:
        return await info.context.loaders.automations.load(parent.automation_id)

    @strawberry.field(description=f"How many changes the message tells: 1 to {CHANGES_A_MESSAGE}.")
    @staticmethod
    def change_count(parent: strawberry.Parent[DeliveryRecord]) -> int:
        return parent.last_number - parent.first_number + 1

    @strawberry.field(
        description="The first runs whose changes the message tells, in its order. Runs that are deleted already are missing.",
        graphql_type=list[AutomationRun],
    )
    @staticmethod
    async def runs(
        parent: strawberry.Parent[DeliveryRecord],
        info: Info,
        first: Annotated[
            int,
            strawberry.argument(description="The number of runs, 1 to 100.", metadata={"is_page_size": True}),
        ] = PAGE_SIZE,
    ) -> list[RunRecord]:
        size = page_size(first)
        return (await info.context.loaders.runs_of_deliveries.load(parent.key))[:size]

    @strawberry.field(description="How many attempts there were.")
    @staticmethod
    def attempt_count(parent: strawberry.Parent[DeliveryRecord]) -> int:
        return parent.attempts

    @strawberry.field(
        description="The latest attempts, the latest first. A message has up to ten, and up to ten more after each replay.",
        graphql_type=list[WebhookAttempt],
    )
    @staticmethod
    async def attempts(
        parent: strawberry.Parent[DeliveryRecord],
        info: Info,
        first: Annotated[
            int,
            strawberry.argument(
                description="The number of attempts, 1 to 100.", metadata={"is_page_size": True}
            ),
        ] = PAGE_SIZE,
    ) -> list[AttemptRecord]:
        size = page_size(first)
        entries = await info.context.loaders.attempts_of_deliveries(Slice(size)).load(parent.key)
        return [*entries.nodes[:size]]


@strawberry.type(description="A message in a list.")
class WebhookDeliveryEdge(ListEdge):
    node: WebhookDelivery = strawberry.field(description="The message.")


@strawberry.type(description="A page of messages, the latest first.")
class WebhookDeliveryConnection(ListConnection[WebhookDeliveryEdge]): ...


@strawberry.input(one_of=True, description="A key that names one message to a webhook endpoint.")
class WebhookDeliveryKey:
    id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="The delivery's id.")
    message_id: strawberry.Maybe[str] = strawberry.field(
        description="The header `webhook-id` with which the receiver got the message."
    )


@strawberry.type
class WebhookDeliveryQuery:
    @strawberry.field(
        description="The message with this id or `webhook-id`; null when there is none, when it was deleted after 30 days, and for a test message. It "
        "needs the scope ADMIN.",
        graphql_type=WebhookDelivery | None,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def webhook_delivery(
        info: Info,
        by: Annotated[
            WebhookDeliveryKey, strawberry.argument(description="The message's id or `webhook-id`.")
        ],
    ) -> DeliveryRecord | None:
        deliveries = info.context.loaders.deliveries
        if by.id:
            key = ids.delivery_key_of(by.id.value)
            return None if key is None else await deliveries.load(key)
        named = ids.delivery_of_message(by.message_id.value if by.message_id else "")
        if named is None:
            return None
        key, epoch = named
        found = await deliveries.load(key)
        return found if found is not None and found.epoch == epoch else None
