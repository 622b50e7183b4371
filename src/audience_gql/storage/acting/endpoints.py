"""Reads endpoints of webhooks, and changes what waits for them in all buckets.

Every function works inside the caller's transaction and decides nothing. `lock_lanes` comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from audience_gql.storage.acting.models import WebhookEndpoint
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)


async def have_been_made(connection: Connection) -> bool:
    """Whether any workspace has an endpoint."""
    return bool(await connection.fetchval(_SQL["have_been_made"]))


async def find_endpoint(workspace_id: int, endpoint_id: int | None) -> WebhookEndpoint | None:
    """An endpoint of a workspace, read in the current transaction, if there is one."""
    if endpoint_id is None:
        return None
    return await WebhookEndpoint.get_or_none(id=endpoint_id, workspace_id=workspace_id)


async def lock_lanes(connection: Connection, bucket_ids: Sequence[int], endpoint_id: int) -> None:
    """Lock the endpoint's lanes until the end of the transaction. Automations that send to it wait, and so do its couriers."""
    await connection.executemany(_SQL["lock_lanes"], [(id_, endpoint_id) for id_ in sorted(bucket_ids)])


async def retry_waiting(
    connection: Connection, bucket_ids: Sequence[int], endpoint_id: int, now: datetime
) -> None:
    """Begin the schedule of every waiting message again, with an attempt now."""
    await connection.execute(_SQL["retry_waiting"], bucket_ids, endpoint_id, now)
    await connection.execute(_SQL["wake_lanes"], bucket_ids, endpoint_id, now)


async def drop_waiting(
    connection: Connection, bucket_ids: Sequence[int], endpoint_id: int, now: datetime
) -> None:
    """Never send what waits. The next message shows its receiver that something is missing."""
    await connection.execute(_SQL["drop_waiting"], bucket_ids, endpoint_id, now)
    await connection.execute(_SQL["break_chains"], bucket_ids, endpoint_id)
    await connection.execute(_SQL["empty_lanes"], bucket_ids, endpoint_id)


async def endpoint_of(connection: Connection, bucket_id: int, delivery_id: int) -> int | None:
    """The endpoint's id of a delivery; None if there is no such delivery. This needs no lock."""
    endpoint_id: int | None = await connection.fetchval(_SQL["lane_of"], bucket_id, delivery_id)
    return endpoint_id


async def replay(
    connection: Connection, bucket_id: int, endpoint_id: int, delivery_id: int, now: datetime
) -> bool:
    """Let a failed message wait for an attempt now. Returns False if it has not failed."""
    if await connection.execute(_SQL["replay"], bucket_id, delivery_id, now) == "UPDATE 0":
        return False
    await connection.execute(_SQL["wake_replayed"], [bucket_id], endpoint_id, now)
    return True


async def replay_failed(
    connection: Connection,
    bucket_ids: Sequence[int],
    endpoint_id: int,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
) -> int:
    """The same for all failed messages that were formed in [since, until). Returns their number."""
    status = await connection.execute(_SQL["replay_failed"], bucket_ids, endpoint_id, now, since, until)
    replayed = int(status.removeprefix("UPDATE "))
    if replayed:
        await connection.execute(_SQL["wake_replayed"], bucket_ids, endpoint_id, now)
    return replayed


async def forget(connection: Connection, bucket_id: int, endpoint_id: int, limit: int) -> bool:
    """Delete up to `limit` messages, and as many changes, of a deleted endpoint in a bucket. Returns True when nothing is left of it."""
    await connection.execute(_SQL["forget_attempts"], bucket_id, endpoint_id, limit)
    messages = await connection.execute(_SQL["forget_deliveries"], bucket_id, endpoint_id, limit)
    changes = await connection.execute(_SQL["forget_changes"], bucket_id, endpoint_id, limit)
    if messages != "DELETE 0" or changes != "DELETE 0":
        return False
    await connection.execute(_SQL["forget_chains"], bucket_id, endpoint_id)
    await connection.execute(_SQL["forget_lane"], bucket_id, endpoint_id)
    return True
