"""The database's clock, so that every process agrees on the time."""

from __future__ import annotations

from datetime import datetime

from audience_gql.storage.database import Connection


class DatabaseClock:
    """A statement of its own at every call: inside a transaction the time of its start would be older than a lock it waited for."""

    async def now(self, connection: Connection) -> datetime:
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now

    def at(self, database_time: datetime) -> datetime:
        return database_time
