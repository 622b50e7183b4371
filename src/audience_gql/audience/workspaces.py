"""Creates workspaces, changes their calendar, and begins new logs after a restore."""

from __future__ import annotations

from collections.abc import Callable

from audience_gql.audience.definitions.segments import have_filled
from audience_gql.audience.failures import InvalidInput, Issue, NameTaken
from audience_gql.audience.names import name_issues
from audience_gql.audience.people.value_checks import no_zone
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.entries import Change, record
from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.periods import WEEK_STARTS
from audience_gql.conditions.reasoning.dependencies import looks_at_calendar, periods
from audience_gql.conditions.reasoning.nesting import reading_order
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.conditions.zones import zone_named
from audience_gql.storage import buckets, definitions, segment_definitions
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import UNIQUE_VIOLATION, Transaction


async def create_workspace(*, ports: Ports, name: str, timezone: str = "UTC") -> Workspace:
    """Create an empty workspace with one bucket. Raises InvalidInput, NameTaken."""
    issues = name_issues(name)
    zone = zone_named(timezone.strip())
    if zone is None:
        issues.append(_no_zone(timezone))
    if issues or zone is None:
        raise InvalidInput(tuple(issues))

    async def work(transaction: Transaction) -> Workspace:
        connection = transaction.connection
        now = await ports.clock.now(connection)
        workspace_id, bucket_id = await ports.database.ids.take(2, connection)
        workspace = await Workspace.create(id=workspace_id, name=name.strip(), timezone=zone, created_at=now)
        await buckets.add_bucket(connection, workspace_id, bucket_id, now)
        change = Change(
            kind="WORKSPACE_CREATED",
            object_id=workspace_id,
            object_name=workspace.name,
            after=portraits.of_workspace(workspace),
        )
        await record(ports, transaction, workspace_id, now, change)
        return workspace

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise NameTaken(f"there is a workspace called {name.strip()!r} already", ("name",)) from error


async def rename_workspace(*, ports: Ports, workspace: Workspace, name: str) -> None:
    """Give a workspace another name. Raises InvalidInput, NameTaken."""
    if issues := name_issues(name):
        raise InvalidInput(tuple(issues))

    async def work(transaction: Transaction) -> None:
        await definitions.lock_workspace(transaction.connection, workspace.id)
        await _edit(ports, transaction, workspace.id, name=name.strip())

    try:
        await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise NameTaken(f"there is a workspace called {name.strip()!r} already", ("name",)) from error


async def change_timezone(*, ports: Ports, workspace: Workspace, timezone: str) -> None:
    """Change the workspace's time zone, and refill the segments whose condition depends on the calendar day. Raises InvalidInput."""
    zone = zone_named(timezone.strip())
    if zone is None:
        raise InvalidInput((_no_zone(timezone),))

    async def work(transaction: Transaction) -> None:
        await definitions.lock_workspace(transaction.connection, workspace.id)
        await _edit(ports, transaction, workspace.id, timezone=zone)
        await _have_filled_those_that(looks_at_calendar, ports, transaction, workspace.id)

    await ports.database.run(work)
    workspace.timezone = zone


async def change_week_start(*, ports: Ports, workspace: Workspace, week_start: str) -> None:
    """Change the day on which the workspace's weeks begin, and refill the segments whose condition depends on weeks. Raises InvalidInput."""
    given = week_start.strip().upper()
    if given not in WEEK_STARTS:
        message = f"must be one of {', '.join(WEEK_STARTS)}"
        raise InvalidInput((Issue(code="UNKNOWN", message=message, path=("weekStart",)),))

    async def work(transaction: Transaction) -> None:
        await definitions.lock_workspace(transaction.connection, workspace.id)
        await _edit(ports, transaction, workspace.id, week_start=given)
        await _have_filled_those_that(_looks_at_weeks, ports, transaction, workspace.id)

    await ports.database.run(work)
    workspace.week_start = given


async def _edit(ports: Ports, transaction: Transaction, workspace_id: int, **values: str) -> None:
    """Change the row of a workspace, which the caller has locked, and record it."""
    row = await Workspace.get(id=workspace_id)
    before = portraits.of_workspace(row)
    row.update_from_dict(values)
    await row.save(update_fields=list(values))
    change = Change(
        kind="WORKSPACE_EDITED",
        object_id=row.id,
        object_name=row.name,
        before=before,
        after=portraits.of_workspace(row),
    )
    now = await ports.clock.now(transaction.connection)
    await record(ports, transaction, workspace_id, now, change)


def _no_zone(name: str) -> Issue:
    code, message = no_zone(name)
    return Issue(code=code, message=message, path=("timezone",))


async def begin_new_logs(*, ports: Ports) -> None:
    """Begin new logs after a restore of the database, because its logs have diverged from what clients received. Older cursors expire.

    The number of the new logs is the present time in milliseconds, so that two restores of one backup differ.
    """

    async def work(transaction: Transaction) -> None:
        now = await ports.clock.now(transaction.connection)
        await definitions.raise_log_epochs(transaction.connection, round(now.timestamp() * 1000))

    await ports.database.run(work)


def _looks_at_weeks(condition: Condition, _: Vocabulary) -> bool:
    return "week" in periods(condition)


async def _have_filled_those_that(
    look: Callable[[Condition, Vocabulary], bool], ports: Ports, transaction: Transaction, workspace_id: int
) -> None:
    """Refill the segments of whose conditions, or of whose inner segments' conditions, this is true."""
    vocabulary = await definitions.vocabulary(transaction.connection, workspace_id)
    conditions = {
        segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
        for segment in await segment_definitions.segments(transaction.connection, workspace_id)
    }
    looking = {segment_id for segment_id, condition in conditions.items() if look(condition, vocabulary)}
    stale = {
        segment_id
        for segment_id, condition in conditions.items()
        if not looking.isdisjoint((segment_id, *reading_order((condition,), conditions)))
    }
    await segment_definitions.raise_generations(transaction.connection, stale)
    await have_filled(ports, transaction, stale)
