"""Tells who entered and left a segment in a period, why, and how long they had stayed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from audience_gql.audience.ports import Ports
from audience_gql.storage.insights.flows import BucketFlow, CauseFlow, flow_in_bucket
from audience_gql.storage.insights.log_positions import positions_before


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The changes of one segment in a period."""

    start: datetime
    end: datetime
    """The first instant after the period."""
    members_at_start: int
    """Right before the period."""
    members_at_end: int
    causes: tuple[CauseFlow, ...]
    """Sorted by cause; only those of which there are changes."""
    came: int
    """Different people who entered."""
    came_back: int
    """Different people who entered and had left before, in the period or earlier in the log."""
    left: int
    """Different people who left."""
    median_stay: timedelta | None
    """Of the stays that ended in the period; None if none did."""


async def flow_of_segment(
    *, ports: Ports, workspace_id: int, segment_id: int, start: datetime, end: datetime
) -> Flow:
    """What happened to a segment from `start` until before `end`, in one snapshot. Raises LogExpired."""
    async with ports.database.snapshot() as connection:
        after = await positions_before(connection, workspace_id, start)
        upto = await positions_before(connection, workspace_id, end)
        parts = [
            await flow_in_bucket(connection, bucket_id, segment_id, after=after[bucket_id], upto=last)
            for bucket_id, last in upto.items()
        ]
    entered, left = _by_cause(parts)
    members_at_end = sum(part.members_at_end for part in parts)
    return Flow(
        start=start,
        end=end,
        members_at_start=members_at_end - entered.total() + left.total(),
        members_at_end=members_at_end,
        causes=tuple(
            CauseFlow(cause=cause, entered=entered[cause], left=left[cause])
            for cause in sorted(entered.keys() | left.keys())
        ),
        came=sum(part.came for part in parts),
        came_back=sum(part.came_back for part in parts),
        left=sum(part.left for part in parts),
        median_stay=await _median_stay(parts),
    )


def _by_cause(parts: Sequence[BucketFlow]) -> tuple[Counter[str], Counter[str]]:
    """The numbers of entries and of exits."""
    entered: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for part in parts:
        entered.update({it.cause: it.entered for it in part.causes})
        left.update({it.cause: it.left for it in part.causes})
    return entered, left


async def _median_stay(parts: Sequence[BucketFlow]) -> timedelta | None:
    stays = [stay for part in parts for stay in part.stays]
    if not stays:
        return None
    # In a thread, because there can be very many, and the event loop serves everybody else.
    return timedelta(microseconds=await asyncio.to_thread(median, stays))
