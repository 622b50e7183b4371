"""The data loaders of the answers about audiences: their past, how they perform, and why they are so small.

They belong to the loaders of an operation and live as long as those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from audience_gql.api.loading.batching import Loader
from audience_gql.audience.insights.flows import Flow, flow_of_segment
from audience_gql.audience.insights.funnels import Funnel, segment_funnels
from audience_gql.audience.insights.performance import Comparison, EventPerformance, performance_of_segment
from audience_gql.audience.ports import Ports
from audience_gql.storage.insights import past
from audience_gql.storage.insights.past import WasMember
from audience_gql.storage.reads import pages
from audience_gql.storage.reads.counting import Budget
from audience_gql.storage.reads.list_pages import Members
from audience_gql.storage.reads.pages import Filter
from audience_gql.storage.reads.records import SubscriberRecord
from audience_gql.storage.reads.slices import Entries, Slice

PeriodOf: TypeAlias = tuple[int, datetime, datetime]
"""A segment's id, the beginning of a period, and the first instant after it."""
PastPage: TypeAlias = tuple[int, Slice, datetime]
"""A segment's id, a part of the list of its members, and the instant at which they were members."""

FunnelOf: TypeAlias = tuple[int, Budget]
"""A segment's id, and how long counting its funnel may take."""


@dataclass(frozen=True, slots=True, eq=False)
class MatchingPage:
    """A part of the list of people who match a filter. Each object is a question of its own."""

    matching: Filter
    part: Slice


class InsightLoaders:
    """One operation's loaders for one workspace. What may take long has database connections of its own."""

    def __init__(self, ports: Ports, heavy_ports: Ports, workspace_id: int) -> None:
        self._ports = ports
        self._heavy_ports = heavy_ports
        self._workspace_id = workspace_id

    def forget(self) -> None:
        """Drop all loaders and what they have read, as `Loaders.forget` does."""
        vars(self).clear()

    @cached_property
    def past_members(self) -> Loader[PastPage, Members]:
        return Loader(self._past_members)

    @cached_property
    def were_members(self) -> Loader[WasMember, bool | None]:
        return Loader(self._were_members)

    @cached_property
    def flows(self) -> Loader[PeriodOf, Flow]:
        return Loader(self._flows)

    @cached_property
    def performances(self) -> Loader[Comparison, list[EventPerformance]]:
        return Loader(self._performances)

    @cached_property
    def funnels(self) -> Loader[FunnelOf, Funnel | None]:
        return Loader(self._funnels)

    @cached_property
    def matching_people(self) -> Loader[MatchingPage, Entries[SubscriberRecord]]:
        """Lists that may take long. An operation reads them one after the other."""
        return Loader(self._matching_people)

    async def _past_members(self, questions: list[PastPage]) -> list[Members]:
        """Segments of which the same part at the same instant is wanted share their statements."""
        segments: dict[tuple[Slice, datetime], list[int]] = {}
        for segment_id, part, instant in questions:
            segments.setdefault((part, instant), []).append(segment_id)
        database = self._heavy_ports.database
        found = {
            (part, instant): await past.members_of_segments(
                database, self._workspace_id, segment_ids, part, instant=instant
            )
            for (part, instant), segment_ids in segments.items()
        }
        return [found[part, instant][segment_id] for segment_id, part, instant in questions]

    async def _were_members(self, questions: list[WasMember]) -> Sequence[bool | None]:
        found = await past.were_members(self._ports.database, self._workspace_id, questions)
        return [found.get(question) for question in questions]

    async def _flows(self, questions: list[PeriodOf]) -> list[Flow]:
        ports, workspace_id = self._heavy_ports, self._workspace_id
        return [
            await flow_of_segment(
                ports=ports, workspace_id=workspace_id, segment_id=segment_id, start=start, end=end
            )
            for segment_id, start, end in questions
        ]

    async def _performances(self, questions: list[Comparison]) -> list[list[EventPerformance]]:
        ports, workspace_id = self._heavy_ports, self._workspace_id
        return [
            await performance_of_segment(ports=ports, workspace_id=workspace_id, wanted=wanted)
            for wanted in questions
        ]

    async def _funnels(self, questions: list[FunnelOf]) -> list[Funnel | None]:
        found = await segment_funnels(
            ports=self._heavy_ports,
            workspace_id=self._workspace_id,
            segment_ids={segment_id for segment_id, _ in questions},
            budget=questions[0][1],
        )
        return [found.get(segment_id) for segment_id, _ in questions]

    async def _matching_people(self, questions: list[MatchingPage]) -> list[Entries[SubscriberRecord]]:
        return [
            await pages.subscribers(
                self._heavy_ports.database,
                self._workspace_id,
                question.part,
                order_by="CREATED_DESC",
                words=(),
                matching=question.matching,
            )
            for question in questions
        ]
