"""The ORM's client for Postgres, with our pool instead of the driver's. The ORM finds it by the name of this module."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient

from audience_gql.storage.postgres.connections import PlainConnection
from audience_gql.storage.postgres.pool import Pool


class PooledClient(AsyncpgDBClient):
    """The ORM's client. Its models and our SQL share the pool."""

    async def create_pool(  # type: ignore[override]  # the ORM uses only what both pools have
        self,
        *,
        min_size: int,  # noqa: ARG002  # the pool keeps one
        max_size: int,
        init: Callable[[PlainConnection], Awaitable[None]] | None = None,
        **given: Any,  # Any: what the driver's `connect` takes
    ) -> Pool:
        async def connect() -> PlainConnection:
            connection: PlainConnection = await asyncpg.connect(**given)
            if init is not None:
                await init(connection)
            return connection

        pool = Pool(connect, most=max_size)
        await pool.open()
        return pool


client_class = PooledClient
