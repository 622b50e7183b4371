"""Sends failed messages again, on request."""

from __future__ import annotations

from datetime import datetime

from audience_gql.audience.failures import Failure, InvalidInput, Issue, NotFound
from audience_gql.audience.ports import Ports
from audience_gql.storage import buckets
from audience_gql.storage.acting import endpoints
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Transaction


class NotFailed(Failure):
    """The delivery cannot be replayed, because it waits, was delivered or was dropped."""


async def replay_delivery(
    *, ports: Ports, workspace: Workspace, bucket_id: int | None, delivery_id: int | None
) -> None:
    """Send a failed message again, with its id, before what waits in its lane. Its schedule begins again. Raises NotFound, NotFailed."""

    async def work(transaction: Transaction) -> None:
        connection = transaction.connection
        endpoint_id = None
        if bucket_id in await buckets.bucket_ids(connection, workspace.id):
            endpoint_id = await endpoints.endpoint_of(connection, bucket_id, delivery_id or 0)
        is_gone = await endpoints.find_endpoint(workspace.id, endpoint_id) is None
        if bucket_id is None or delivery_id is None or endpoint_id is None or is_gone:
            raise NotFound("there is no webhook delivery with this id", ("id",))
        await endpoints.lock_lanes(connection, [bucket_id], endpoint_id)
        now = await ports.clock.now(connection)
        if not await endpoints.replay(connection, bucket_id, endpoint_id, delivery_id, now):
            raise NotFailed("only a delivery that has failed can be replayed", ("id",))

    await ports.database.run(work)


async def replay_failed(
    *, ports: Ports, workspace: Workspace, endpoint_id: int | None, since: datetime, until: datetime
) -> int:
    """Send all failed messages of an endpoint again that were formed in [since, until). Returns their number.

    Raises NotFound, InvalidInput.
    """

    async def work(transaction: Transaction) -> int:
        connection = transaction.connection
        row = await endpoints.find_endpoint(workspace.id, endpoint_id)
        if row is None:
            raise NotFound("there is no webhook endpoint with this id", ("endpoint_id",))
        bucket_ids = await buckets.bucket_ids(connection, workspace.id)
        await endpoints.lock_lanes(connection, bucket_ids, row.id)
        now = await ports.clock.now(connection)
        return await endpoints.replay_failed(
            connection, bucket_ids, row.id, since=since, until=until, now=now
        )

    if until < since:
        message = "the end of the time must not be before its beginning"
        raise InvalidInput((Issue(code="OUT_OF_RANGE", message=message, path=("to",)),))
    return await ports.database.run(work)
