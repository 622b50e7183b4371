"""Previews a segment before it is saved: the number of its people, some of them, and warnings about the condition.

A preview reads everything in one snapshot at one instant, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.answers.estimates import Estimate, estimate, scaled
from audience_gql.audience.definitions.definition_limits import check_size
from audience_gql.audience.definitions.given_conditions import parse_given
from audience_gql.audience.definitions.segments import SegmentCycle
from audience_gql.audience.failures import Issue, NotFound
from audience_gql.audience.people.keys import UNSET, Unset
from audience_gql.audience.ports import Ports
from audience_gql.conditions.base import Condition, Names
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.nesting import ReadsItself, reading_order
from audience_gql.conditions.reasoning.property_types import never_has_type, wanted_types
from audience_gql.conditions.reasoning.warnings import leaves_with_values, nobody_has, warnings
from audience_gql.conditions.vocabulary import PLAIN_IDS, IdCodec, Vocabulary
from audience_gql.conditions.words.summary import summarize
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.reads import previews
from audience_gql.storage.reads.counting import Budget
from audience_gql.storage.reads.pages import Filter
from audience_gql.storage.reads.previews import Tally
from audience_gql.storage.reads.records import SubscriberRecord

LARGEST_SAMPLE: Final = 100
_VALUES_SECONDS: Final = 0.1
"""How long to look for people with the values that a condition names. The types of properties have the same limit."""
_NO_SEGMENT: Final = 0
"""Stands for the given condition if it is not compared to a segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A condition's people, counted or estimated."""

    size: Estimate
    would_enter: int | None
    """How many people match and are not in the compared segment. None without a comparison."""
    would_leave: int | None
    """How many people are in the compared segment and do not match. None without a comparison."""
    sample: tuple[SubscriberRecord, ...]
    summary: str
    warnings: tuple[str, ...]
    matching: Filter
    """The condition, at the instant of the preview."""


async def preview_segment(
    *,
    ports: Ports,
    workspace: Workspace,
    condition: object,
    ids: IdCodec,
    sample: int = 5,
    compared_to: int | Unset | None = UNSET,
    budget: Budget,
) -> Preview:
    """Count the people whom a condition matches, and read up to `sample` of them. The condition and its parts may be empty.

    If `compared_to` is the id of a segment, also count who would enter and leave it if this became its condition.
    Raises NotFound for an unknown segment, InvalidInput, SegmentCycle.
    """
    async with ports.database.snapshot() as connection:
        preview = await _Preview.begin(ports, workspace, connection, compared_to)
        tree = preview.parse(condition, ids, _sample_issues(sample))
        return await preview.count(tree, sample, budget)


class _Preview:
    """One preview, and what it needs to know about its workspace."""

    def __init__(
        self,
        ports: Ports,
        workspace: Workspace,
        connection: Connection,
        *,
        vocabulary: Vocabulary,
        names: Names,
        conditions: Mapping[int, Condition],
        paused_ids: frozenset[int],
        compared_to: int | None,
    ) -> None:
        self._ports = ports
        self._workspace = workspace
        self._connection = connection
        self._vocabulary = vocabulary
        self._names = names
        self._conditions = conditions
        self._paused_ids = paused_ids
        self._compared_to = compared_to

    @classmethod
    async def begin(
        cls, ports: Ports, workspace: Workspace, connection: Connection, compared_to: int | Unset | None
    ) -> _Preview:
        vocabulary, names = await definitions.vocabulary_and_names(connection, workspace.id)
        segments = await segment_definitions.segments(connection, workspace.id)
        conditions = {
            segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS) for segment in segments
        }
        if not isinstance(compared_to, Unset) and compared_to not in conditions:
            raise NotFound("there is no segment with this id", ("compared_to",))
        return cls(
            ports,
            workspace,
            connection,
            vocabulary=vocabulary,
            names=names,
            conditions=conditions,
            paused_ids=frozenset(segment.id for segment in segments if segment.is_paused),
            compared_to=None if isinstance(compared_to, Unset) else compared_to,
        )

    def parse(self, condition: object, ids: IdCodec, issues: list[Issue]) -> Condition:
        """Parse the condition. Raises InvalidInput with its problems and with `issues`, which were found before."""
        tree = parse_given(
            condition,
            vocabulary=self._vocabulary,
            paused_ids=self._paused_ids,
            ids=ids,
            path=("condition",),
            other_issues=issues,
            allow_empty=True,
        )
        self._check_nesting(tree)
        return tree

    async def count(self, tree: Condition, sample: int, budget: Budget) -> Preview:
        matching = Filter(
            condition=tree,
            inner=self._conditions,
            vocabulary=self._vocabulary,
            now=await self._ports.clock.now(self._connection),
        )
        tally = await previews.tally(
            self._connection,
            self._workspace.id,
            matching,
            compared_to=self._compared_to,
            sample=sample,
            budget=budget,
        )
        is_compared = self._compared_to is not None
        return Preview(
            size=estimate(matched=tally.matched, seen=tally.seen, people=tally.people),
            would_enter=_scaled(tally.entering, tally) if is_compared else None,
            would_leave=_scaled(tally.leaving, tally) if is_compared else None,
            sample=tally.sample,
            summary=summarize(tree, self._names),
            warnings=(
                *self._warnings(tree),
                *await self._unseen_values(matching, tally),
                *await self._unseen_types(matching, tally),
            ),
            matching=matching,
        )

    def _check_nesting(self, tree: Condition) -> None:
        edited_id = _NO_SEGMENT if self._compared_to is None else self._compared_to
        edited = {**self._conditions, edited_id: tree}
        try:
            reading_order((tree,), edited)
        except ReadsItself as circle:
            raise SegmentCycle(circle.cycle, ("condition",)) from circle
        check_size(edited, edited_id, ("condition",))

    def _warnings(self, tree: Condition) -> tuple[str, ...]:
        others = {
            self._names.segments[segment_id]: condition
            for segment_id, condition in self._conditions.items()
            if segment_id != self._compared_to
        }
        return warnings(tree, names=self._names, vocabulary=self._vocabulary, others=others)

    async def _unseen_values(self, matching: Filter, tally: Tally) -> list[str]:
        if not tally.people:
            return []
        leaves = leaves_with_values(matching.condition)
        unseen = await previews.never_seen(
            self._connection, self._workspace.id, leaves, matching, seconds=_VALUES_SECONDS
        )
        return [nobody_has(leaf, self._names) for leaf in unseen]

    async def _unseen_types(self, matching: Filter, tally: Tally) -> list[str]:
        wanted = wanted_types(matching.condition)
        found = await previews.types_of_properties(
            self._connection,
            self._workspace.id,
            tally.bucket_ids,
            [(it.event, it.key) for it in wanted],
            matching.now,
            seconds=_VALUES_SECONDS,
        )
        told = (
            never_has_type(it, types) for it, types in zip(wanted, found, strict=False)
        )  # `found` is shorter if the time ran out
        return [sentence for sentence in told if sentence is not None]


def _sample_issues(sample: int) -> list[Issue]:
    if 0 <= sample <= LARGEST_SAMPLE:
        return []
    message = f"must be 0 to {LARGEST_SAMPLE}, not {sample}"
    return [Issue(code="OUT_OF_RANGE", message=message, path=("sample",))]


def _scaled(count: int, tally: Tally) -> int:
    return scaled(count, seen=tally.seen, people=tally.people)
