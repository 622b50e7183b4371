"""Lets several use cases run in one transaction, each as a part of it that can fail alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from audience_gql.storage.postgres.database import Connection, Database, T, Transaction


class JoinedDatabase(Database):
    """A database inside an open transaction: everything that is run is a savepoint of it. If the work fails, only the savepoint is rolled back.

    Callbacks of a part are called after the commit of the whole, even if the part failed. They are only wake-ups.
    """

    def __init__(
        self, whole: Database, transaction: Transaction
    ) -> None:  # it shares the connection, and has no pool of its own
        self.ids = whole.ids
        self.event_names = whole.event_names
        self._pool = whole._pool  # noqa: SLF001  # it tells what kind of server this is, and lends nothing here
        self._transaction = transaction

    def acquire(self) -> AbstractAsyncContextManager[Connection]:
        return nullcontext(self._transaction.connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._transaction.connection.transaction():
            yield self._transaction

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` once. A failure that asks for another try is for whoever opened the whole transaction."""
        async with self.transaction() as transaction:
            return await work(transaction)
