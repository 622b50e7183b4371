"""Creates and edits groups and their members. People stay in a group until somebody removes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.definitions.readers import segments_reading
from audience_gql.audience.definitions.snapshots import members_now
from audience_gql.audience.definitions.summaries import rewrite_summaries
from audience_gql.audience.failures import InvalidInput, Issue, NotFound, Reject
from audience_gql.audience.names import description_issues, kept_description, name_issues, name_taken
from audience_gql.audience.people.keys import UNSET, SubscriberKey, SubscriberRef, Unset
from audience_gql.audience.people.resolution import resolve_people
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.entries import Change, record
from audience_gql.conditions.base import Read
from audience_gql.conditions.values import fold
from audience_gql.storage import definitions
from audience_gql.storage.orm.models import Group, Workspace
from audience_gql.storage.people import facts
from audience_gql.storage.people.facts import Mark
from audience_gql.storage.postgres.database import UNIQUE_VIOLATION, Transaction

MEMBERS_A_CALL: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChanged:
    group: Group
    changed: int
    """How many people were really added or removed."""
    rejects: list[Reject]


async def create_group(
    *, ports: Ports, workspace: Workspace, name: str, description: str | None = None
) -> Group:
    """Create an empty group. Raises InvalidInput, NameTaken."""
    issues = [*name_issues(name), *description_issues(description)]
    if issues:
        raise InvalidInput(tuple(issues))

    async def work(transaction: Transaction) -> Group:
        now = await ports.clock.now(transaction.connection)
        group = await Group.create(
            id=await ports.database.ids.one(transaction.connection),
            workspace_id=workspace.id,
            name=name.strip(),
            name_folded=fold(name.strip()),
            description=kept_description(description),
            created_at=now,
            updated_at=now,
        )
        change = Change(
            kind="GROUP_CREATED",
            object_id=group.id,
            object_name=group.name,
            after=portraits.of_group(group),
        )
        await record(ports, transaction, workspace.id, now, change)
        return group

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise name_taken("group", name) from error


async def update_group(
    *,
    ports: Ports,
    workspace: Workspace,
    group_id: int | None,
    name: str | Unset | None = UNSET,
    description: str | Unset | None = UNSET,
) -> Group:
    """Change the values that are given. The name cannot be cleared. Raises NotFound, InvalidInput, NameTaken."""

    async def work(transaction: Transaction) -> Group:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        group = None if group_id is None else await Group.get_or_none(id=group_id, workspace_id=workspace.id)
        if group is None:
            raise NotFound("there is no group with this id", ("id",))
        before = portraits.of_group(group)
        issues: list[Issue] = []
        if not isinstance(name, Unset):
            issues += name_issues(name)
            group.name = (name or "").strip()
            group.name_folded = fold(group.name)
        if not isinstance(description, Unset):
            issues += (wrong := description_issues(description))
            group.description = None if wrong else kept_description(description)
        if issues:
            raise InvalidInput(tuple(issues))
        group.updated_at = await ports.clock.now(connection)
        await group.save()
        change = Change(
            kind="GROUP_EDITED",
            object_id=group.id,
            object_name=group.name,
            before=before,
            after=portraits.of_group(group),
        )
        await record(ports, transaction, workspace.id, group.updated_at, change)
        if not isinstance(name, Unset):
            users = await segments_reading(connection, workspace.id, Read(source="group", ref=group.id))
            await rewrite_summaries(connection, workspace.id, users)
        return group

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise name_taken("group", str(name)) from error


async def add_to_group(
    *,
    ports: Ports,
    workspace: Workspace,
    group_id: int | None,
    subscribers: Sequence[SubscriberKey],
    segment_id: int | Unset | None = UNSET,
) -> GroupChanged:
    """Add up to 1,000 people to a group and, if `segment_id` is given, the present members of that segment. Unknown people are Rejects.

    Raises NotFound, InvalidInput.
    """
    return await _change(ports, workspace, group_id, subscribers, segment_id, is_joining=True)


async def remove_from_group(
    *,
    ports: Ports,
    workspace: Workspace,
    group_id: int | None,
    subscribers: Sequence[SubscriberKey],
    segment_id: int | Unset | None = UNSET,
) -> GroupChanged:
    """Remove up to 1,000 people from a group and, if `segment_id` is given, the present members of that segment. Unknown people are Rejects.

    Raises NotFound, InvalidInput.
    """
    return await _change(ports, workspace, group_id, subscribers, segment_id, is_joining=False)


async def _change(
    ports: Ports,
    workspace: Workspace,
    group_id: int | None,
    subscribers: Sequence[SubscriberKey],
    segment_id: int | Unset | None,
    *,
    is_joining: bool,
) -> GroupChanged:
    if len(subscribers) > MEMBERS_A_CALL:
        message = f"at most {MEMBERS_A_CALL} subscribers per call, not {len(subscribers)}"
        raise InvalidInput((Issue(code="TOO_MANY", message=message, path=("subscribers",)),))

    async def work(transaction: Transaction) -> GroupChanged:
        connection = transaction.connection
        if group_id is None or not await definitions.hold_groups(connection, workspace.id, [group_id]):
            raise NotFound("there is no group with this id", ("group_id",))
        group = await Group.get(id=group_id, workspace_id=workspace.id)
        people = await resolve_people(connection, workspace.id, subscribers)
        now = await ports.clock.now(connection)
        changed = 0
        buckets: dict[int, set[tuple[int, int]]] = defaultdict(set)
        for ref in people:
            if ref is not None:
                buckets[ref.bucket_id].add((group.id, ref.id))
        if not isinstance(segment_id, Unset):
            for bucket_id, person_ids in (await members_now(connection, workspace.id, segment_id)).items():
                buckets[bucket_id] |= {(group.id, person_id) for person_id in person_ids}
        for bucket_id, members in sorted(buckets.items()):
            if is_joining:
                pairs = await facts.add_members(connection, bucket_id, members, now)
            else:
                pairs = list(await facts.remove_members(connection, bucket_id, members))
            kind: facts.MarkKind = "group_joined" if is_joining else "group_left"
            marks = {Mark(person_id, kind, group.id) for _, person_id in pairs}
            await facts.write_marks(connection, bucket_id, marks)
            changed += len(pairs)
        transaction.after_commit(lambda: ports.signals.marked(buckets))
        return GroupChanged(group=group, changed=changed, rejects=_rejects(people))

    return await ports.database.run(work)


def _rejects(people: Sequence[SubscriberRef | None]) -> list[Reject]:
    return [
        Reject(
            index=index,
            code="UNKNOWN",
            message="there is no such subscriber",
            path=("subscribers", index),
        )
        for index, ref in enumerate(people)
        if ref is None
    ]
