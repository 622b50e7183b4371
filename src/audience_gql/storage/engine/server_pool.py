"""A worker's connections to one server: some for ticks, some for fills and audits, each planned for its kind of question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from audience_gql.storage.cluster import citus
from audience_gql.storage.postgres.connections import (
    CONNECT_SECONDS,
    PlainConnection,
    close_pool,
    command_timeout,
)
from audience_gql.storage.postgres.database import NO_CONNECTION, UNREACHABLE, Connection, Unavailable
from audience_gql.storage.postgres.losses import loss
from audience_gql.storage.postgres.orm_config import server_settings
from audience_gql.storage.postgres.pool import PoolUse

if TYPE_CHECKING:
    from audience_gql.storage.postgres.presence import Presence

_FOR_TICKS: Mapping[str, str] = {
    # A plan made while a table was empty is kept when it is not: it must not read whole tables for a few people.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
}
_GENERIC: Mapping[str, str] = {"plan_cache_mode": "force_generic_plan"}
"""Of one machine. A Citus cluster finds a bucket's machine by the statement's values."""
_STATEMENTS_KEPT: Final = 128
"""A connection, prepared: one for each set of segments that some kind of fact or edge can change."""
_FOR_FILLS: Mapping[str, str] = {"plan_cache_mode": "force_custom_plan"}


class ServerPool:
    """Connections for ticks and for fills, apart, so that neither waits for the other. Statements stay prepared, however long their text.

    A tick looks at named people, for which one generic plan is as good as any, and saves the planning. A fill looks at a
    whole range, and what is best for a bucket of ten people takes hours for one of a hundred thousand: it is planned for
    the bucket at hand.
    """

    def __init__(
        self,
        ticks: asyncpg.Pool[asyncpg.Record],
        fills: asyncpg.Pool[asyncpg.Record],
        *,
        is_distributed: bool,
    ) -> None:
        self._ticks = ticks
        self._fills = fills
        self.is_distributed = is_distributed
        """Whether the buckets are distributed over the machines of a Citus cluster."""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        size: int,
        fill_size: int,
        statement_timeout_seconds: float,
        presence: Presence | None = None,
    ) -> ServerPool:
        """Connect. `presence` has its connections thrown away when the server is silent.

        Raises Unavailable when the server cannot be reached.
        """
        pools: list[asyncpg.Pool[asyncpg.Record]] = []

        async def open_pool(
            connections: int, use: str, settings: Mapping[str, str]
        ) -> asyncpg.Pool[asyncpg.Record]:
            pools.append(
                await _open_pool(url, connections, use, settings, statement_timeout_seconds, presence)
            )
            return pools[-1]

        try:
            fills = await open_pool(fill_size, "fill", _FOR_FILLS)
            async with fills.acquire() as connection:
                is_cluster = await citus.version(connection) is not None  # type: ignore[arg-type]  # a pool's proxy has all of a connection's methods
                is_distributed = is_cluster and await citus.is_distributed(connection)  # type: ignore[arg-type]  # the same
            ticks = await open_pool(size, "tick", _FOR_TICKS if is_cluster else {**_FOR_TICKS, **_GENERIC})
        except NO_CONNECTION as error:
            for pool in pools:
                pool.terminate()
            raise Unavailable("Postgres cannot be reached") from error
        return cls(ticks, fills, is_distributed=is_distributed)

    @property
    def uses(self) -> Mapping[str, PoolUse]:
        """What its pools do at present, by name. The driver's pools do not tell how many callers wait, which is 0 here."""
        return {"ticks": _use_of(self._ticks), "fills": _use_of(self._fills)}

    async def close(self) -> None:
        for pool in (self._ticks, self._fills):
            await close_pool(pool)

    @asynccontextmanager
    async def ticking(self) -> AsyncIterator[Connection]:
        """One transaction of a tick. Raises Unavailable while Postgres is away: try again later."""
        async with _transaction_of(self._ticks) as connection:
            yield connection

    @asynccontextmanager
    async def filling(self) -> AsyncIterator[Connection]:
        """One transaction of a fill. Raises Unavailable like that of a tick."""
        async with _transaction_of(self._fills) as connection:
            yield connection

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[Connection]:
        """One snapshot, planned like a fill: all its reads see the database as at the first of them. It can write and lock nothing.

        Raises Unavailable like a tick.
        """
        async with _transaction_of(self._fills, isolation="repeatable_read", readonly=True) as connection:
            yield connection


def _use_of(pool: asyncpg.Pool[asyncpg.Record]) -> PoolUse:
    idle = pool.get_idle_size()
    return PoolUse(lent=pool.get_size() - idle, idle=idle, most=pool.get_max_size(), waiting=0)


@asynccontextmanager
async def _transaction_of(
    pool: asyncpg.Pool[asyncpg.Record],
    *,
    isolation: Literal["repeatable_read"] | None = None,
    readonly: bool = False,
) -> AsyncIterator[Connection]:
    try:
        async with pool.acquire() as connection:
            block = connection.transaction(isolation=isolation, readonly=readonly)
            await block.start()
            try:
                yield connection  # type: ignore[misc]  # a pool's proxy has all of a connection's methods
            except BaseException:
                with suppress(*NO_CONNECTION):  # or a task that is told to end would go on instead
                    await block.rollback()
                raise
            await block.commit()
    except NO_CONNECTION as error:
        # The driver's pool takes a lost connection back, and tells that with the class of a mistake.
        if isinstance(error, UNREACHABLE) or loss(error):
            raise Unavailable("Postgres is away") from error
        raise


async def _open_pool(
    url: str,
    size: int,
    use: str,
    settings: Mapping[str, str],
    statement_timeout_seconds: float,
    presence: Presence | None,
) -> asyncpg.Pool[asyncpg.Record]:
    return await asyncpg.create_pool(
        urlunsplit(urlsplit(url)._replace(scheme="postgres")),
        min_size=1,
        max_size=size,
        connection_class=PlainConnection,
        init=None if presence is None else presence.register,
        timeout=CONNECT_SECONDS,
        command_timeout=command_timeout(statement_timeout_seconds),
        statement_cache_size=_STATEMENTS_KEPT,
        max_cacheable_statement_size=0,
        max_cached_statement_lifetime=0,
        server_settings={
            **server_settings(statement_timeout_seconds, lock_timeout_seconds=30.0),
            "application_name": f"audience-gql {use}",
            **settings,
        },
    )
