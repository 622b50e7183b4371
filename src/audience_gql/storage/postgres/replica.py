"""Watches a streaming replica of the primary: whether it may answer reads, and how far behind it is.

It must not know who reads there. Nothing depends on the replica: while it is away or too far behind, everything is read from the primary.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg

from audience_gql.storage.postgres.database import NO_CONNECTION, Connection, Database

_PAUSE_SECONDS: Final = 1.0
_MOST_MARKS: Final = 1_000
_AWAY: tuple[type[Exception], ...] = (asyncpg.PostgresError, *NO_CONNECTION)

Now: TypeAlias = Callable[[Connection], Awaitable[datetime]]

_SYSTEM: Final = (
    "(SELECT c.system_identifier || '/' || current_database() FROM pg_control_system() c) AS system"
)
_END: Final = f"SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint AS position, {_SYSTEM}"
_REACHED: Final = (
    "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END AS position, "
    f"{_SYSTEM}"
)

logger = logging.getLogger(__name__)


class NotAReplica(Exception):
    """The server is no standby, or the standby of another database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """An instant of the primary. The replica has everything that was committed up to then, and perhaps more."""

    instant: datetime
    behind_seconds: float
    """How long ago that instant was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """Where the primary's write-ahead log ended at an instant."""

    position: int
    instant: datetime
    taken_at: float
    """On this process' own monotonic clock, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The connections to the replica: for usual reads, and for those that may take long."""

    database: Database
    heavy: Database


Opener: TypeAlias = Callable[[], Awaitable[Pools]]
"""Opens the pools. Raises Unavailable."""


class Replica:
    """One replica as one web process knows it. `watch` looks once a second."""

    def __init__(self, *, primary: Database, now: Now, opener: Opener, most_seconds: float) -> None:
        self._primary = primary
        self._now = now
        self._opener = opener
        self.most_seconds = most_seconds
        """A replica that is further behind answers nothing."""
        self.pools: Pools | None = None
        """None until the replica has been reached for the first time."""
        self.answers = 0
        """How many queries it has answered."""
        self.handed_back = 0
        """How many queries that preferred it the primary has answered instead."""
        self._marks: deque[_Mark] = deque(maxlen=_MOST_MARKS)
        self._reached: _Mark | None = None
        self._problem: str | None = "has not been reached so far"
        self._system = ""

    @property
    def as_of(self) -> AsOf | None:
        """From when its answers are. None if it must not answer now."""
        if self._problem is not None or self._reached is None:
            return None
        behind = time.monotonic() - self._reached.taken_at
        if behind > self.most_seconds:
            return None
        return AsOf(instant=self._reached.instant, behind_seconds=behind)

    @property
    def behind_seconds(self) -> float | None:
        """How far behind it was known to be, even if that is too far. None if it was never reached."""
        return None if self._reached is None else time.monotonic() - self._reached.taken_at

    @property
    def problem(self) -> str | None:
        """Why it answers nothing, in a few words. None if it answers."""
        if self._problem is not None or self._reached is None:
            return self._problem or "has not caught up so far"
        behind = time.monotonic() - self._reached.taken_at
        return None if behind <= self.most_seconds else f"is {behind:.0f} s behind"

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def look(self) -> None:
        """Note where the primary is, then see how far the replica has come. It raises nothing for a server that is away."""
        with suppress(*_AWAY):  # presence tells this; without new marks, the replica gets older
            await self._mark()
        problem: str | None = None
        try:
            await self._see(await self._opened())
        except NotAReplica as error:
            problem = str(error)
        except _AWAY as error:
            problem = "does not answer"
            logger.debug("the replica: %s", error)
        if problem != self._problem:
            logger.warning("the replica %s", problem or "answers")
        self._problem = problem

    async def close(self) -> None:
        if self.pools is not None:
            await self.pools.database.close()
            await self.pools.heavy.close()

    async def _mark(self) -> None:
        async with self._primary.acquire() as connection:
            taken_at = time.monotonic()
            instant = await self._now(connection)
            # Read after the instant: whatever was committed before it ends at this position, or before it.
            row = await connection.fetchrow(_END)
        assert row is not None  # noqa: S101  # a SELECT without FROM has one row
        self._system = row["system"]
        self._marks.append(_Mark(position=row["position"], instant=instant, taken_at=taken_at))

    async def _opened(self) -> Pools:
        if self.pools is None:
            self.pools = await self._opener()
        return self.pools

    async def _see(self, pools: Pools) -> None:
        row = await pools.database.fetchrow(_REACHED)
        assert row is not None  # noqa: S101  # as above
        if row["position"] is None:
            raise NotAReplica("is no standby")
        if row["system"] != self._system:
            raise NotAReplica("is the standby of another database")
        while self._marks and self._marks[0].position <= row["position"]:
            self._reached = self._marks.popleft()
