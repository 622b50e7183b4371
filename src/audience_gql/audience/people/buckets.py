"""Opens another bucket when one is full. New people go to the new bucket; nobody ever moves.

The number of people in a bucket is estimated from a slice: ids of people are evenly distributed, and an error of a few per cent does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage import definitions
from audience_gql.storage.database import BUSY, UNREACHABLE, Transaction

PEOPLE_A_BUCKET: Final = 100_000
_LOOK_EVERY: Final = 1_024
"""Average number of new people between two checks."""

logger = logging.getLogger(__name__)


def is_look_due(subscriber_ids: Iterable[int]) -> bool:
    """Whether to check how full the bucket of these new people is. Their random ids decide, so no counter is needed."""
    return any(subscriber_id % _LOOK_EVERY == 0 for subscriber_id in subscriber_ids)


async def open_another_if_full(*, ports: Ports, workspace_id: int, bucket_id: int) -> int | None:
    """Open another bucket if this one is full and still takes new people. Returns the new bucket's id, or None.

    It uses a transaction of its own and waits for a tick of the bucket that is under way. If the database is busy or unreachable,
    it logs that and returns None; the next check, some new people later, tries again.
    """

    async def work(transaction: Transaction) -> int | None:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace_id)
        if await definitions.open_bucket_id(connection, workspace_id) != bucket_id:
            return None
        if await definitions.estimated_people(connection, bucket_id) < PEOPLE_A_BUCKET:
            return None
        another = await ports.database.ids.one(connection)
        await definitions.add_bucket(connection, workspace_id, another, await ports.clock.now(connection))
        await definitions.close_bucket(connection, bucket_id)
        return another

    try:
        return await ports.database.run(work)
    except (*UNREACHABLE, *BUSY) as error:
        logger.warning("could not open another bucket beside %d yet: %s", bucket_id, error)
        return None
