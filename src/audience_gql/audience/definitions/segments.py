"""Creates, edits, deletes and recomputes segments. It must not decide who is a member; engine/membership.py does.

Saves in one workspace run one after the other, so that two of them cannot create a cycle together.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from audience_gql.audience.definitions.definition_limits import check_count, check_size
from audience_gql.audience.definitions.given_conditions import parse_given
from audience_gql.audience.definitions.readers import automations_naming
from audience_gql.audience.definitions.stored_conditions import StoredConditions
from audience_gql.audience.definitions.summaries import rewrite_summaries
from audience_gql.audience.failures import Failure, InvalidInput, Issue, NotFound, Path
from audience_gql.audience.names import description_issues, kept_description, name_issues, name_taken
from audience_gql.audience.people.keys import UNSET, Unset
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.entries import Change, record
from audience_gql.conditions.base import Condition, InvalidCondition, Names, Read
from audience_gql.conditions.codec import dump
from audience_gql.conditions.reasoning.dependencies import reads
from audience_gql.conditions.reasoning.nesting import ReadsItself, reading_order, segments_read
from audience_gql.conditions.values import fold
from audience_gql.conditions.vocabulary import PLAIN_IDS, IdCodec, ListRef, Vocabulary
from audience_gql.conditions.words.outline import difference, outline
from audience_gql.conditions.words.summary import summarize
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.engine import fills
from audience_gql.storage.orm.models import Segment, Workspace
from audience_gql.storage.people.facts import BULK, LIVE
from audience_gql.storage.postgres.database import UNIQUE_VIOLATION, Connection, Transaction


class SegmentCycle(Failure):
    """A segment would contain itself. `cycle` has the ids of the segments on the way from it back to itself."""

    def __init__(self, cycle: tuple[int, ...], path: Path = ("condition",)) -> None:
        super().__init__("a segment cannot contain itself", path)
        self.cycle = cycle


class InUse(Failure):
    """Other segments or automations use this; edit or delete them first."""

    def __init__(self, used_by: tuple[int, ...], automation_ids: tuple[int, ...] = ()) -> None:
        told = [_counted(used_by, "other segment", "read")] if used_by else []
        told += [_counted(automation_ids, "automation", "use")] if automation_ids else []
        super().__init__(" and ".join(told), ("id",))
        self.used_by = used_by
        self.automation_ids = automation_ids


class RevisionConflict(Failure):
    """The segment was edited after the revision that this edit is based on."""

    def __init__(self, segment_id: int, revision: int) -> None:
        super().__init__(f"the segment is now at revision {revision}", ("if_revision",))
        self.segment_id = segment_id


async def create_segment(
    *,
    ports: Ports,
    workspace: Workspace,
    name: str,
    description: str | None,
    condition: object,
    ids: IdCodec,
    saving: Saving | None = None,
) -> Segment:
    """Create a segment and start to find its members in the background. `condition` has the shape of ConditionInput.

    `saving` is what the caller's transaction knows already; None to read it. Raises InvalidInput, NameTaken.
    """

    async def work(transaction: Transaction) -> Segment:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        issues = [*name_issues(name), *description_issues(description)]
        known = saving or await Saving.begin(ports, workspace, connection)
        tree = known.parse(condition, ids, issues)
        check_count(len(known.conditions) + 1)
        segment = await known.create(name=name, description=description, tree=tree, transaction=transaction)
        await have_filled(ports, transaction, [segment.id])
        return segment

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise name_taken("segment", name) from error


async def update_segment(
    *,
    ports: Ports,
    workspace: Workspace,
    segment_id: int | None,
    name: str | Unset | None = UNSET,
    description: str | Unset | None = UNSET,
    condition: object = UNSET,
    ids: IdCodec,
    if_revision: int | None = None,
    saving: Saving | None = None,
) -> Segment:
    """Change the values that are given. Neither the name nor the condition can be cleared.

    A new condition refills the segment and all segments that read it. If `if_revision` is given, the segment must still have this revision.
    `saving` is what the caller's transaction knows already; None to read it. Raises NotFound, InvalidInput, NameTaken, SegmentCycle, RevisionConflict.
    """

    async def work(transaction: Transaction) -> Segment:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        segment = await get_segment(workspace, segment_id)
        if if_revision is not None and if_revision != segment.revision:
            raise RevisionConflict(segment.id, segment.revision)
        before = portraits.of_segment(segment)
        lines: tuple[list[str], list[str]] = [], []
        issues: list[Issue] = []
        if not isinstance(name, Unset):
            issues += name_issues(name)
            segment.name = (name or "").strip()
            segment.name_folded = fold(segment.name)
        if not isinstance(description, Unset):
            issues += (wrong := description_issues(description))
            segment.description = None if wrong else kept_description(description)
        if condition is not UNSET:
            known = saving or await Saving.begin(ports, workspace, connection)
            lines = await known.replace(segment, known.parse(condition, ids, issues), transaction)
        elif issues:
            raise InvalidInput(tuple(issues))
        segment.revision += 1
        segment.updated_at = await ports.clock.now(connection)
        await segment.save()
        change = Change(
            kind="SEGMENT_EDITED",
            object_id=segment.id,
            object_name=segment.name,
            before=before,
            after=portraits.of_segment(segment),
            lines_added=lines[0],
            lines_removed=lines[1],
        )
        await record(ports, transaction, workspace.id, segment.updated_at, change)
        transaction.after_commit(lambda: ports.signals.changed([workspace.id]))
        if saving is not None:
            saving.know(segment)
        if not isinstance(name, Unset):
            users = await segment_definitions.segments_using(connection, segment.id)
            await rewrite_summaries(connection, workspace.id, users)
        return segment

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise name_taken("segment", str(name)) from error


async def delete_segment(*, ports: Ports, workspace: Workspace, segment_id: int | None) -> None:
    """Delete a segment. Its members are cleared in the background. Raises NotFound, InUse."""

    async def work(transaction: Transaction) -> None:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        segment = await get_segment(workspace, segment_id)
        used_by = await segment_definitions.segments_using(connection, segment.id)
        automation_ids = await automations_naming(
            connection, workspace.id, Read(source="segment", ref=segment.id)
        )
        if used_by or automation_ids:
            raise InUse(used_by, automation_ids)
        await segment.delete()
        change = Change(
            kind="SEGMENT_DELETED",
            object_id=segment.id,
            object_name=segment.name,
            before=portraits.of_segment(segment),
        )
        await record(ports, transaction, workspace.id, await ports.clock.now(connection), change)
        transaction.after_commit(lambda: ports.signals.changed([workspace.id]))
        await have_filled(ports, transaction, [segment.id], lane=BULK)

    await ports.database.run(work)


class Saving:
    """What a save of a condition needs to know about its workspace, read under the workspace's lock.

    It also knows what has been saved with it.
    """

    def __init__(
        self,
        ports: Ports,
        workspace: Workspace,
        connection: Connection,
        vocabulary: Vocabulary,
        names: Names,
        conditions: StoredConditions,
        paused_ids: frozenset[int],
    ) -> None:
        self._ports = ports
        self._workspace = workspace
        self._connection = connection
        self._vocabulary = vocabulary
        self._names = names
        self.conditions = conditions
        self._paused_ids = paused_ids

    @classmethod
    async def begin(cls, ports: Ports, workspace: Workspace, connection: Connection) -> Saving:
        vocabulary, names = await definitions.vocabulary_and_names(connection, workspace.id)
        segments = await segment_definitions.segments(connection, workspace.id)
        conditions = StoredConditions(segments, vocabulary)
        paused_ids = frozenset(segment.id for segment in segments if segment.is_paused)
        return cls(ports, workspace, connection, vocabulary, names, conditions, paused_ids)

    def parse(self, condition: object, ids: IdCodec, issues: list[Issue]) -> Condition:
        """Parse the condition. Raises InvalidInput with its problems and with `issues`, which were found before."""
        return parse_given(
            condition,
            vocabulary=self._vocabulary,
            paused_ids=self._paused_ids,
            ids=ids,
            path=("condition",),
            other_issues=issues,
        )

    async def create(
        self, *, name: str, description: str | None, tree: Condition, transaction: Transaction
    ) -> Segment:
        """Store a new segment, which has no members yet. The caller requests its fill. Raises InvalidInput if the condition is too large."""
        segment_id = await self._ports.database.ids.one(self._connection)
        edited = self.conditions.with_edited(segment_id, tree)
        check_size(edited, segment_id)
        await self.intern_names(tree)
        now = await self._ports.clock.now(self._connection)
        segment = await Segment.create(
            id=segment_id,
            workspace_id=self._workspace.id,
            name=name.strip(),
            name_folded=fold(name.strip()),
            description=kept_description(description),
            condition=dump(tree, ids=PLAIN_IDS),
            summary=summarize(tree, self._names),
            created_at=now,
            updated_at=now,
        )
        await segment_definitions.write_dependencies(self._connection, segment_id, segments_read(tree))
        change = Change(
            kind="SEGMENT_CREATED",
            object_id=segment_id,
            object_name=segment.name,
            after=portraits.of_segment(segment),
            lines_added=outline(tree, self._names),
        )
        await record(self._ports, transaction, self._workspace.id, now, change)
        self.know(segment, edited)
        return segment

    async def replace(
        self, segment: Segment, tree: Condition, transaction: Transaction
    ) -> tuple[list[str], list[str]]:
        """Give a segment another condition, and refill it and all segments that read it. Returns the lines in words that it adds and removes."""
        before: Condition | None = None
        with suppress(InvalidCondition):  # an edit also mends what this version does not read
            before = self.conditions[segment.id]
        edited = self.conditions.with_edited(segment.id, tree)
        try:
            reading_order((tree,), edited)
        except ReadsItself as circle:
            raise SegmentCycle(circle.cycle) from circle
        users = await segment_definitions.readers_of(self._connection, segment.id)
        for user in (segment.id, *users):
            check_size(edited, user)
        await self.intern_names(tree)
        segment.condition = dict(dump(tree, ids=PLAIN_IDS))
        segment.summary = summarize(tree, self._names)
        segment.generation += 1
        segment.failure = None
        await segment_definitions.write_dependencies(self._connection, segment.id, segments_read(tree))
        await segment_definitions.raise_generations(self._connection, users)
        await have_filled(self._ports, transaction, [segment.id, *users])
        self.know(segment, edited)
        return difference([] if before is None else outline(before, self._names), outline(tree, self._names))

    def know(self, segment: Segment, conditions: StoredConditions | None = None) -> None:
        """Know a segment that was just saved, with all conditions if its own is another one now."""
        self.conditions = conditions or self.conditions
        self._names = Names(
            groups=self._names.groups, segments={**self._names.segments, segment.id: segment.name}
        )
        others = {
            folded: other
            for folded, other in self._vocabulary.segments_by_name.items()
            if other.id != segment.id
        }
        self._vocabulary = replace(
            self._vocabulary,
            segment_ids=self._names.segments.keys(),
            segments_by_name={**others, segment.name_folded: ListRef(id=segment.id, name=segment.name)},
        )

    async def intern_names(self, tree: Condition) -> None:
        """Give ids to event names that are not in use yet, so that a compiled condition stays right after their first event."""
        names = {str(read.ref) for read in reads(tree) if read.source == "event"}
        names -= self._vocabulary.event_names.keys()
        if names:
            interned = await definitions.intern_event_names(
                self._connection, self._workspace.id, names, self._ports.database.ids
            )
            self._vocabulary = replace(self._vocabulary, event_names=interned)


def _counted(ids: tuple[int, ...], noun: str, verb: str) -> str:
    """`1 automation uses this one`, `2 automations use this one`."""
    return f"1 {noun} {verb}s this one" if len(ids) == 1 else f"{len(ids)} {noun}s {verb} this one"


async def get_segment(workspace: Workspace, segment_id: int | None, path: Path = ("id",)) -> Segment:
    """The workspace's segment with this id, read in the current transaction. Raises NotFound with this path."""
    if segment_id is not None:
        segment = await Segment.get_or_none(id=segment_id, workspace_id=workspace.id)
        if segment is not None:
            return segment
    raise NotFound("there is no segment with this id", path)


async def have_filled(
    ports: Ports, transaction: Transaction, segment_ids: Collection[int], *, lane: int = LIVE
) -> None:
    """Request fills of segments whose meaning this transaction changes. They start after the commit; members of deleted segments are cleared."""
    ticket = await ports.database.ids.one(transaction.connection)
    await fills.want(transaction.connection, segment_ids, ticket=ticket, lane=lane)
    transaction.after_commit(lambda: ports.jobs.fill(segment_ids))
