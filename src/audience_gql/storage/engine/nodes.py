"""Knows on which machine of a Citus cluster each bucket lives, and keeps a worker's connections to these machines.

It may be wrong at any time, because buckets move. Every machine can reach every bucket, so a mistake costs time and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from audience_gql.storage.cluster.citus import Machine
from audience_gql.storage.engine.server_pool import ServerPool
from audience_gql.storage.postgres.database import Unavailable
from audience_gql.storage.postgres.pool import PoolUse
from audience_gql.storage.postgres.presence import Presence

Addresses: TypeAlias = Mapping[str, str]
"""By the address of a machine as the cluster knows it, the address at which this process reaches it, both as `host:port`."""
AUTOMATIC: Final[Addresses] = {}
"""The addresses that the cluster knows."""
Ask: TypeAlias = Callable[[Collection[int]], Awaitable[Mapping[int, Machine]]]
"""Tells which machine has each of these buckets, without those on the coordinator."""
OpenServer: TypeAlias = Callable[[str, Presence | None], Awaitable[ServerPool]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlace:
    """The machine that has a bucket, with connections to it."""

    machine: Machine
    server: ServerPool


class Nodes:
    """The machines of one cluster, apart from the coordinator."""

    def __init__(
        self,
        url: str,
        addresses: Addresses,
        ask: Ask,
        open_server: OpenServer,
        *,
        is_watched: bool,
        kept_seconds: float = 10.0,
        avoided_seconds: float = 5.0,
    ) -> None:
        """`is_watched` has the connections to a machine terminated when it is silent.

        An answer of `ask` counts for `kept_seconds`. A machine that could not be reached is not tried for `avoided_seconds`.
        """
        self._url = url
        self._addresses = addresses
        self._ask_cluster = ask
        self._open_server = open_server
        self._is_watched = is_watched
        self._kept_seconds = kept_seconds
        self._avoided_seconds = avoided_seconds
        self._machines: dict[int, Machine] = {}
        """By bucket id. Buckets on the coordinator are missing."""
        self._known: set[int] = set()
        """The buckets of the last answers."""
        self._used: set[int] = set()
        """The buckets that were asked for since the last time that the cluster was asked for all of them."""
        self._stale_at = 0.0
        """When the answers no longer count."""
        self._servers: dict[Machine, ServerPool] = {}
        self._avoided_until: dict[Machine, float] = {}
        self._opening = asyncio.Lock()
        self._watching: list[asyncio.Task[None]] = []

    @property
    def uses(self) -> Mapping[str, PoolUse]:
        """What the pools of each machine do at present, by name."""
        return {
            f"{name} {machine}": use
            for machine, server in self._servers.items()
            for name, use in server.uses.items()
        }

    async def place_of(self, bucket_id: int) -> NodePlace | None:
        """Where to work on a bucket. None means through the coordinator: the bucket is there, or its machine cannot be reached at present.

        Raises Unavailable while the coordinator is away.
        """
        now = time.monotonic()
        self._used.add(bucket_id)
        if now >= self._stale_at:
            await self._ask_again(now)
        elif bucket_id not in self._known:
            await self._ask({bucket_id})
        machine = self._machines.get(bucket_id)
        if machine is None or self._avoided_until.get(machine, 0.0) > now:
            return None
        server = self._servers.get(machine) or await self._open(machine)
        return None if server is None else NodePlace(machine=machine, server=server)

    def avoid(self, machine: Machine) -> None:
        """Work through the coordinator for a while, and ask it again where the buckets are: this machine was lost, or another takes its place."""
        self._avoided_until[machine] = time.monotonic() + self._avoided_seconds
        self._stale_at = 0.0

    async def close(self) -> None:
        for task in self._watching:
            task.cancel()
        for task in self._watching:
            with suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    async def _ask_again(self, now: float) -> None:
        """Ask for all buckets in use. Meanwhile, the last answers still count."""
        self._stale_at = now + self._kept_seconds
        used, self._used = self._used, set()
        try:
            await self._ask(used)
        except BaseException:
            self._stale_at = 0.0
            self._used |= used
            raise
        for bucket_id in self._known - used:
            self._known.discard(bucket_id)
            self._machines.pop(bucket_id, None)

    async def _ask(self, bucket_ids: Collection[int]) -> None:
        found = await self._ask_cluster(bucket_ids)
        self._known.update(bucket_ids)
        for bucket_id in bucket_ids:
            self._machines.pop(bucket_id, None)
        self._machines.update(found)

    async def _open(self, machine: Machine) -> ServerPool | None:
        """Connect to a machine. Returns None if it cannot be reached."""
        async with self._opening:
            if (server := self._servers.get(machine)) is not None:
                return server
            url = self._url_of(machine)
            presence = Presence(url) if self._is_watched else None
            try:
                server = await self._open_server(url, presence)
            except Unavailable as error:
                logger.warning(
                    "working through the coordinator, because machine %s is not there: %s", machine, error
                )
                self.avoid(machine)
                return None
            if presence is not None:
                self._watching.append(asyncio.create_task(presence.watch(), name=f"presence {machine}"))
            self._servers[machine] = server
            return server

    def _url_of(self, machine: Machine) -> str:
        """The same account and database at the address of the machine."""
        parts = urlsplit(self._url)
        address = self._addresses.get(str(machine), str(machine))
        account, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{account}{at}{address}"))
