"""lastEvent: when an event happened for the last time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from audience_gql.conditions.filters.event_time import EVENT_TIME_FILTER, EventTime
from audience_gql.conditions.registry import Kind, register


class LastEvent(EventTime):
    """The newest of these events passes a filter."""

    __slots__ = ()
    kind = "lastEvent"
    word = "last"
    newest_counting = 1
    pick_sql = "max(e.occurred_at)"

    @staticmethod
    def pick(times: Iterable[datetime]) -> datetime | None:
        return max(times, default=None)


register(
    Kind(
        name="lastEvent",
        label="last did",
        description="When an event happened for the last time.",
        category="ENGAGEMENT",
        type=EVENT_TIME_FILTER,
        build=LastEvent.of,
        example={
            "name": "cart_updated",
            "at": {"inLast": {"days": 1}},
            "notFollowedBy": {"name": "order_placed"},
        },
    )
)
