"""Channels: the ways to reach a person, and whether she wants to be reached."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import strawberry

from audience_gql.api.shapes import enum


@enum(
    "A way to reach a person.",
    EMAIL="Marketing by email.",
    TRANSACTIONAL_EMAIL="Email about something that the person did.",
    SMS="Marketing by text message.",
    TRANSACTIONAL_SMS="Text messages about something that the person did.",
)
class Channel(StrEnum):
    EMAIL = "EMAIL"
    TRANSACTIONAL_EMAIL = "TRANSACTIONAL_EMAIL"
    SMS = "SMS"
    TRANSACTIONAL_SMS = "TRANSACTIONAL_SMS"


@enum(
    "Whether a person may be reached through a channel.",
    ACTIVE="She wants to be reached.",
    UNCONFIRMED="She was asked and has not said yet.",
    UNSUBSCRIBED="She does not want to be reached.",
    BOUNCED="Messages came back.",
    SPAM_REPORTED="She called a message spam.",
)
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
