"""Ids for new rows: blocks of 1,000 from one sequence, so that a thousand rows cost one round trip and no node of a cluster owns the numbering.

A person's id is drawn at random instead: it outlives an erasure in the log, and must say nothing about its owner.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from audience_gql.storage.database import Connection

SUBSCRIBER_IDS: Final = 2**62
"""Ids of people are drawn evenly from [0, 2^62): a part of that range holds as large a part of the people."""

_BLOCK = 1000


class IdBlocks:
    """One process' supply. Numbers are unique, not ordered: another process may hand out lower ones later."""

    def __init__(self) -> None:
        self._left: list[int] = []

    async def take(self, count: int, connection: Connection) -> list[int]:
        """`count` unused ids. What a rolled back transaction took is lost, which is harmless."""
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
    """62 random bits: positive in a bigint, and never met twice."""
    return secrets.randbelow(SUBSCRIBER_IDS)
