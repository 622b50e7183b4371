"""Opens another bucket when one is full. New people go to the new bucket; nobody ever moves.

The number of people in a bucket is estimated from a slice: ids of people are evenly distributed, and an error of a few per cent does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage import buckets, definitions
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, Transaction

PEOPLE_A_BUCKET: Final = 100_000
_LOOK_EVERY: Final = 1_024
"""Average number of new people between two checks."""

logger = logging.getLogger(__name__)


def is_look_due(subscriber_ids: Iterable[int]) -> bool:
    """Whether to check how full the bucket of these new people is. Their random ids decide, so no counter is needed."""
    return any(subscriber_id % _LOOK_EVERY == 0 for subscriber_id in subscriber_ids)


async def open_another_if_full(*, ports: Ports, workspace_id: int, bucket_id: int) -> int | None:
    """Open another bucket if this one is full and still takes new people. Returns the other bucket's id, or None.

    It uses a transaction to open and another one to close, because a transaction over several machines commits on one after the other: with a
    single one, others could find no open bucket for an instant. It waits for a tick of the bucket that is under way. If the database is busy or
    unreachable, it logs that and returns None; the next check, some new people later, goes on where this one ended.
    """

    async def open_another(transaction: Transaction) -> int | None:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace_id)
        opened = await buckets.open_bucket_ids(connection, workspace_id)
        if bucket_id not in opened or await buckets.estimated_people(connection, bucket_id) < PEOPLE_A_BUCKET:
            return None
        if others := [other for other in opened if other != bucket_id]:
            return others[-1]
        another = await ports.database.ids.one(connection)
        await buckets.add_bucket(connection, workspace_id, another, await ports.clock.now(connection))
        return another

    try:
        another = await ports.database.run(open_another)
        if another is not None:
            await ports.database.run(
                lambda transaction: buckets.close_bucket(transaction.connection, bucket_id, beside=another)
            )
    except (*UNREACHABLE, *BUSY) as error:
        logger.warning("could not open another bucket beside %d yet: %s", bucket_id, error)
        return None
    return another
