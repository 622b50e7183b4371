"""The facts about one person, which the evaluation in Python reads instead of tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from audience_gql.conditions.locations import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of the person. `properties` are JSON values as they were sent."""

    name: str
    occurred_at: datetime
    value: Decimal | None = None
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFact:
    """The person's consent on one channel, and since when it holds."""

    status: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A person as stored. A missing value has no entry, and empty text counts as missing."""

    id: int
    created_at: datetime
    updated_at: datetime
    profile: Mapping[str, str] = field(default_factory=dict)
    """Values by the name that conditions use, such as `firstName`."""
    birthday: date | None = None
    location: Location | None = None
    """With the vector as it is stored. Another machine can compute a vector that differs in the last bit."""
    fields: Mapping[int, object] = field(default_factory=dict)
    """JSON values by custom field id. Dates and instants are ISO 8601 texts."""
    channels: Mapping[str, ChannelFact] = field(default_factory=dict)
    groups: Mapping[int, datetime] = field(default_factory=dict)
    """When the person was added, by group id."""
    segments: Mapping[int, datetime] = field(default_factory=dict)
    """When the person entered, by segment id, according to the stored membership. That may differ from the verdict at this moment."""
    events: tuple[Event, ...] = ()
