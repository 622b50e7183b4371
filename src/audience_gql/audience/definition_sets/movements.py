"""Counts who would enter and leave segments if the conditions were those of an outcome, and which automations that would start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from audience_gql.audience.acting.automation import Automation, FiringCause
from audience_gql.audience.answers.estimates import Estimate, estimate, scaled
from audience_gql.audience.definition_sets.outcomes import Outcome
from audience_gql.audience.definition_sets.plans import Step
from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.kinds.combinators import All, Not
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage.acting.models import Automation as Row
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.reads import batches, previews
from audience_gql.storage.reads.counting import Budget
from audience_gql.storage.reads.pages import Filter
from audience_gql.storage.reads.previews import Tally

Direction: TypeAlias = Literal["ENTERED", "LEFT"]
_SECONDS: Final = 12.0
"""For all counts of a plan together, which must fit into the time of an operation."""
_MOST_SECONDS: Final = 3.0
"""For one count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How many runs an automation would begin."""

    automation: str
    on: Direction
    people: int
    is_at_most: bool
    """Whether a hold or a rule about re-entry may keep it from acting for some of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    size: Estimate
    """How many people the segment would have. The other numbers are estimated if this one is."""
    entering: int
    leaving: int
    starts: tuple[Start, ...]


async def movements(
    connection: Connection,
    workspace: Workspace,
    outcome: Outcome,
    segment_ids: Sequence[int],
    now: datetime,
) -> Mapping[int, Movement]:
    """By id, whom a fill of these segments would move. Paused segments, which are not filled, are left out. The connection holds a snapshot."""
    filled = [segment_id for segment_id in segment_ids if segment_id not in outcome.paused_ids]
    counts = sum(1 + len(_started(outcome, segment_id)) for segment_id in filled)
    budget = Budget(seconds=min(_MOST_SECONDS, _SECONDS / max(1, counts)))
    counting = _Counting(connection, workspace, outcome, now, budget)
    return {segment_id: await counting.movement(segment_id) for segment_id in filled}


async def departures(
    connection: Connection, workspace: Workspace, steps: Sequence[Step]
) -> Mapping[int, Movement]:
    """By id, whom the deletion of segments and groups moves. It starts nothing: what starts an automation cannot be deleted."""
    deleted = [step for step in steps if step.action == "DELETE"]
    groups = [step.id for step in deleted if step.kind == "GROUP"]
    segments = [step.id for step in deleted if step.kind == "SEGMENT"]
    in_groups = await batches.member_count_by_groups(connection, workspace.id, groups)
    figures = await batches.figures_by_segments(connection, workspace.id, segments)
    leaving = {**in_groups, **{number: known.members for number, known in figures.items()}}
    return {
        number: Movement(size=Estimate(0, 0), entering=0, leaving=count, starts=())
        for number, count in leaving.items()
    }


class _Counting:
    def __init__(
        self, connection: Connection, workspace: Workspace, outcome: Outcome, now: datetime, budget: Budget
    ) -> None:
        self._connection = connection
        self._workspace = workspace
        self._outcome = outcome
        self._now = now
        self._budget = budget

    async def movement(self, segment_id: int) -> Movement:
        tree = self._outcome.conditions[segment_id]
        tally = await self._tally(tree, segment_id)
        starts = [
            start
            for row in _started(self._outcome, segment_id)
            for start in await self._starts(row, tree, tally, segment_id)
        ]
        return Movement(
            size=estimate(matched=tally.matched, seen=tally.seen, people=tally.people),
            entering=_scaled(tally.entering, tally),
            leaving=_scaled(tally.leaving, tally),
            starts=tuple(starts),
        )

    async def _starts(self, row: Row, tree: Condition, tally: Tally, segment_id: int) -> list[Start]:
        rules = Automation.of(row).rules
        asked: Condition | None = None
        if rules.only_if is not None:
            asked = parse(rules.only_if, vocabulary=self._outcome.vocabulary, ids=PLAIN_IDS)
        counts: dict[Direction, int] = {}
        if row.on_entered:
            if asked is not None:
                tally = await self._tally(All(conditions=(tree, asked)), segment_id)
            counts["ENTERED"] = _scaled(tally.entering, tally)
        if row.on_left:
            counts["LEFT"] = await self._leaving(tree, asked, tally, segment_id)
        is_bounded = rules.hold is not None or rules.reentry.is_once or rules.reentry.once_in is not None
        return [
            Start(automation=row.name, on=on, people=people, is_at_most=is_bounded)
            for on, people in counts.items()
        ]

    async def _leaving(self, tree: Condition, asked: Condition | None, tally: Tally, segment_id: int) -> int:
        """How many leave and match what is asked."""
        if asked is None:
            return _scaled(tally.leaving, tally)
        others = await self._tally(All(conditions=(Not(condition=tree), asked)), segment_id)
        return _scaled(others.matched - others.entering, others)  # those of them who are members

    async def _tally(self, tree: Condition, segment_id: int) -> Tally:
        matching = Filter(
            condition=tree,
            inner=self._outcome.conditions,
            vocabulary=self._outcome.vocabulary,
            now=self._now,
        )
        return await previews.tally(
            self._connection,
            self._workspace.id,
            matching,
            compared_to=segment_id,
            sample=0,
            budget=self._budget,
        )


def _started(outcome: Outcome, segment_id: int) -> list[Row]:
    """The automations that act when an edit moves people into or out of the segment."""
    return [
        row
        for row in outcome.automations
        if (row.list_kind, row.list_id) == ("SEGMENT", segment_id)
        and not row.is_paused
        and FiringCause.DEFINITION in Automation.of(row).rules.causes
    ]


def _scaled(count: int, tally: Tally) -> int:
    return scaled(count, seen=tally.seen, people=tally.people)
