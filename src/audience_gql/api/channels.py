"""Channels: the ways to reach a person, and whether the person may be reached through them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import strawberry

from audience_gql.api.shapes import enum
from audience_gql.conditions.vocabulary import CHANNEL_STATUSES, CHANNELS


@enum("A way to reach a person.", **CHANNELS)
class Channel(StrEnum):
    EMAIL = "EMAIL"
    TRANSACTIONAL_EMAIL = "TRANSACTIONAL_EMAIL"
    SMS = "SMS"
    TRANSACTIONAL_SMS = "TRANSACTIONAL_SMS"


@enum("Whether a person may be reached through a channel.", **CHANNEL_STATUSES)
class ChannelStatus(StrEnum):
    ACTIVE = "ACTIVE"
    UNCONFIRMED = "UNCONFIRMED"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    BOUNCED = "BOUNCED"
    SPAM_REPORTED = "SPAM_REPORTED"


@strawberry.type(description="A person's status on one channel.")
class ChannelState:
    channel: Channel = strawberry.field(description="The channel.")
    status: ChannelStatus = strawberry.field(
        description="Whether the person may be reached through the channel."
    )
    changed_at: datetime = strawberry.field(
        description="The instant since which the channel has this status."
    )
    reason: str | None = strawberry.field(
        description="The reason that the caller gave, or the name of the event that set the status. Null for none."
    )
