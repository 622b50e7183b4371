"""The mutation that sets what one person agreed to on one channel."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, NotFound
from audience_gql.api.keys import SubscriberKey, subscriber_key
from audience_gql.api.people.channels import Channel, ChannelStatus
from audience_gql.api.people.subscribers import Subscriber
from audience_gql.audience.people.channels import set_channel_status
from audience_gql.storage.reads.records import SubscriberRecord


@strawberry.input(description="What a person agreed to on a channel.")
class SetChannelStatusInput:
    subscriber: SubscriberKey = strawberry.field(description="Who.")
    channel: Channel = strawberry.field(description="Which channel.")
    status: ChannelStatus = strawberry.field(description="Whether she may be reached through it.")
    reason: str | None = strawberry.field(
        description="Why, up to 1,000 characters. Needed to reach somebody again who left, bounced or complained.",
        default=strawberry.UNSET,
    )


SetChannelStatusResult: TypeAlias = Annotated[
    Subscriber | InvalidInput | NotFound,
    strawberry.union(
        "SetChannelStatusResult",
        description="The person, or why nothing was set: CONSENT when a reason is needed.",
    ),
]


@strawberry.type
class ChannelMutation:
    @strawberry.mutation(
        description="Set what a person agreed to on a channel. The status that she has already is left as it is, "
        "with the time since when.",
        graphql_type=SetChannelStatusResult,
    )
    @staticmethod
    async def set_channel_status(
        info: Info,
        setting: Annotated[
            SetChannelStatusInput, strawberry.argument(name="input", description="Who, and what.")
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
