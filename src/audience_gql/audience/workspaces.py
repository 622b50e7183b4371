"""Workspaces: whose audience it is. Each begins with one bucket."""

from __future__ import annotations

from audience_gql.audience.failures import InvalidInput, Issue, NameTaken
from audience_gql.audience.groups import name_issues
from audience_gql.audience.ports import Ports
from audience_gql.audience.profiles import zone_problem
from audience_gql.storage import definitions
from audience_gql.storage.database import UNIQUE_VIOLATION, Transaction
from audience_gql.storage.models import Workspace


async def create_workspace(*, ports: Ports, name: str, timezone: str = "UTC") -> Workspace:
    """Make an empty workspace. Raises InvalidInput, NameTaken."""
    issues = name_issues(name)
    if problem := zone_problem(timezone):
        issues.append(Issue(code=problem[0], message=problem[1], path=("input", "timezone")))
    if issues:
        raise InvalidInput(tuple(issues))

    async def work(transaction: Transaction) -> Workspace:
        connection = transaction.connection
        now = await ports.clock.now(connection)
        workspace_id, bucket_id = await ports.database.ids.take(2, connection)
        workspace = await Workspace.create(
            id=workspace_id, name=name.strip(), timezone=timezone, created_at=now
        )
        await definitions.add_bucket(connection, workspace_id, bucket_id, now)
        return workspace

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise NameTaken(f"there is a workspace called {name.strip()!r} already", ("input", "name")) from error
