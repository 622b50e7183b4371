"""Ids for new rows: blocks of 1,000 from one sequence, so that a thousand rows cost one round trip and no node of a cluster owns the numbering.

A person's id is random instead: it stays in the log after an erasure, and must say nothing about its owner.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from audience_gql.storage.postgres.database import Connection

SUBSCRIBER_IDS: Final = 2**62
"""Ids of people are uniformly random in [0, 2^62), so a part of this range holds the same part of the people."""

_BLOCK = 1000


class IdBlocks:
    """The unused ids of one process. Ids are unique but not ordered: another process may use lower ones later."""

    def __init__(self) -> None:
        self._left: list[int] = []

    async def take(self, count: int, connection: Connection) -> list[int]:
        """Return `count` unused ids. A transaction that rolls back loses the ids it took, which is harmless."""
        while len(self._left) < count:
            blocks = await connection.fetch(
                "SELECT nextval('ids') AS first FROM generate_series(1, $1::int)",
                -(-(count - len(self._left)) // _BLOCK),
            )
            for block in blocks:
                self._left.extend(range(block["first"], block["first"] + _BLOCK))
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    async def one(self, connection: Connection) -> int:
        return (await self.take(1, connection))[0]


def random_subscriber_id() -> int:
    """62 random bits: positive in a bigint, and practically unique."""
    return secrets.randbelow(SUBSCRIBER_IDS)
