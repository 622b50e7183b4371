"""The future of one segment's members if nothing happens: the definitions, the people whom the clock may move, and what it does to them.

It must not decide who is a member.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from audience_gql.audience.answers.explanations import MOST_LOOKS
from audience_gql.audience.engine.due import edges_of
from audience_gql.conditions.base import AnyEdge, Condition, Names, Read
from audience_gql.conditions.codec import parse
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.reasoning.dependencies import event_leaf_count, reads
from audience_gql.conditions.reasoning.future import Future
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.storage import buckets, definitions, segment_definitions
from audience_gql.storage.engine.edges import Range, crossed, ids_on_edges
from audience_gql.storage.insights.people import stay
from audience_gql.storage.people.facts import Owner
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.reads.person_facts import TooManyEvents, facts_by_owners

Result = TypeVar("Result")

PEOPLE_AT_ONCE: Final = 1_000
"""So many people's facts are in memory at once."""
_LOOKS_AT_ONCE: Final = 50_000
"""So many events are examined before the transaction gives a sign of life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFuture:
    """What is needed to look into the future of a segment, read in one snapshot."""

    segment_id: int
    conditions: Mapping[int, Condition]
    """The segment's own, and those of all segments that it reads."""
    future: Future
    edges: frozenset[AnyEdge]
    """The edges of all these conditions."""
    vocabulary: Vocabulary
    names: Names
    now: datetime
    evaluated_through: Mapping[int, datetime]
    """By bucket: what the clock did up to this instant is part of the membership already."""
    stands_still: bool
    """Whether the clock moves nobody, because the segment is paused or failed."""

    def ranges(self, bucket_id: int, after: datetime, upto: datetime) -> list[Range]:
        """The index ranges of facts by which the clock may move people of a bucket in (after, upto]."""
        if self.stands_still:
            return []
        since = min(after, self.evaluated_through[bucket_id]) if after <= self.now else after
        return crossed(self.edges, since, upto, timezone=self.vocabulary.timezone)

    async def people_moving(
        self, connection: Connection, after: datetime, upto: datetime, *, limit: int
    ) -> list[Owner] | None:
        """The people whom the clock may move in (after, upto], by bucket and id. None if there are more than `limit`."""
        found: list[Owner] = []
        for bucket_id in self.evaluated_through:
            room = limit - len(found)
            ranges = self.ranges(bucket_id, after, upto)
            ids = await ids_on_edges(connection, bucket_id, ranges, above=-1, limit=room + 1)
            if len(ids) > room:
                return None
            found += ((bucket_id, id_) for id_ in ids)
        return found

    async def facts_of(
        self, connection: Connection, workspace_id: int, owners: Collection[Owner]
    ) -> dict[Owner, Facts]:
        """The facts about these people, with their entry into the segment. Raises TooManyEvents."""
        wanted = {Read(source="segment", ref=self.segment_id)}
        return await facts_by_owners(
            connection,
            workspace_id,
            owners,
            reads=wanted.union(*(reads(condition) for condition in self.conditions.values())),
            event_ids=self.vocabulary.event_names,
        )

    async def each(
        self,
        connection: Connection,
        workspace_id: int,
        owners: Sequence[Owner],
        look: Callable[[Owner, Facts], Result],
    ) -> list[Result]:
        """The result of `look` for each of these people who exists. Raises TooManyEvents if one person has too many events."""
        try:
            people = await self.facts_of(connection, workspace_id, owners)
        except TooManyEvents:
            if len(owners) == 1:
                raise
            middle = len(owners) // 2
            halves = owners[:middle], owners[middle:]
            return [
                result for half in halves for result in await self.each(connection, workspace_id, half, look)
            ]
        results: list[Result] = []
        for part in self._parts(people):
            # In a thread, because the event loop serves everybody else.
            results += await asyncio.to_thread(_look_at, part, look)
            await stay(connection)
        return results

    def _parts(self, people: Mapping[Owner, Facts]) -> Iterator[list[tuple[Owner, Facts]]]:
        """The people in parts that take about a second at most. Raises TooManyEvents if one person alone would take too long."""
        event_leaves = sum(event_leaf_count(condition) for condition in self.conditions.values())
        part: list[tuple[Owner, Facts]] = []
        looks = 0
        for owner, person in people.items():
            own = len(person.events) * event_leaves
            if own > MOST_LOOKS:
                raise TooManyEvents("a person has too many events to look into their future")
            if looks + own > _LOOKS_AT_ONCE and part:
                yield part
                part, looks = [], 0
            part.append((owner, person))
            looks += own
        if part:
            yield part


def _look_at(people: Sequence[tuple[Owner, Facts]], look: Callable[[Owner, Facts], Result]) -> list[Result]:
    return [look(owner, person) for owner, person in people]


async def read_future(
    connection: Connection, workspace_id: int, segment_id: int, now: datetime
) -> SegmentFuture:
    """Read what is needed. The segment exists. The connection holds a snapshot."""
    stored = await segment_definitions.segments_with_inner(connection, workspace_id, {segment_id})
    vocabulary, names = await definitions.vocabulary_and_names(connection, workspace_id)
    conditions = {
        id_: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS) for id_, segment in stored.items()
    }
    segment, condition = stored[segment_id], conditions[segment_id]
    instants = await buckets.bucket_instants(connection, workspace_id)
    return SegmentFuture(
        segment_id=segment_id,
        conditions=conditions,
        future=Future(condition, conditions, timezone=vocabulary.timezone, week_start=vocabulary.week_start),
        edges=edges_of(condition, conditions, vocabulary),
        vocabulary=vocabulary,
        names=names,
        now=now,
        evaluated_through={it.bucket_id: it.evaluated_through for it in instants},
        stands_still=segment.is_paused or segment.failure is not None,
    )
