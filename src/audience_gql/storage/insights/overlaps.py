"""How many people segments have in common, counted exactly, one bucket after the other in one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from audience_gql.storage import buckets
from audience_gql.storage.ids import SUBSCRIBER_IDS
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.statements import load_statements

MEMBERSHIPS_AT_ONCE: Final = 2_000_000
"""A bucket in which people have more memberships is read in several statements, so that each one ends within its time limit."""
_SQL: Final = load_statements(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How many people are in exactly these segments, and in no other of the segments that were given."""

    segment_ids: tuple[int, ...]
    members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """How many people a segment has in common with another one. At least one."""

    segment_id: int
    """The other segment."""
    both: int
    members: int
    others: int
    """How many members the other segment has."""

    @property
    def jaccard(self) -> float:
        """The share of the people who are in both, of those who are in at least one."""
        return self.both / (self.members + self.others - self.both)


async def overlaps(database: Database, workspace_id: int, segment_ids: Collection[int]) -> list[Overlap]:
    """How many people are in exactly each combination of these segments, the most frequent first. Combinations without people are left out.

    Up to 31 segments, because a combination has one bit for each.
    """
    ordered = sorted(segment_ids)
    bits = [1 << position for position in range(len(ordered))]
    people: Counter[int] = Counter()
    async with database.snapshot() as connection:
        for bucket_id in await buckets.bucket_ids(connection, workspace_id):
            rows = await connection.fetch(_SQL["combinations"], bucket_id, ordered, bits)
            people.update({row["combination"]: row["people"] for row in rows})
    return [
        Overlap(
            segment_ids=tuple(id_ for bit, id_ in zip(bits, ordered, strict=True) if combination & bit),
            members=count,
        )
        for combination, count in sorted(people.items(), key=lambda it: (-it[1], it[0]))
    ]


async def similar(
    database: Database,
    workspace_id: int,
    segment_id: int,
    *,
    first: int,
    memberships_at_once: int = MEMBERSHIPS_AT_ONCE,
) -> list[Similarity]:
    """The other segments of the workspace with the largest Jaccard index, at most `first` of them. Segments without a common member are left out."""
    both: Counter[int] = Counter()
    async with database.snapshot() as connection:
        for bucket in await connection.fetch(_SQL["memberships"], workspace_id):
            bounds = _bounds(-(-bucket["memberships"] // memberships_at_once))
            for low, high in pairwise(bounds):
                rows = await connection.fetch(_SQL["in_common"], bucket["bucket_id"], segment_id, low, high)
                both.update({row["segment_id"]: row["people"] for row in rows})
        sizes = {row["id"]: row["members"] for row in await connection.fetch(_SQL["sizes"], workspace_id)}
    if segment_id not in sizes:  # deleted in the meantime
        return []
    found = [
        Similarity(segment_id=id_, both=people, members=sizes[segment_id], others=sizes[id_])
        for id_, people in both.items()
        if id_ in sizes  # the members of a deleted segment are still being cleared
    ]
    return sorted(found, key=lambda it: (-it.jaccard, it.segment_id))[:first]


def _bounds(parts: int) -> list[int]:
    """Divides the ids of people, which are evenly distributed, into parts of equal length."""
    return [SUBSCRIBER_IDS * part // parts for part in range(parts + 1)] if parts else []
