"""The database's clock, so that every process agrees on the time."""

from __future__ import annotations

from datetime import datetime

from audience_gql.storage.postgres.database import Connection


class DatabaseClock:
    """Reads the time in a separate statement at every call. now() would give the start of the transaction, which can lie before a lock wait."""

    async def now(self, connection: Connection) -> datetime:
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now

    def at(self, database_time: datetime) -> datetime:
        return database_time


class StoppedClock:
    """Always shows the same instant: the one from which the answers of a replica are."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    async def now(self, connection: Connection) -> datetime:  # noqa: ARG002  # it asks nobody
        return self._instant

    def at(self, database_time: datetime) -> datetime:  # noqa: ARG002  # as above
        return self._instant
