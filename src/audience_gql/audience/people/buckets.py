"""Opens another bucket when one is full: new people go there, and nobody ever moves.

How full a bucket is, is estimated from a slice of it: ids of people are drawn evenly, and a few per cent more or less do no harm.
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
"""New people between two looks, on average."""

logger = logging.getLogger(__name__)


def is_look_due(subscriber_ids: Iterable[int]) -> bool:
    """Whether so many new people are reason to look how full their bucket is. Their random ids decide, so nobody has to count."""
    return any(subscriber_id % _LOOK_EVERY == 0 for subscriber_id in subscriber_ids)


async def open_another_if_full(*, ports: Ports, workspace_id: int, bucket_id: int) -> int | None:
    """Open another bucket if this one is full and still takes new people. Returns the new one's id.

    In a transaction of its own: a tick of the bucket under way is waited for. Never fails: what does not succeed now is
    tried again some people later.
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
        logger.warning("opening a bucket beside %d put off: %s", bucket_id, error)
        return None
