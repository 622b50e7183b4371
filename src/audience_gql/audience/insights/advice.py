"""Looks through a workspace's segments and advises what to tidy up: empty ones, duplicates, and those that nobody uses or reviews.

It reads everything in one snapshot, changes nothing, and names nothing that is only a matter of taste.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final, Literal, TypeAlias, get_args

from audience_gql.audience.definitions.stored_conditions import StoredConditions
from audience_gql.audience.insights.pairs import Pair, Pairs
from audience_gql.audience.ports import Ports
from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.dependencies import edges, reads
from audience_gql.conditions.reasoning.nesting import reading_order, segments_read
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.storage import buckets, definitions, segment_definitions
from audience_gql.storage.ids import SUBSCRIBER_IDS
from audience_gql.storage.insights import advice
from audience_gql.storage.insights.advice import SegmentRow
from audience_gql.storage.postgres.database import Connection

UNUSED_AFTER: Final = timedelta(days=90)
UNCHANGED_AFTER: Final = timedelta(days=90)
REVIEW_NEW_AFTER: Final = timedelta(days=90)
REVIEW_AGAIN_AFTER: Final = timedelta(days=180)
MOST_COMPARED: Final = 500
"""So many segments are compared with one another. If there are more, the largest are."""
SMALL_SHARE: Final = 0.01
MANY_SMALL: Final = 10
"""More small segments than this give an advice."""
_NAMED: Final = 3
"""How many small segments the message names."""
_MEMBERSHIPS_AT_ONCE: Final = 300_000

Kind: TypeAlias = Literal[
    "EQUAL",
    "ALIKE",
    "EMPTY",
    "EVERYBODY",
    "CONTAINED",
    "NEVER_CHANGING",
    "UNUSED",
    "NEVER_REVIEWED",
    "TOO_SMALL",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""In the order of the answer: what is most likely a mistake comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One finding and what to do about it. `segment_id` is None if it is about many segments."""

    kind: Kind
    segment_id: int | None
    other_id: int | None = None
    people: int
    message: str


async def segment_advice(*, ports: Ports, workspace_id: int, kinds: Collection[Kind]) -> list[Advice]:
    """All advice of these kinds, by kind and then by the name of the segment."""
    async with ports.database.snapshot() as connection:
        seen = await _Seen.read(ports, connection, workspace_id)
        pairs = await _pairs(connection, seen) if {"EQUAL", "ALIKE", "CONTAINED"} & set(kinds) else []
    found = [it for it in (*_of_each(seen), *_of_pairs(seen, pairs), *_of_all(seen)) if it.kind in kinds]
    return sorted(found, key=lambda it: (KINDS.index(it.kind), seen.folded_name(it.segment_id)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is known about the workspace's segments at one instant."""

    now: datetime
    bucket_ids: Sequence[int]
    people: int
    segments: Mapping[int, SegmentRow]
    changed: Mapping[int, datetime]
    """When each segment's membership last changed. One that never changed is left out."""
    conditions: Mapping[int, Condition]
    vocabulary: Vocabulary
    named: frozenset[int]
    """The segments that automations or the conditions of segments name."""

    @classmethod
    async def read(cls, ports: Ports, connection: Connection, workspace_id: int) -> _Seen:
        segments = await advice.segments(connection, workspace_id)
        bucket_ids = await buckets.bucket_ids(connection, workspace_id)
        vocabulary = await definitions.vocabulary(connection, workspace_id)
        conditions = StoredConditions(
            await segment_definitions.segments(connection, workspace_id), vocabulary
        )
        asked = [
            parse(stored, vocabulary=vocabulary, ids=PLAIN_IDS)
            for stored in await advice.conditions_of_automations(connection, workspace_id)
        ]
        named = await advice.segments_starting_automations(connection, workspace_id)
        return cls(
            now=await ports.clock.now(connection),
            bucket_ids=bucket_ids,
            people=await advice.count_people(connection, workspace_id),
            segments=segments,
            changed=await advice.last_changes(connection, bucket_ids, segments),
            conditions=conditions,
            vocabulary=vocabulary,
            named=named.union(*map(segments_read, (*conditions.values(), *asked))),
        )

    @property
    def ready(self) -> dict[int, int]:
        """The number of members of each segment that is READY. The members of others say nothing about the condition."""
        return {id_: it.members for id_, it in self.segments.items() if it.state == "READY"}

    def folded_name(self, segment_id: int | None) -> str:
        return "" if segment_id is None else self.segments[segment_id].name_folded

    def name(self, segment_id: int) -> str:
        return f'"{self.segments[segment_id].name}"'

    def can_change(self, segment_id: int) -> bool:
        """Whether facts or the clock can alter whom the condition matches. `all` without entries is the opposite."""
        condition = self.conditions[segment_id]
        return bool(reads(condition) or edges(condition, self.vocabulary))

    def is_nested(self, pair: Pair) -> bool:
        """Whether one segment of the pair reads the other, directly or through others, so that they are alike on purpose."""
        return self._reads(pair.small, pair.large) or self._reads(pair.large, pair.small)

    def _reads(self, segment_id: int, other_id: int) -> bool:
        return other_id in reading_order((self.conditions[segment_id],), self.conditions)


def _of_each(seen: _Seen) -> Iterator[Advice]:
    for segment in seen.segments.values():
        if segment.state == "READY" and seen.people:
            yield from _of_members(seen, segment)
        yield from _of_use(seen, segment)
        yield from _of_reviews(seen, segment)


def _of_members(seen: _Seen, segment: SegmentRow) -> Iterator[Advice]:
    """At most one: a segment that is empty because of its condition never changes either."""
    name, members = seen.name(segment.id), segment.members
    changed_at = max(segment.created_at, seen.changed.get(segment.id, segment.created_at))
    if not members:
        yield _about(
            segment,
            "EMPTY",
            f"Nobody is in {name}. Look at the funnel of its condition, and change the condition or delete the segment.",
        )
    elif members == seen.people:
        yield _about(
            segment,
            "EVERYBODY",
            f"All {members:,} people are in {name}, so it leaves nobody out. Change its condition or delete the segment.",
        )
    elif changed_at < seen.now - UNCHANGED_AFTER and seen.can_change(segment.id):
        yield _about(
            segment,
            "NEVER_CHANGING",
            f"Nobody has entered or left {name} for {_days(seen.now - changed_at)}, although its condition can change. Check whether "
            "the facts that it reads still arrive.",
        )


def _of_use(seen: _Seen, segment: SegmentRow) -> Iterator[Advice]:
    used_at = max(segment.created_at, segment.last_read_at or segment.created_at)
    if used_at < seen.now - UNUSED_AFTER and segment.id not in seen.named:
        yield _about(
            segment,
            "UNUSED",
            f"Nobody has read {seen.name(segment.id)} for {_days(seen.now - used_at)}, and no automation and no other segment names it. "
            "Delete it if nobody needs it.",
        )


def _of_reviews(seen: _Seen, segment: SegmentRow) -> Iterator[Advice]:
    name, reviewed_at = seen.name(segment.id), segment.reviewed_at
    if reviewed_at is None and segment.created_at < seen.now - REVIEW_NEW_AFTER:
        since = f"since it was created {_days(seen.now - segment.created_at)} ago"
    elif reviewed_at is not None and reviewed_at < seen.now - REVIEW_AGAIN_AFTER:
        since = f"for {_days(seen.now - reviewed_at)}"
    else:
        return
    message = f"Nobody has reviewed {name} {since}. Check its condition, then mark it as reviewed."
    yield _about(segment, "NEVER_REVIEWED", message)


def _about(segment: SegmentRow, kind: Kind, message: str) -> Advice:
    return Advice(kind=kind, segment_id=segment.id, people=segment.members, message=message)


def _of_pairs(seen: _Seen, pairs: Sequence[Pair]) -> Iterator[Advice]:
    """At most one for each segment: about the segment that it is most like, or else about the smallest one that contains it."""
    told: set[int] = set()
    for pair in sorted(pairs, key=lambda it: (-it.jaccard, it.large_members, it.large)):
        if pair.is_alike and pair.small not in told and not seen.is_nested(pair):
            told.add(pair.small)
            yield _alike(seen, pair)
    for pair in sorted(pairs, key=lambda it: (it.large_members, it.large)):
        if pair.is_contained and pair.small not in told and not seen.is_nested(pair):
            told.add(pair.small)
            yield _contained(seen, pair)


def _alike(seen: _Seen, pair: Pair) -> Advice:
    small, large = seen.name(pair.small), seen.name(pair.large)
    if pair.is_equal:
        message = f"{small} and {large} have the same {pair.both:,} members. Keep one of them."
    else:
        message = (
            f"{small} and {large} have {pair.both:,} members in common, which is {100 * pair.jaccard:.1f} % of all who are in either. "
            "Check whether one of them is enough."
        )
    kind: Kind = "EQUAL" if pair.is_equal else "ALIKE"
    return Advice(kind=kind, segment_id=pair.small, other_id=pair.large, people=pair.both, message=message)


def _contained(seen: _Seen, pair: Pair) -> Advice:
    message = (
        f"All {pair.both:,} members of {seen.name(pair.small)} are in {seen.name(pair.large)} too, which has {pair.large_members:,}. "
        "Whoever writes to both reaches them twice. Exclude one in the other's condition, or use only the larger one."
    )
    return Advice(
        kind="CONTAINED", segment_id=pair.small, other_id=pair.large, people=pair.both, message=message
    )


def _of_all(seen: _Seen) -> Iterator[Advice]:
    limit = SMALL_SHARE * seen.people
    ready = seen.ready
    small = sorted(
        (id_ for id_, members in ready.items() if 0 < members < limit),
        key=lambda id_: (ready[id_], seen.folded_name(id_)),
    )
    if len(small) > MANY_SMALL:
        names = ", ".join(map(seen.name, small[:_NAMED]))
        message = (
            f"{len(small)} segments have less than 1 % of the audience each, for example {names}. Consider larger segments: they are "
            "easier to compare and to keep up to date."
        )
        yield Advice(kind="TOO_SMALL", segment_id=None, people=ready[small[-1]], message=message)


async def _pairs(connection: Connection, seen: _Seen) -> list[Pair]:
    """The pairs of READY segments that matter. Segments without members and with all people are in none."""
    members = {id_: count for id_, count in seen.ready.items() if 0 < count < seen.people}
    largest = sorted(members, key=lambda id_: (-members[id_], id_))[:MOST_COMPARED]
    pairs = Pairs({id_: members[id_] for id_ in largest})
    for bucket_id in seen.bucket_ids:
        sizes = await advice.members_by_segment(connection, bucket_id, pairs.segment_ids)
        slices = max(1, ceil(sum(sizes.values()) / _MEMBERSHIPS_AT_ONCE))
        for number in range(slices):
            if not pairs.segment_ids:
                return []
            after, through = (SUBSCRIBER_IDS * edge // slices - 1 for edge in (number, number + 1))
            people = await advice.members(
                connection, bucket_id, pairs.segment_ids, after=after, through=through
            )
            # In a thread, because the event loop serves everybody else.
            await asyncio.to_thread(pairs.see, people)
    return pairs.found()


def _days(time: timedelta) -> str:
    return f"{time.days} days"
