"""The mutations that send messages of webhooks on request: tests and replays. They need the scope ADMIN."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.acting.deliveries import WebhookDelivery
from audience_gql.api.acting.failures import WebhookDeliveryNotFailed, WebhookTestRunning
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, NotFound
from audience_gql.api.ids import MESSAGE_IDS, Kind
from audience_gql.api.scalars import instant_at
from audience_gql.api.viewer import Scope
from audience_gql.audience import failures
from audience_gql.audience.ports import Attempt
from audience_gql.audience.webhooks.replays import replay_delivery, replay_failed
from audience_gql.storage.acting.delivery_pages import DeliveryRecord


@strawberry.input(description="A webhook endpoint to test.")
class TestWebhookEndpointInput:
    id: strawberry.ID = strawberry.field(description="The endpoint's id. It may be disabled.")


@strawberry.input(description="A failed message to send again.")
class ReplayWebhookDeliveryInput:
    id: strawberry.ID = strawberry.field(description="The delivery's id.")


@strawberry.input(description="Failed messages to send again.")
class ReplayWebhookDeliveriesInput:
    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint's id.")
    start: datetime = strawberry.field(
        name="from", description="The beginning: messages that were formed at this instant or later."
    )
    end: datetime | None = strawberry.field(
        name="to", description="The end, which is not included. Default: now.", default=strawberry.UNSET
    )


@strawberry.type(description="How the receiver answered a test message.")
class TestWebhookEndpointPayload:
    status: int | None = strawberry.field(
        description="The HTTP status of the answer; null when no answer arrived."
    )
    milliseconds: int = strawberry.field(description="How long the attempt took.")
    failure: str | None = strawberry.field(
        description="Why the attempt failed, as a sentence; null when it was successful."
    )
    response: str = strawberry.field(description="The first 1,024 bytes of the answer's body as text.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, Attempt)


@strawberry.type(description="How many messages are sent again.")
class ReplayWebhookDeliveriesPayload:
    replayed: int = strawberry.field(
        description="The number of failed messages that wait for an attempt now. Messages in other states stay as they are."
    )


TestWebhookEndpointResult: TypeAlias = Annotated[
    TestWebhookEndpointPayload | NotFound | WebhookTestRunning,
    strawberry.union(
        "TestWebhookEndpointResult",
        description="How the receiver answered, or the reason why nothing was sent. A receiver that fails is a payload with its `failure`.",
    ),
]
ReplayWebhookDeliveryResult: TypeAlias = Annotated[
    WebhookDelivery | NotFound | WebhookDeliveryNotFailed,
    strawberry.union(
        "ReplayWebhookDeliveryResult",
        description="The message, which waits again, or the reason why it is not sent again.",
    ),
]
ReplayWebhookDeliveriesResult: TypeAlias = Annotated[
    ReplayWebhookDeliveriesPayload | NotFound | InvalidInput,
    strawberry.union(
        "ReplayWebhookDeliveriesResult",
        description="The number of messages that are sent again, or the reason why none is.",
    ),
]


@strawberry.type
class WebhookSendingMutation:
    @strawberry.mutation(
        description="Sends a signed message of the type `audience.test` to a webhook endpoint, and waits up to 15 seconds for the answer. It is not "
        "stored, and its failure does not disable the endpoint. A workspace sends one test message at a time. It needs the scope ADMIN.",
        graphql_type=TestWebhookEndpointResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def test_webhook_endpoint(
        info: Info,
        given: Annotated[
            TestWebhookEndpointInput,
            strawberry.argument(name="input", description="The endpoint to test."),
        ],
    ) -> Attempt:
        return await info.context.services.trials.test(
            ports=info.context.ports,
            workspace=info.context.workspace,
            endpoint_id=ids.number_of(Kind.WEBHOOK_ENDPOINT, given.id),
            ids=MESSAGE_IDS,
        )

    @strawberry.mutation(
        description="Sends a failed message again, with its `webhook-id`, before the messages that wait. Its schedule begins again. It needs the "
        "scope ADMIN.",
        graphql_type=ReplayWebhookDeliveryResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def replay_webhook_delivery(
        info: Info,
        given: Annotated[
            ReplayWebhookDeliveryInput,
            strawberry.argument(name="input", description="The message to send again."),
        ],
    ) -> DeliveryRecord:
        key = ids.delivery_key_of(given.id)
        bucket_id, delivery_id = key or (None, None)
        await replay_delivery(
            ports=info.context.ports,
            workspace=info.context.workspace,
            bucket_id=bucket_id,
            delivery_id=delivery_id,
        )
        found = await info.context.loaders.deliveries.load(key) if key else None
        if found is None:
            raise failures.NotFound("the webhook delivery was deleted meanwhile", ("id",))
        return found

    @strawberry.mutation(
        description="Sends all failed messages of a webhook endpoint again that were formed in a stretch of time, in their order. It needs the scope "
        "ADMIN.",
        graphql_type=ReplayWebhookDeliveriesResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def replay_webhook_deliveries(
        info: Info,
        given: Annotated[
            ReplayWebhookDeliveriesInput,
            strawberry.argument(name="input", description="The messages to send again."),
        ],
    ) -> ReplayWebhookDeliveriesPayload:
        since = instant_at(given.start, "from")
        until = instant_at(given.end, "to") if given.end else await info.context.loaders.now.load(None)
        count = await replay_failed(
            ports=info.context.ports,
            workspace=info.context.workspace,
            endpoint_id=ids.number_of(Kind.WEBHOOK_ENDPOINT, given.endpoint_id),
            since=since,
            until=until,
        )
        return ReplayWebhookDeliveriesPayload(replayed=count)
