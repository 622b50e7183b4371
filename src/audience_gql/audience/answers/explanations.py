"""Explains why a person is in a segment or not, and until when this lasts if no new fact arrives.

It must not decide who is a member: the stored membership does, and an explanation agrees with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.people.profiles import named_identity
from audience_gql.audience.ports import Ports
from audience_gql.conditions.base import Condition, Names, Read
from audience_gql.conditions.codec import parse
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.periods import WeekStart
from audience_gql.conditions.reasoning.dependencies import event_leaf_count, reads
from audience_gql.conditions.reasoning.explanation import Finding, explain
from audience_gql.conditions.reasoning.nesting import verdict_order
from audience_gql.conditions.vocabulary import PLAIN_IDS, IdCodec
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.people.facts import Owner
from audience_gql.storage.people.identities import owners_of
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.reads.person_facts import TooManyEvents, facts_by_owners
from audience_gql.storage.segment_definitions import SegmentDefinition

MOST_LOOKS: Final = 400_000
"""The most events that all leaves of one call may examine together: a few seconds of work."""


@dataclass(frozen=True, slots=True)
class Question:
    """Why is this person in this segment, or why not?"""

    segment_id: int
    subscriber: SubscriberKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The condition of a revision for one person, at the instant of the evaluation."""

    evaluated_at: datetime
    revision: int
    nodes: tuple[Finding, ...]
    """Each node comes before the nodes inside it."""

    @property
    def root(self) -> Finding:
        return self.nodes[0]

    @property
    def is_member(self) -> bool:
        return self.root.matches

    @property
    def next_change(self) -> datetime | None:
        return self.root.next_change


async def explain_memberships(
    *, ports: Ports, workspace_id: int, questions: Sequence[Question], ids: IdCodec
) -> list[Explanation | None]:
    """An answer to each question; None if the person or the segment does not exist.

    All answers come from one snapshot and one instant. One question needs as many statements as many do. Raises TooManyEvents.
    """
    async with ports.database.snapshot() as connection:
        now = await ports.clock.now(connection)
        known = await _read(connection, workspace_id, questions)
    known.refuse_too_much_work(questions)
    # In a thread, because a person may have very many events and the event loop serves everybody else.
    return await asyncio.to_thread(lambda: [known.answer(question, now, ids) for question in questions])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Everything that the answers need."""

    timezone: str
    week_start: WeekStart
    names: Names
    segments: Mapping[int, SegmentDefinition]
    conditions: Mapping[int, Condition]
    owners: Mapping[SubscriberKey, Owner]
    people: Mapping[Owner, Facts]

    def refuse_too_much_work(self, questions: Sequence[Question]) -> None:
        """Raise TooManyEvents if the answers would need more than MOST_LOOKS."""
        looks = 0
        for question in questions:
            owner = self.owners.get(question.subscriber)
            person = None if owner is None else self.people.get(owner)
            if person is not None and question.segment_id in self.conditions:
                looks += len(person.events) * self._event_leaves(question.segment_id)
        if looks > MOST_LOOKS:
            raise TooManyEvents("too many events to examine; ask fewer questions in one request")

    def _event_leaves(self, segment_id: int) -> int:
        """How many leaves examine a person's events, including those of inner segments."""
        inner = verdict_order([self.conditions[segment_id]], self.conditions)
        return sum(
            event_leaf_count(self.conditions[each])
            for each in (segment_id, *(verdict.id for verdict in inner))
        )

    def answer(self, question: Question, now: datetime, ids: IdCodec) -> Explanation | None:
        segment = self.segments.get(question.segment_id)
        owner = self.owners.get(question.subscriber)
        if segment is None or owner is None or owner not in self.people:
            return None
        nodes = explain(
            self.conditions[segment.id],
            self.people[owner],
            now,
            self.conditions,
            timezone=self.timezone,
            week_start=self.week_start,
            names=self.names,
            ids=ids,
        )
        return Explanation(evaluated_at=now, revision=segment.revision, nodes=nodes)


async def _read(connection: Connection, workspace_id: int, questions: Sequence[Question]) -> _Known:
    segments = await segment_definitions.segments_with_inner(
        connection, workspace_id, {question.segment_id for question in questions}
    )
    vocabulary, names = await definitions.vocabulary_and_names(connection, workspace_id)
    conditions = {
        segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
        for segment in segments.values()
    }
    owners = await _owners(connection, workspace_id, {question.subscriber for question in questions})
    wanted: set[Read] = set()
    people = await facts_by_owners(
        connection,
        workspace_id,
        frozenset(owners.values()),
        reads=wanted.union(*(reads(condition) for condition in conditions.values())),
        event_ids=vocabulary.event_names,
    )
    return _Known(
        timezone=vocabulary.timezone,
        week_start=vocabulary.week_start,
        names=names,
        segments=segments,
        conditions=conditions,
        owners=owners,
        people=people,
    )


async def _owners(
    connection: Connection, workspace_id: int, keys: set[SubscriberKey]
) -> dict[SubscriberKey, Owner]:
    """Where each key's person is stored. A key that nobody has is left out; an id is not checked."""
    named = {key: named_identity(key.kind, key.value) for key in keys if key.kind != "id"}
    identities = {key: identity for key, identity in named.items() if identity is not None}
    found = await owners_of(connection, workspace_id, set(identities.values()))
    by_id = {key: (key.value.bucket_id, key.value.id) for key in keys if isinstance(key.value, SubscriberRef)}
    return by_id | {key: found[identity] for key, identity in identities.items() if identity in found}
