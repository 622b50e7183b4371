"""The connections with which a worker ticks, fills and audits buckets: to its server, or to the machine of a Citus cluster that has the bucket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

from audience_gql.storage.cluster import citus
from audience_gql.storage.cluster.citus import Machine
from audience_gql.storage.engine.nodes import AUTOMATIC, Addresses, Nodes
from audience_gql.storage.engine.server_pool import ServerPool
from audience_gql.storage.postgres.database import Connection, Unavailable
from audience_gql.storage.postgres.pool import PoolUse

if TYPE_CHECKING:
    from audience_gql.storage.postgres.presence import Presence

_Use: TypeAlias = Literal["ticking", "filling", "looking"]


class TickPool:
    """Connections for ticks and for fills. Whoever names a bucket gets a connection to the machine that has it, if there are several."""

    def __init__(self, main: ServerPool, nodes: Nodes | None) -> None:
        self._main = main
        self._nodes = nodes

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        size: int,
        fill_size: int = 3,
        statement_timeout_seconds: float = 60.0,
        presence: Presence | None = None,
        addresses: Addresses | None = AUTOMATIC,
    ) -> TickPool:
        """Connect. `presence` has its connections thrown away when the server is silent.

        `addresses` are those of a cluster's machines, where they differ from what the cluster says. With None, everything goes through
        the coordinator. Raises Unavailable when the server cannot be reached.
        """

        async def open_server(server_url: str, watch: Presence | None) -> ServerPool:
            return await ServerPool.open(
                server_url,
                size=size,
                fill_size=fill_size,
                statement_timeout_seconds=statement_timeout_seconds,
                presence=watch,
            )

        async def ask(bucket_ids: Collection[int]) -> Mapping[int, Machine]:
            async with main.looking() as connection:
                return await citus.machines_of(connection, bucket_ids)

        main = await open_server(url, presence)
        if addresses is None or not main.is_distributed:
            return cls(main, None)
        return cls(main, Nodes(url, addresses, ask, open_server, is_watched=presence is not None))

    @property
    def uses(self) -> Mapping[str, PoolUse]:
        """What its pools do at present, by name."""
        return {**self._main.uses, **({} if self._nodes is None else self._nodes.uses)}

    async def close(self) -> None:
        if self._nodes is not None:
            await self._nodes.close()
        await self._main.close()

    def transaction(self, bucket_id: int | None = None) -> AbstractAsyncContextManager[Connection]:
        """One transaction of a tick. Raises Unavailable while Postgres is away: try again later."""
        return self._main.ticking() if self._nodes is None else self._near(self._nodes, bucket_id, "ticking")

    def filling(self, bucket_id: int | None = None) -> AbstractAsyncContextManager[Connection]:
        """One transaction of a fill. Raises Unavailable like that of a tick."""
        return self._main.filling() if self._nodes is None else self._near(self._nodes, bucket_id, "filling")

    def looking(self, bucket_id: int | None = None) -> AbstractAsyncContextManager[Connection]:
        """One snapshot, planned like a fill: all its reads see the database as at the first of them. It can write and lock nothing.

        Raises Unavailable like a tick.
        """
        return self._main.looking() if self._nodes is None else self._near(self._nodes, bucket_id, "looking")

    @asynccontextmanager
    async def _near(self, nodes: Nodes, bucket_id: int | None, use: _Use) -> AsyncIterator[Connection]:
        """A transaction on the machine that has the bucket. Every machine can route, so a wrong one only costs time."""
        place = None if bucket_id is None else await nodes.place_of(bucket_id)
        server = self._main if place is None else place.server
        try:
            async with _transaction(server, use) as connection:
                yield connection
        except Unavailable:
            if place is not None:
                nodes.avoid(place.machine)
            raise


def _transaction(server: ServerPool, use: _Use) -> AbstractAsyncContextManager[Connection]:
    match use:
        case "ticking":
            return server.ticking()
        case "filling":
            return server.filling()
        case "looking":
            return server.looking()
