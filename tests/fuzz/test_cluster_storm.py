"""The storm on a Citus cluster whose machines are killed: when all is quiet again, no membership is wrong and nothing that was written is lost.

CITUS_URL names the coordinator. CITUS_MACHINE is a command that ends with `stop` or `start` and the port of a machine: it kills that machine's
Postgres at once, or starts it and waits until it answers.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.embedded import Servers
from tests import cluster
from tests.faults.conftest import World, world_on
from tests.fuzz.storm import Storm

COMMAND = os.environ.get("CITUS_MACHINE")
pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.faults,
    pytest.mark.on_cluster,
    pytest.mark.skipif(not COMMAND, reason="CITUS_MACHINE does not say how to kill a machine"),
]
SECONDS = 40


@dataclass
class ClusterStorm(Storm):
    """A storm that kills machines instead of backends, and only judges when all is at rest: no snapshot is of several machines."""

    kept: list[str] = field(default_factory=list)
    """People whose event was accepted. Nobody erases them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._breaks.remove(self._end_backends)
        self._breaks += [self._lose_machine, self._lose_machine]
        self.chance.shuffle(self._breaks)

    async def _kill_backend(self) -> None:
        await self._lose_machine()

    async def _lose_machine(self) -> None:
        _, *others = await cluster.machines(str(cluster.COORDINATOR))
        port = self.chance.choice(others).port
        await _have("stop", port)
        try:
            await asyncio.sleep(self.chance.random() * 4)
        finally:
            await asyncio.shield(_have("start", port))
        self.done["machines lost"] += 1

    async def _look(self) -> None:
        """Write what must be there at the end."""
        person = f"kept {len(self.kept)} {self.chance.getrandbits(40)}"
        key = SubscriberKey(kind="externalId", value=person)
        await track_events(
            ports=self.world.ports,
            workspace=self.world.workspace,
            items=[EventItem(subscriber=key, name="opened")],
            create_missing=True,
        )
        self.kept.append(person)

    async def lost(self) -> set[str]:
        rows = await self.world.ports.database.fetch(
            "SELECT s.external_id FROM buckets b JOIN subscribers s ON s.bucket_id = b.id "
            "JOIN events e ON e.bucket_id = b.id AND e.subscriber_id = s.id WHERE b.workspace_id = $1",
            self.world.workspace.id,
        )
        return {*self.kept} - {row["external_id"] for row in rows}


@pytest_asyncio.fixture(loop_scope="session")
async def cluster_world(servers: Servers, tmp_path: Path) -> AsyncIterator[World]:
    async with (
        cluster.database_beside(servers.addresses.database_url, "storm") as database_url,
        world_on(servers, database_url, tmp_path) as made,
    ):
        yield made


@pytest.mark.parametrize("seed", range(3))
async def test_machines_may_be_lost(cluster_world, seed):
    storm = ClusterStorm(cluster_world, seed)

    await storm.blow(SECONDS, comparisons=0)

    told = f"seed {seed}: {dict(storm.done)}, {len(storm.kept)} kept, {storm.judge.compared} compared"
    print(told)
    assert storm.wrong == [], "\n".join([told, *storm.actions])
    assert await storm.lost() == set(), told
    async with cluster_world.ports.database.acquire() as connection:
        await connection.fetchval("SELECT recover_prepared_transactions()")
        assert await cluster.differing_copies(connection) == [], told
    assert storm.done["rests"] == 1
    assert storm.done["machines lost"] >= 2, told
    assert len(storm.kept) > 3, told
    assert "repaired" not in (cluster_world.logs / "worker.log").read_text(), told


async def _have(wish: str, port: int) -> None:
    command = await asyncio.create_subprocess_exec(*shlex.split(str(COMMAND)), wish, str(port))
    assert await command.wait() == 0
