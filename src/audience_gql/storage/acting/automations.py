"""Reads and writes automations, and their places in the log of each bucket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from audience_gql.storage.acting.models import Automation
from audience_gql.storage.engine.membership import ListKind
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)


async def have_been_made(connection: Connection) -> bool:
    """Whether any workspace has an automation."""
    return bool(await connection.fetchval(_SQL["have_been_made"]))


async def trigger_lists(connection: Connection, workspace_id: int) -> frozenset[tuple[ListKind, int]]:
    """The lists, as (kind, id), whose changes start automations that are not paused."""
    rows = await connection.fetch(_SQL["trigger_lists"], workspace_id)
    return frozenset((row["list_kind"], row["list_id"]) for row in rows)


async def active_automation(automation_id: int) -> Automation | None:
    """An automation that is not paused, read in the current transaction."""
    return await Automation.get_or_none(id=automation_id, is_paused=False)


async def begin_places(
    connection: Connection, workspace_id: int, automation_id: int, *, existing: bool
) -> None:
    """Place a new automation at the end of every bucket's log. The workspace and its buckets must be locked."""
    await connection.execute(_SQL["begin_places"], workspace_id, automation_id, -1 if existing else None)


async def lock_places(connection: Connection, bucket_ids: Sequence[int], automation_id: int) -> None:
    """Wait until no worker acts for the automation. None begins to before the end of the transaction."""
    await connection.executemany(_SQL["lock_places"], [(id_, automation_id) for id_ in sorted(bucket_ids)])


async def skip_to_the_end(
    connection: Connection, bucket_ids: Sequence[int], automation_id: int, *, now: datetime, reason: str
) -> None:
    """Pass over everything in the log, and cancel the waiting runs. The places and the buckets must be locked."""
    await connection.execute(_SQL["skip_to_the_end"], bucket_ids, automation_id)
    await connection.execute(_SQL["cancel_waiting"], bucket_ids, automation_id, now, reason)


async def fire_for_existing(connection: Connection, bucket_ids: Sequence[int], automation_id: int) -> None:
    """Give those who are members now a run each. The places must be locked."""
    await connection.execute(_SQL["fire_for_existing"], bucket_ids, automation_id)


async def forget(connection: Connection, bucket_id: int, automation_id: int, limit: int) -> bool:
    """Delete up to `limit` runs of a deleted automation in a bucket. Returns True when none is left, and its place is gone as well."""
    if await connection.execute(_SQL["forget_runs"], bucket_id, automation_id, limit) != "DELETE 0":
        return False
    await connection.execute(_SQL["forget_place"], bucket_id, automation_id)
    return True
