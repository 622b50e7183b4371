"""firstEvent: when an event happened for the first time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from audience_gql.conditions.filters.event_time import EVENT_TIME_FILTER, EventTime
from audience_gql.conditions.registry import Kind, register


class FirstEvent(EventTime):
    """The oldest of these events passes a filter."""

    __slots__ = ()
    kind = "firstEvent"
    word = "first"
    pick_sql = "min(e.occurred_at)"

    @staticmethod
    def pick(times: Iterable[datetime]) -> datetime | None:
        return min(times, default=None)


register(
    Kind(
        name="firstEvent",
        label="first did",
        description="When an event happened for the first time.",
        category="LIFECYCLE",
        type=EVENT_TIME_FILTER,
        build=FirstEvent.of,
        example={"name": "order_placed", "at": {"inLast": {"days": 30}}},
    )
)
