"""What is known about one person: what the pure evaluation reads instead of tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `properties` are JSON values as they were sent."""

    name: str
    occurred_at: datetime
    value: Decimal | None = None
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """What a person has agreed to on a channel, and since when."""

    status: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A person as stored: what is missing has no entry, and empty text is missing."""

    id: int
    created_at: datetime
    updated_at: datetime
    profile: Mapping[str, str] = field(default_factory=dict)
    """By the name that conditions use, such as `firstName`."""
    birthday: date | None = None
    fields: Mapping[int, object] = field(default_factory=dict)
    """JSON values by custom field id; dates and instants as ISO 8601 texts."""
    channels: Mapping[str, ChannelState] = field(default_factory=dict)
    groups: Mapping[int, datetime] = field(default_factory=dict)
    """When the person was added, by group id."""
    segments: Mapping[int, datetime] = field(default_factory=dict)
    """When the person entered, by segment id: what the stored membership says, which need not be the truth of this moment."""
    events: tuple[Event, ...] = ()
