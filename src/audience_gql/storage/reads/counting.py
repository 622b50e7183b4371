"""Counts the people of a workspace range by range, as many as a budget of time allows: everybody, or a random sample.

People's ids are random, so the people with ids up to some number are a random sample of the audience, the same one every time.
It must not know what is counted: the caller gives a function for one range of one bucket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final, Generic, Protocol, Self, TypeAlias, TypeVar

import asyncpg

from audience_gql.storage.postgres.database import Connection

_IDS: Final = 2**62
"""Ids of people are uniformly random in [0, 2^62)."""
_LAST_ID: Final = 2**63 - 1
_CAUTION: Final = 0.7
"""The part of the remaining time to plan for: a larger range can take disproportionately longer."""
_LEAST_GROWTH: Final = 0.2
"""A slice that adds less than this part of what is already counted is not worth a statement."""
_SHRINKS: Final = 3
_SHRINK: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long counting may take. Less time never fails: fewer people are counted."""

    seconds: float = 0.3
    """For everything, counted from the start. The first slice has a limit of its own, and is counted in any case."""
    first_share: float = 1 / 64
    """The size of the first slice, as a share of the audience. Its duration is used to plan the next slice."""
    first_seconds: float = 1.0
    """The limit of the first slice. After it, a smaller first slice is tried."""
    whole_up_to: int = 5_000
    """An audience of at most this many people is counted in one slice."""


class Figures(Protocol):
    """Counts among some people."""

    seen: int
    """How many people these are."""

    def add(self, other: Self) -> None:
        """Add the counts among other people."""


Counts = TypeVar("Counts", bound=Figures)
CountRange: TypeAlias = Callable[[int, int, int], Awaitable[Counts]]
"""Counts the people of a bucket with ids in (after, through]."""


@dataclass(frozen=True, slots=True)
class Counted(Generic[Counts]):
    """The counts among the people seen, and the number of all people. If both numbers of people are equal, everybody was counted."""

    figures: Counts
    people: int
    bucket_ids: list[int]
    """All buckets of the workspace."""


async def count_people(
    connection: Connection,
    workspace_id: int,
    count: CountRange[Counts],
    nothing: Callable[[], Counts],
    budget: Budget,
) -> Counted[Counts]:
    """Count as many people of the workspace as the budget allows. `nothing` makes the counts among no people.

    The connection must hold a snapshot. Raises asyncpg.QueryCanceledError only if not even a tiny share can be counted.
    """
    bucket_ids, is_small = await _audience(connection, workspace_id, budget.whole_up_to)
    counting = _Counting(connection, bucket_ids, count, nothing)
    await counting.run(budget, first_share=1.0 if is_small else budget.first_share)
    uncounted = await _people_after(connection, workspace_id, counting.last_id)
    return Counted(counting.figures, counting.figures.seen + uncounted, bucket_ids)


class _Counting(Generic[Counts]):
    """One count. It reads slices of the id range in every bucket; each slice continues where the one before ended."""

    def __init__(
        self,
        connection: Connection,
        bucket_ids: Sequence[int],
        count: CountRange[Counts],
        nothing: Callable[[], Counts],
    ) -> None:
        self._connection = connection
        self._bucket_ids = bucket_ids
        self._count = count
        self._nothing = nothing
        self._share = 0.0
        self._seconds_a_share = 0.0
        self.figures = nothing()

    @property
    def last_id(self) -> int:
        """Everybody with an id up to this one has been counted."""
        return _LAST_ID if self._share >= 1 else int(self._share * _IDS) - 1

    async def run(self, budget: Budget, *, first_share: float) -> None:
        deadline = monotonic() + budget.seconds
        await self._first_slice(first_share, budget.first_seconds)
        while self._share < 1:
            left = deadline - monotonic()
            rest = 1 - self._share
            step = min(rest, left * _CAUTION / self._seconds_a_share)
            if step < min(rest, self._share * _LEAST_GROWTH):
                return
            try:
                await self._slice(1.0 if step >= rest else self._share + step, left)
            except asyncpg.QueryCanceledError:
                return  # the counts of earlier slices stay

    async def _first_slice(self, share: float, seconds: float) -> None:
        for attempt in range(_SHRINKS + 1):
            try:
                await self._slice(share / _SHRINK**attempt, seconds)
            except asyncpg.QueryCanceledError:
                if attempt == _SHRINKS:
                    raise
            else:
                return

    async def _slice(self, upto: float, seconds: float) -> None:
        """Count the people up to this share of the id range. If the time runs out, no part of the slice is added."""
        started = monotonic()
        before, after = self._share, self.last_id
        through = _LAST_ID if upto >= 1 else int(upto * _IDS) - 1
        figures = self._nothing()
        async with limited(self._connection, seconds):
            for bucket_id in self._bucket_ids:
                if monotonic() - started > seconds:
                    raise asyncpg.QueryCanceledError("the buckets together took too long")
                figures.add(await self._count(bucket_id, after, through))
        self.figures.add(figures)
        self._share = upto
        self._seconds_a_share = (monotonic() - started) / (upto - before)


@asynccontextmanager
async def limited(connection: Connection, seconds: float) -> AsyncIterator[None]:
    """Limit how long each statement inside may take. After that it raises asyncpg.QueryCanceledError, and the transaction stays usable."""
    milliseconds = max(1, int(seconds * 1000))  # 0 would mean no limit
    await connection.execute(f"SAVEPOINT limited; SET LOCAL statement_timeout = {milliseconds:d}")
    try:
        yield
    finally:
        await connection.execute(
            "ROLLBACK TO limited"
        )  # nothing was written; this restores the usual timeout


async def _audience(connection: Connection, workspace_id: int, limit: int) -> tuple[list[int], bool]:
    """The workspace's buckets, and whether they have at most `limit` people."""
    row = await connection.fetchrow(
        "SELECT ARRAY(SELECT id FROM buckets WHERE workspace_id = $1 ORDER BY id) AS bucket_ids, "
        "(SELECT count(*) FROM (SELECT 1 FROM buckets b JOIN subscribers s ON s.bucket_id = b.id "
        f"WHERE b.workspace_id = $1 LIMIT {limit + 1:d}) x) AS people",
        workspace_id,
    )
    assert row is not None  # noqa: S101  # it has no FROM
    return row["bucket_ids"], row["people"] <= limit


async def _people_after(connection: Connection, workspace_id: int, last_id: int) -> int:
    if last_id == _LAST_ID:
        return 0
    people: int = await connection.fetchval(
        "SELECT count(*) FROM buckets b JOIN subscribers s ON s.bucket_id = b.id AND s.id > $2 WHERE b.workspace_id = $1",
        workspace_id,
        last_id,
    )
    return people
