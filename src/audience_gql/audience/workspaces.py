"""Creates workspaces, changes their time zone, and begins new logs after a restore."""

from __future__ import annotations

from audience_gql.audience.definitions.segments import have_filled
from audience_gql.audience.failures import InvalidInput, Issue, NameTaken
from audience_gql.audience.names import name_issues
from audience_gql.audience.people.value_checks import no_zone
from audience_gql.audience.ports import Ports
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.dependencies import looks_at_calendar
from audience_gql.conditions.reasoning.nesting import reading_order
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.conditions.zones import zone_named
from audience_gql.storage import definitions
from audience_gql.storage.database import UNIQUE_VIOLATION, Connection, Transaction
from audience_gql.storage.models import Workspace


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
        await definitions.add_bucket(connection, workspace_id, bucket_id, now)
        return workspace

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise NameTaken(f"there is a workspace called {name.strip()!r} already", ("name",)) from error


async def change_timezone(*, ports: Ports, workspace: Workspace, timezone: str) -> None:
    """Change the workspace's time zone, and refill the segments whose condition depends on the calendar day. Raises InvalidInput."""
    zone = zone_named(timezone.strip())
    if zone is None:
        raise InvalidInput((_no_zone(timezone),))

    async def work(transaction: Transaction) -> None:
        await definitions.lock_workspace(transaction.connection, workspace.id)
        await Workspace.filter(id=workspace.id).update(timezone=zone)
        stale = await _segments_that_look_at_the_day(transaction.connection, workspace.id)
        await definitions.raise_generations(transaction.connection, stale)
        await have_filled(ports, transaction, stale)

    await ports.database.run(work)
    workspace.timezone = zone


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


async def _segments_that_look_at_the_day(connection: Connection, workspace_id: int) -> set[int]:
    """Ids of the segments that depend on the calendar day, directly or through segments that they read."""
    vocabulary = await definitions.vocabulary(connection, workspace_id)
    conditions = {
        segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
        for segment in await definitions.segments(connection, workspace_id)
    }
    looking = {
        segment_id for segment_id, condition in conditions.items() if looks_at_calendar(condition, vocabulary)
    }
    return {
        segment_id
        for segment_id, condition in conditions.items()
        if not looking.isdisjoint((segment_id, *reading_order((condition,), conditions)))
    }
