"""What operators do to a deployment: check readiness, recompute, expire cursors, change a calendar."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from audience_gql.administration import workspace_named
from audience_gql.audience.definitions.recomputes import recompute_everything
from audience_gql.audience.readiness import Readiness, readiness
from audience_gql.audience.workspaces import (
    begin_new_logs,
    change_timezone,
    change_week_start,
)
from audience_gql.config import Settings
from audience_gql.opened_ports import open_ports
from audience_gql.storage.engine import fills
from audience_gql.storage.postgres.database import Unavailable
from audience_gql.storage.schema import refuse_other_schema

_POLL_SECONDS: Final = 0.2


async def readiness_of(settings: Settings) -> Readiness:
    """The readiness of each part that a process with these settings needs."""
    try:
        async with open_ports(settings.database_url, settings.redis_url) as ports:
            return await readiness(ports=ports)
    except Unavailable:
        return Readiness(parts={"postgres": "does not answer"})


async def refuse_schema_of(settings: Settings) -> None:
    """Raise OtherSchema if a web process of this version cannot use the database. A later version may have migrated it, as during an upgrade.

    Does nothing if Postgres is unavailable: the process itself reports that.
    """
    with suppress(Unavailable):
        async with open_ports(settings.database_url, settings.redis_url) as ports:
            await refuse_other_schema(ports.database, may_be_newer=True)


async def recompute_all(settings: Settings) -> int:
    """Have a worker recompute every segment, and wait for it. Returns how many there are."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        wanted = set(await recompute_everything(ports=ports))
        while True:
            async with ports.database.acquire() as connection:
                waiting = wanted.intersection(await fills.segments_to_fill(connection))
            if not waiting:
                return len(wanted)
            await asyncio.sleep(_POLL_SECONDS)


async def expire_cursors(settings: Settings) -> None:
    """Make all cursors expire that were handed out until now."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        await begin_new_logs(ports=ports)


async def change_timezone_of(settings: Settings, *, workspace: str, timezone: str) -> None:
    """Move a workspace to another time zone. Raises NotFound, InvalidInput."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        await change_timezone(ports=ports, workspace=await workspace_named(workspace), timezone=timezone)


async def change_week_start_of(settings: Settings, *, workspace: str, day: str) -> None:
    """Have the weeks of a workspace begin on another day: monday, saturday or sunday. Raises NotFound, InvalidInput."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        await change_week_start(ports=ports, workspace=await workspace_named(workspace), week_start=day)
