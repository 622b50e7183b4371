"""The data loaders: everything below the root fields that reads storage. There is one loader per relation and operation.

A loader asks once for all parents of an operation, so a query needs the same number of statements for one parent and for fifty.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

from audience_gql.api.ids import OPAQUE_IDS, Kind, number_of
from audience_gql.api.loading.batching import Loader
from audience_gql.api.loading.insight_loaders import InsightLoaders
from audience_gql.audience.answers.explanations import Explanation, Question, explain_memberships
from audience_gql.audience.engine.due import next_change_by_segments
from audience_gql.audience.ports import Ports
from audience_gql.conditions.base import Names
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.storage import definitions, trail, trusted_documents
from audience_gql.storage.acting import delivery_pages, endpoint_pages
from audience_gql.storage.acting import pages as automations
from audience_gql.storage.acting.deliveries import AttemptRecord
from audience_gql.storage.acting.delivery_pages import DeliveriesOf, DeliveryKey, DeliveryRecord
from audience_gql.storage.acting.models import Automation, WebhookEndpoint
from audience_gql.storage.acting.pages import FiguresOf, RunFigures, RunKey, RunRecord, RunsOf
from audience_gql.storage.exports import ExportRecord, exports_by_ids
from audience_gql.storage.imports.import_messages import RejectKey, RejectRecord, rejects_by_keys
from audience_gql.storage.imports.imports import ImportRecord, imports_by_ids
from audience_gql.storage.insights import sizes
from audience_gql.storage.insights.sizes import Size
from audience_gql.storage.log import LoggedChange
from audience_gql.storage.orm.models import ApiToken, CustomField, Group, Segment
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads import batches, list_pages, person_pages
from audience_gql.storage.reads.batches import MemberOf
from audience_gql.storage.reads.list_pages import Members
from audience_gql.storage.reads.records import (
    ChangeKey,
    ChannelRecord,
    Columns,
    EventKey,
    EventRecord,
    Owner,
    SegmentFigures,
    SubscriberRecord,
)
from audience_gql.storage.reads.slices import Entries, Slice
from audience_gql.storage.trail import EntryRecord, RevisionRecord
from audience_gql.storage.trusted_documents import DocumentRecord

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
SizeQuestion: TypeAlias = tuple[int, tuple[datetime, ...], datetime]
"""A segment's id, the beginnings of intervals, and the end of the last one."""
Batch: TypeAlias = Callable[[Database, int, list[Key]], Awaitable[Mapping[Key, Value]]]
Parts: TypeAlias = Callable[..., Awaitable[Mapping[Key, Value]]]
"""Takes the database, the workspace's id, the parents' keys, the part of their lists, and what else to choose."""
Pages: TypeAlias = Loader[Key, Entries[Value]]


class Loaders:
    """One operation's loaders for one workspace. They remember what they read, so they must not outlive the operation."""

    def __init__(
        self, ports: Ports, heavy_ports: Ports, workspace_id: int, *, ask_at_once: bool = False
    ) -> None:
        """`ask_at_once`: `load_now` of a loader that nobody has used yet never waits for others. It is for a plan, which asks for all objects of a level together."""
        self._ports = ports
        self._heavy_ports = heavy_ports
        self._workspace_id = workspace_id
        self._loaders_of_parts: dict[tuple[object, ...], Loader[Any, Any]] = {}  # Any: each has its own types
        self._turns: defaultdict[object, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._gather = not ask_at_once

    def forget(self) -> None:
        """Drop all loaders and what they have read. They refer to this object, so nothing else frees them without a garbage collection."""
        insights = vars(self).get("insights")
        if insights is not None:
            insights.forget()
        vars(self).clear()

    # ---- by key

    @cached_property
    def subscribers(self) -> Loader[Owner, SubscriberRecord | None]:
        return self._one(batches.subscribers_by_owners)

    @cached_property
    def groups(self) -> Loader[int, Group | None]:
        return self._one(batches.groups_by_ids)

    @cached_property
    def segments(self) -> Loader[int, Segment | None]:
        return self._one(batches.segments_by_ids)

    @cached_property
    def imports(self) -> Loader[int, ImportRecord | None]:
        return self._one(imports_by_ids)

    @cached_property
    def import_rejects(self) -> Loader[RejectKey, RejectRecord | None]:
        return self._one(rejects_by_keys)

    @cached_property
    def exports(self) -> Loader[int, ExportRecord | None]:
        return self._one(exports_by_ids)

    @cached_property
    def trail_entries(self) -> Loader[int, EntryRecord | None]:
        return self._one(trail.entries_by_ids)

    @cached_property
    def trusted_documents(self) -> Loader[int, DocumentRecord | None]:
        return self._one(trusted_documents.documents_by_ids)

    @cached_property
    def segment_revisions(self) -> Loader[int, RevisionRecord | None]:
        return self._one(trail.revisions_by_ids)

    @cached_property
    def automations(self) -> Loader[int, Automation | None]:
        return self._one(automations.automations_by_ids)

    @cached_property
    def runs(self) -> Loader[RunKey, RunRecord | None]:
        return self._one(automations.runs_by_keys)

    @cached_property
    def endpoints(self) -> Loader[int, WebhookEndpoint | None]:
        return self._one(endpoint_pages.endpoints_by_ids)

    @cached_property
    def deliveries(self) -> Loader[DeliveryKey, DeliveryRecord | None]:
        return self._one(delivery_pages.deliveries_by_keys)

    @cached_property
    def api_tokens(self) -> Loader[int, ApiToken | None]:
        return self._one(batches.api_tokens_by_ids)

    @cached_property
    def events(self) -> Loader[EventKey, EventRecord | None]:
        return self._one(batches.events_by_keys)

    @cached_property
    def changes(self) -> Loader[ChangeKey, LoggedChange | None]:
        return self._one(batches.changes_by_keys)

    @cached_property
    def channels(self) -> Loader[Owner, list[ChannelRecord]]:
        return self._many(batches.channels_by_owners)

    @cached_property
    def segment_numbers(self) -> Loader[tuple[str, ...], dict[str, int | None]]:
        """The number of each of these ids; None for an id that is not a segment's."""
        return Loader(self._segment_numbers)

    @cached_property
    def member_of(self) -> Loader[MemberOf, set[int] | None]:
        return self._one(batches.segments_among)

    @cached_property
    def dependencies(self) -> Loader[int, list[Segment]]:
        return self._many(batches.dependencies_by_segments)

    @cached_property
    def users(self) -> Loader[int, list[Segment]]:
        return self._many(batches.users_by_segments)

    @cached_property
    def automations_of_endpoints(self) -> Loader[int, list[Automation]]:
        return self._many(endpoint_pages.automations_by_endpoints)

    @cached_property
    def runs_of_deliveries(self) -> Loader[DeliveryKey, list[RunRecord]]:
        return self._many(delivery_pages.runs_of_deliveries)

    # ---- of the workspace

    @cached_property
    def now(self) -> Loader[None, datetime]:
        """The instant that stands for "now" in the whole operation."""
        return self._single(self._now)

    @cached_property
    def custom_fields(self) -> Loader[None, list[CustomField]]:
        return self._single(batches.custom_fields)

    @cached_property
    def vocabulary(self) -> Loader[None, Vocabulary]:
        return self._single(self._vocabulary)

    @cached_property
    def names(self) -> Loader[None, Names]:
        """The names of all groups and segments."""
        return self._single(self._names)

    @cached_property
    def endpoint_names(self) -> Loader[None, dict[int, str]]:
        """The names of all webhook endpoints, by id."""
        return self._single(automations.endpoint_names)

    @cached_property
    def evaluated_through(self) -> Loader[None, datetime | None]:
        return self._single(self._evaluated_through)

    # ---- figures

    @cached_property
    def member_counts(self) -> Loader[int, int | None]:
        return self._one(batches.member_count_by_groups)

    @cached_property
    def figures(self) -> Loader[int, SegmentFigures | None]:
        return self._one(batches.figures_by_segments)

    @cached_property
    def next_changes(self) -> Loader[int, datetime | None]:
        return self._one(self._next_changes)

    @cached_property
    def run_figures(self) -> Loader[FiguresOf, RunFigures]:
        return Loader(self._run_figures)

    @cached_property
    def explanations(self) -> Loader[Question, Explanation | None]:
        return Loader(self._explanations)

    @cached_property
    def sizes(self) -> Loader[SizeQuestion, list[Size]]:
        return Loader(self._sizes)

    @cached_property
    def insights(self) -> InsightLoaders:
        return InsightLoaders(self._ports, self._heavy_ports, self._workspace_id)

    # ---- pages: for each part of the lists, and each choice of what to read, a loader of its own

    def groups_of_subscribers(self, part: Slice, columns: Columns = None) -> Pages[Owner, Group]:
        return self._pages(person_pages.groups_of_subscribers, part, columns=columns)

    def segments_of_subscribers(self, part: Slice, columns: Columns = None) -> Pages[Owner, Segment]:
        return self._pages(person_pages.segments_of_subscribers, part, columns=columns)

    def events_of_subscribers(self, part: Slice, name: str | None) -> Pages[Owner, EventRecord]:
        """Events with this name; all events for None."""
        return self._pages(person_pages.events_of_subscribers, part, name=name)

    def changes_of_subscribers(self, part: Slice) -> Pages[Owner, LoggedChange]:
        return self._pages(person_pages.changes_of_subscribers, part)

    def members_of_groups(self, part: Slice, columns: Columns = None) -> Pages[int, SubscriberRecord]:
        return self._pages(list_pages.members_of_groups, part, columns=columns)

    def members_of_segments(self, part: Slice, columns: Columns = None) -> Loader[int, Members]:
        read = list_pages.members_of_segments
        return self._parts(read, part, nothing=lambda: Members(Entries(), {}), columns=columns)

    def changes_of_segments(self, part: Slice) -> Pages[int, LoggedChange]:
        return self._pages(list_pages.changes_of_segments, part)

    def history_of_segments(self, part: Slice) -> Pages[int, RevisionRecord]:
        return self._pages(trail.revisions_of_segments, part)

    def runs_of_automations(self, part: Slice) -> Pages[RunsOf, RunRecord]:
        return self._pages(automations.runs_of_automations, part)

    def deliveries_of_endpoints(self, part: Slice) -> Pages[DeliveriesOf, DeliveryRecord]:
        return self._pages(delivery_pages.pages_of_deliveries, part)

    def attempts_of_deliveries(self, part: Slice) -> Pages[DeliveryKey, AttemptRecord]:
        return self._pages(delivery_pages.attempts_of_deliveries, part)

    # ---- how a loader is made

    def _one(self, batch: Batch[Key, Value]) -> Loader[Key, Value | None]:
        async def load(keys: list[Key]) -> Sequence[Value | None]:
            found = await batch(self._ports.database, self._workspace_id, keys)
            return [found.get(key) for key in keys]

        return Loader(load, gathers=self._gather)

    def _many(self, batch: Batch[Key, list[Value]]) -> Loader[Key, list[Value]]:
        async def load(keys: list[Key]) -> Sequence[list[Value]]:
            found = await batch(self._ports.database, self._workspace_id, keys)
            return [found.get(key, []) for key in keys]

        return Loader(load, gathers=self._gather)

    def _single(self, read: Callable[[Database, int], Awaitable[Value]]) -> Loader[None, Value]:
        async def load(keys: list[None]) -> Sequence[Value]:
            return [await read(self._ports.database, self._workspace_id) for _ in keys]

        return Loader(load, gathers=False)

    def _pages(self, read: Parts[Key, Entries[Value]], part: Slice, **choice: Hashable) -> Pages[Key, Value]:
        return self._parts(read, part, nothing=Entries, **choice)

    def _parts(
        self, read: Parts[Key, Value], part: Slice, *, nothing: Callable[[], Value], **choice: Hashable
    ) -> Loader[Key, Value]:
        """Reads this part of many parents' lists by one statement. Different parts of the same lists are read one after the other."""

        async def load(keys: list[Key]) -> Sequence[Value]:
            async with self._turns[read]:
                found = await read(self._ports.database, self._workspace_id, keys, part, **choice)
            return [found[key] if key in found else nothing() for key in keys]

        key = (read, part, *choice.values())
        if key not in self._loaders_of_parts:
            self._loaders_of_parts[key] = Loader(load, gathers=self._gather)
        return self._loaders_of_parts[key]

    async def _now(self, database: Database, _: int) -> datetime:
        async with database.acquire() as connection:
            return await self._ports.clock.now(connection)

    async def _evaluated_through(self, database: Database, workspace_id: int) -> datetime | None:
        return await batches.evaluated_through(database, workspace_id, await self.now.load(None))

    async def _sizes(self, questions: list[SizeQuestion]) -> list[list[Size]]:
        database, now = self._heavy_ports.database, await self.now.load(None)
        found = []
        for segment_id, starts, end in questions:
            begun = [start for start in starts if start <= now]
            found.append(
                await sizes.sizes(database, self._workspace_id, segment_id, begun, end) if begun else []
            )
        return found

    async def _segment_numbers(self, lists: list[tuple[str, ...]]) -> list[dict[str, int | None]]:
        numbers = {text: number_of(Kind.SEGMENT, text) for texts in lists for text in texts}
        wanted = [number for number in numbers.values() if number is not None]
        existing = await batches.segments_that_exist(self._ports.database, self._workspace_id, wanted)
        return [
            {text: number if (number := numbers[text]) in existing else None for text in texts}
            for texts in lists
        ]

    async def _next_changes(
        self, database: Database, workspace_id: int, segment_ids: list[int]
    ) -> Mapping[int, datetime]:
        vocabulary = await self.vocabulary.load(None)
        async with database.acquire() as connection:
            return await next_change_by_segments(
                connection=connection,
                workspace_id=workspace_id,
                segment_ids=segment_ids,
                vocabulary=vocabulary,
            )

    async def _explanations(self, questions: list[Question]) -> list[Explanation | None]:
        return await explain_memberships(
            ports=self._heavy_ports, workspace_id=self._workspace_id, questions=questions, ids=OPAQUE_IDS
        )

    async def _run_figures(self, questions: list[FiguresOf]) -> list[RunFigures]:
        found = await automations.figures_of_automations(
            self._heavy_ports.database, self._workspace_id, questions
        )
        return [found[question] for question in questions]

    @staticmethod
    async def _names(database: Database, workspace_id: int) -> Names:
        async with database.acquire() as connection:
            return await definitions.names(connection, workspace_id)

    @staticmethod
    async def _vocabulary(database: Database, workspace_id: int) -> Vocabulary:
        async with database.acquire() as connection:
            return await definitions.vocabulary(connection, workspace_id)
