"""The tables with rows of a bucket."""

from __future__ import annotations

from typing import Final

BUCKETED: Final = (
    "dirty",
    "segment_members",
    "group_members",
    "channel_states",
    "subscriber_dates",
    "event_keys",
    "events",
    "delivery_attempts",
    "deliveries",
    "webhook_changes",
    "webhook_chains",
    "webhook_lanes",
    "runs",
    "automation_places",
    "import_effects",
    "membership_changes",
    "segment_hours",
    "segment_states",
    "group_states",
    "subscribers",
)
"""The tables with rows of a bucket, in the order in which they are emptied: what belongs to people goes before the people."""
