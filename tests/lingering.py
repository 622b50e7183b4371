"""A database whose transactions stay open, after all their work, until a test lets them commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from audience_gql.storage.postgres.database import Database, Transaction


@dataclass
class Lingering:
    """The same database for somebody whose connection is slow."""

    database: Database
    is_written: asyncio.Event = field(default_factory=asyncio.Event)
    """A transaction has done its work."""
    may_commit: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, name: str) -> Any:  # Any: whatever a database has
        return getattr(self.database, name)

    async def run(self, work: Callable[[Transaction], Awaitable[Any]]) -> Any:  # Any: what the work gives
        async def linger(transaction: Transaction) -> Any:  # Any: the same
            result = await work(transaction)
            await self._linger(transaction)
            return result

        return await self.database.run(linger)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self.database.transaction() as transaction:
            yield transaction
            await self._linger(transaction)

    async def _linger(self, transaction: Transaction) -> None:
        self.is_written.set()
        while not self.may_commit.is_set():  # not idle, or Postgres would end the transaction
            await transaction.connection.execute("SELECT 1")
            await asyncio.wait([asyncio.create_task(self.may_commit.wait())], timeout=0.5)
