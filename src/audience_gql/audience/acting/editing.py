"""Creates, edits, pauses, resumes and deletes automations.

None of these fires anything, unless the caller asks that it fires for those who are members already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from audience_gql.audience.acting.automation import Automation
from audience_gql.audience.acting.loops import Link
from audience_gql.audience.acting.surroundings import GivenRules, Surroundings
from audience_gql.audience.failures import Failure, InvalidInput, Issue, NotFound, Path
from audience_gql.audience.names import description_issues, kept_description, name_issues, name_taken
from audience_gql.audience.people.keys import UNSET, Unset
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.entries import Change, EntryKind, Portrait, record
from audience_gql.conditions.values import fold
from audience_gql.conditions.vocabulary import IdCodec
from audience_gql.storage import buckets, clearing, definitions
from audience_gql.storage.acting import automations
from audience_gql.storage.acting.models import Automation as Row
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import UNIQUE_VIOLATION, Connection, Transaction

AUTOMATIONS_A_WORKSPACE: Final = 200


class AutomationConflict(Failure):
    """The automation was edited after the revision that this edit is based on."""

    def __init__(self, automation_id: int, revision: int) -> None:
        super().__init__(f"the automation is now at revision {revision}", ("if_revision",))
        self.automation_id = automation_id


async def create_automation(
    *,
    ports: Ports,
    workspace: Workspace,
    name: str,
    description: str | None,
    rules: GivenRules,
    ids: IdCodec,
    fires_for_existing: bool = False,
    begins: bool = True,
    around: Surroundings | None = None,
) -> Row:
    """Create an automation. It acts on every change of its list from now on.

    Without `begins`, the caller lets it begin later in the same transaction, with begin_automations. `around` is what the caller has read
    in this transaction, and keeps current. Raises InvalidInput, NameTaken, AutomationLoop.
    """

    async def work(transaction: Transaction) -> Row:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        now = await ports.clock.now(connection)
        if await Row.filter(workspace_id=workspace.id).count() >= AUTOMATIONS_A_WORKSPACE:
            message = f"a workspace has at most {AUTOMATIONS_A_WORKSPACE} automations; delete one that is not needed"
            raise InvalidInput((Issue(code="TOO_MANY", message=message, path=()),))
        row = Row(
            id=await ports.database.ids.one(connection),
            workspace_id=workspace.id,
            created_at=now,
            updated_at=now,
        )
        issues = [*name_issues(name), *description_issues(description)]
        edit = around or await Surroundings.read(connection, workspace, ids)
        edit.apply(row, replace(_NO_RULES, **_given(rules)), issues, stored=None)
        row.name, row.name_folded = name.strip(), fold(name.strip())
        row.description = kept_description(description)
        await row.save()
        if begins:
            await begin_automations(connection, workspace, [row.id], existing=fires_for_existing)
        await _record(ports, transaction, "AUTOMATION_CREATED", row, before=None, now=now)
        transaction.after_commit(lambda: ports.signals.changed([workspace.id]))
        return row

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise name_taken("automation", name) from error


async def begin_automations(
    connection: Connection, workspace: Workspace, automation_ids: Sequence[int], *, existing: bool = False
) -> None:
    """Let new automations act on every change from now on and, with `existing`, for those who are members already.

    A tick under way would write changes that they neither read nor pass over. The locks wait until it has ended, and ticks wait for the end
    of this transaction.
    """
    await buckets.lock_buckets(connection, workspace.id)
    for automation_id in automation_ids:
        await automations.begin_places(connection, workspace.id, automation_id, existing=existing)


async def check_automation(
    *,
    ports: Ports,
    workspace: Workspace,
    rules: GivenRules,
    ids: IdCodec,
    path: Path,
    around: Surroundings | None = None,
) -> tuple[Automation, tuple[Link, ...]]:
    """What an automation with these rules would be, and the way on which it would start itself again; () if it would not.

    Nothing is stored. `path` is where the automation is in the input. Raises InvalidInput.
    """
    if around is None:
        async with ports.database.acquire() as connection:
            around = await Surroundings.read(connection, workspace, ids)
    row = Row(id=0, workspace_id=workspace.id)
    around.write(row, replace(_NO_RULES, **_given(rules)), (), stored=None, path=path)
    return Automation.of(row), around.loop_through(row)


async def update_automation(
    *,
    ports: Ports,
    workspace: Workspace,
    automation_id: int | None,
    name: str | Unset | None = UNSET,
    description: str | Unset | None = UNSET,
    rules: GivenRules,
    ids: IdCodec,
    if_revision: int | None = None,
    around: Surroundings | None = None,
) -> Row:
    """Change what is given. Runs that wait keep the instant for which they wait; everything else follows the new rules.

    A new trigger begins at the end of the log, and cancels the runs that wait. Raises NotFound, InvalidInput, NameTaken, AutomationLoop,
    AutomationConflict.
    """

    async def work(transaction: Transaction) -> Row:
        connection = transaction.connection
        row = await _locked(connection, workspace, automation_id)
        if if_revision is not None and if_revision != row.revision:
            raise AutomationConflict(row.id, row.revision)
        portrait = portraits.of_automation(row)
        issues: list[Issue] = []
        if not isinstance(name, Unset):
            issues += name_issues(name)
            row.name = (name or "").strip()
            row.name_folded = fold(row.name)
        if not isinstance(description, Unset):
            issues += (wrong := description_issues(description))
            row.description = None if wrong else kept_description(description)
        before = row.list_kind, row.list_id
        edit = around or await Surroundings.read(connection, workspace, ids)
        edit.apply(row, rules, issues, stored=Automation.of(row).rules)
        row.revision += 1
        row.updated_at = await ports.clock.now(connection)
        await row.save()
        await _record(ports, transaction, "AUTOMATION_EDITED", row, before=portrait, now=row.updated_at)
        if before != (row.list_kind, row.list_id):
            await buckets.lock_buckets(connection, workspace.id)
            await automations.skip_to_the_end(
                connection,
                await buckets.bucket_ids(connection, workspace.id),
                row.id,
                now=row.updated_at,
                reason="the automation has another trigger now",
            )
        return row

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise name_taken("automation", str(name)) from error


async def pause_automation(*, ports: Ports, workspace: Workspace, automation_id: int | None) -> Row:
    """Stop an automation. After this returns, it starts nothing until it is resumed, and holds that end wait. Raises NotFound."""

    async def work(transaction: Transaction) -> Row:
        row = await _locked(transaction.connection, workspace, automation_id)
        if not row.is_paused:
            before = portraits.of_automation(row)
            row.is_paused = True
            await row.save(update_fields=["is_paused"])
            now = await ports.clock.now(transaction.connection)
            await _record(ports, transaction, "AUTOMATION_PAUSED", row, before=before, now=now)
        return row

    return await ports.database.run(work)


async def resume_automation(
    *,
    ports: Ports,
    workspace: Workspace,
    automation_id: int | None,
    catches_up: bool,
    fires_for_existing: bool = False,
) -> Row:
    """Start a paused automation again, where it stopped or, without `catches_up`, at the end of the log. One that runs stays as it is.

    Without `catches_up`, the runs that wait are cancelled. Raises NotFound.
    """

    async def work(transaction: Transaction) -> Row:
        connection = transaction.connection
        row = await _locked(connection, workspace, automation_id)
        if not row.is_paused:
            return row
        before = portraits.of_automation(row)
        row.is_paused = False
        await row.save(update_fields=["is_paused"])
        bucket_ids = await buckets.bucket_ids(connection, workspace.id)
        if not catches_up:
            await buckets.lock_buckets(connection, workspace.id)
            now = await ports.clock.now(connection)
            reason = "the automation was resumed without what had happened while it was paused"
            await automations.skip_to_the_end(connection, bucket_ids, row.id, now=now, reason=reason)
        if fires_for_existing:
            await automations.fire_for_existing(connection, bucket_ids, row.id)
        at = await ports.clock.now(connection)
        await _record(ports, transaction, "AUTOMATION_RESUMED", row, before=before, now=at)
        transaction.after_commit(lambda: ports.signals.marked(bucket_ids))
        return row

    return await ports.database.run(work)


async def delete_automation(*, ports: Ports, workspace: Workspace, automation_id: int | None) -> None:
    """Delete an automation. Its runs are deleted in the background, and those that wait never act. Raises NotFound."""

    async def work(transaction: Transaction) -> None:
        row = await _locked(transaction.connection, workspace, automation_id)
        await row.delete()
        await clearing.want(transaction.connection, workspace.id, "automation", row.id)
        change = Change(
            kind="AUTOMATION_DELETED",
            object_id=row.id,
            object_name=row.name,
            before=portraits.of_automation(row),
        )
        now = await ports.clock.now(transaction.connection)
        await record(ports, transaction, workspace.id, now, change)
        transaction.after_commit(lambda: ports.jobs.clear(workspace.id))

    await ports.database.run(work)


_NO_RULES: Final = GivenRules(hold_for=None, reentry=None, causes=None, only_if=None)
"""What a new automation has when the caller does not say otherwise."""


def _given(rules: GivenRules) -> dict[str, Any]:  # Any: the parts' own types
    parts = {name: getattr(rules, name) for name in GivenRules.__dataclass_fields__}
    return {name: part for name, part in parts.items() if not isinstance(part, Unset)}


async def _record(
    ports: Ports,
    transaction: Transaction,
    kind: EntryKind,
    row: Row,
    *,
    before: Portrait | None,
    now: datetime,
) -> None:
    after = portraits.of_automation(row)
    change = Change(kind=kind, object_id=row.id, object_name=row.name, before=before, after=after)
    await record(ports, transaction, row.workspace_id, now, change)


async def _locked(connection: Connection, workspace: Workspace, automation_id: int | None) -> Row:
    """An automation for which no worker acts before the end of the transaction. Raises NotFound."""
    await definitions.lock_workspace(connection, workspace.id)
    row = None
    if automation_id is not None:
        row = await Row.get_or_none(id=automation_id, workspace_id=workspace.id)
    if row is None:
        raise NotFound("there is no automation with this id", ("id",))
    bucket_ids = await buckets.bucket_ids(connection, workspace.id)
    await automations.lock_places(connection, bucket_ids, row.id)
    return row
