"""A DataLoader for each relation: one statement for all people, or segments, of a level."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from strawberry.dataloader import DataLoader

from benchmarks.reads.naive_server.models import (
    ChannelRow,
    CustomFieldRow,
    GroupMemberRow,
    GroupRow,
    SegmentStateRow,
)

BUCKET_ID: Final = int(os.environ["BUCKET_ID"])


@dataclass
class Context:
    """The loaders of one request."""

    counts: DataLoader[int, int] = field(default_factory=lambda: DataLoader(load_counts))
    groups: DataLoader[int, list[GroupRow]] = field(default_factory=lambda: DataLoader(load_groups))
    channels: DataLoader[int, list[ChannelRow]] = field(default_factory=lambda: DataLoader(load_channels))
    keys: DataLoader[int, str] = field(default_factory=lambda: DataLoader(load_keys))


async def load_counts(segment_ids: list[int]) -> list[int]:
    rows = await SegmentStateRow.filter(bucket_id=BUCKET_ID, segment_id__in=segment_ids)
    members = {row.segment_id: row.members for row in rows}
    return [members.get(it, 0) for it in segment_ids]


async def load_groups(person_ids: list[int]) -> list[list[GroupRow]]:
    rows = (
        await GroupMemberRow.filter(bucket_id=BUCKET_ID, subscriber_id__in=person_ids)
        .order_by("-added_at", "-group_id")
        .prefetch_related("group")
    )
    groups: dict[int, list[GroupRow]] = defaultdict(list)
    for row in rows:
        groups[row.subscriber_id].append(row.group)
    return [groups[it] for it in person_ids]


async def load_channels(person_ids: list[int]) -> list[list[ChannelRow]]:
    rows = await ChannelRow.filter(bucket_id=BUCKET_ID, subscriber_id__in=person_ids).order_by("channel")
    channels: dict[int, list[ChannelRow]] = defaultdict(list)
    for row in rows:
        channels[row.subscriber_id].append(row)
    return [channels[it] for it in person_ids]


async def load_keys(field_ids: list[int]) -> list[str]:
    keys = {row.id: row.key for row in await CustomFieldRow.filter(id__in=field_ids)}
    return [keys[it] for it in field_ids]
