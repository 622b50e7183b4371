"""The mutation that sets one person's status on one channel."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api.channels import Channel, ChannelStatus
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, NotFound
from audience_gql.api.keys import SubscriberKey, subscriber_key
from audience_gql.api.people.subscribers import Subscriber
from audience_gql.audience.people.channels import set_channel_status
from audience_gql.storage.reads.records import SubscriberRecord


@strawberry.input(description="A person's new status on a channel.")
class SetChannelStatusInput:
    subscriber: SubscriberKey = strawberry.field(description="The person.")
    channel: Channel = strawberry.field(description="The channel.")
    status: ChannelStatus = strawberry.field(description="The new status.")
    reason: str | None = strawberry.field(
        description="Why, up to 1,000 characters. Required when the present status is UNSUBSCRIBED, BOUNCED or SPAM_REPORTED and the new "
        "one is ACTIVE or UNCONFIRMED.",
        default=strawberry.UNSET,
    )


SetChannelStatusResult: TypeAlias = Annotated[
    Subscriber | InvalidInput | NotFound,
    strawberry.union(
        "SetChannelStatusResult",
        description="The person, or the reason why nothing changed. When `reason` is required and missing: InvalidInput with the code "
        "CONSENT.",
    ),
]


@strawberry.type
class ChannelMutation:
    @strawberry.mutation(
        description="Sets a person's status on a channel. If the channel already has this status, nothing changes, and `changedAt` stays "
        "as it is.",
        graphql_type=SetChannelStatusResult,
    )
    @staticmethod
    async def set_channel_status(
        info: Info,
        setting: Annotated[
            SetChannelStatusInput,
            strawberry.argument(name="input", description="The person, the channel and the status."),
        ],
    ) -> SubscriberRecord | None:
        ref = await set_channel_status(
            ports=info.context.ports,
            workspace=info.context.workspace,
            subscriber=subscriber_key(setting.subscriber),
            channel=setting.channel.value,
            status=setting.status.value,
            reason=setting.reason or None,
        )
        return await info.context.loaders.subscribers.load((ref.bucket_id, ref.id))
