"""What is known about one person: what the pure evaluation reads instead of tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `properties` are JSON values as they were sent."""

    name: str
    occurred_at: datetime
    value: Decimal | None = None
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A person as stored: what is missing has no entry, and empty text is missing."""

    created_at: datetime
    updated_at: datetime
    profile: Mapping[str, str] = field(default_factory=dict)
    """By the name that conditions use, such as `firstName`."""
    fields: Mapping[int, object] = field(default_factory=dict)
    """JSON values by custom field id."""
    groups: Mapping[int, datetime] = field(default_factory=dict)
    """When the person was added, by group id."""
    events: tuple[Event, ...] = ()
