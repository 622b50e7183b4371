"""Channels: the ways to reach a person, and whether she wants to be reached."""

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


@strawberry.type(description="What is known of a person's wish for one channel.")
class ChannelState:
    channel: Channel = strawberry.field(description="Which channel.")
    status: ChannelStatus = strawberry.field(description="Whether she may be reached through it.")
    changed_at: datetime = strawberry.field(description="Since when.")
    reason: str | None = strawberry.field(description="Why, in the words of whoever set it.")
