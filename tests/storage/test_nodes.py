"""Where a worker works on a bucket of a cluster, with one server in the place of all machines. tests/audience/test_nodes.py needs a real cluster."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from audience_gql.storage.cluster.citus import Machine
from audience_gql.storage.engine.nodes import Nodes
from audience_gql.storage.engine.server_pool import ServerPool
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres.database import Unavailable
from tests.faults.proxy import before

NOT_THERE = Machine(host="127.0.0.1", port=1)


class Cluster:
    """What a cluster would answer, and the nodes that believe it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.machines: dict[int, Machine] = {}
        """By bucket id."""
        self.asked: list[set[int]] = []
        self.opened: list[Nodes] = []

    def nodes(self, *, addresses=None, kept_seconds: float = 10.0, avoided_seconds: float = 10.0) -> Nodes:
        async def ask(bucket_ids):
            self.asked.append(set(bucket_ids))
            return {id_: self.machines[id_] for id_ in bucket_ids if id_ in self.machines}

        nodes = Nodes(
            self.url,
            addresses or {},
            ask,
            self.open_server,
            is_watched=True,
            kept_seconds=kept_seconds,
            avoided_seconds=avoided_seconds,
        )
        self.opened.append(nodes)
        return nodes

    @staticmethod
    async def open_server(url, presence) -> ServerPool:
        return await ServerPool.open(
            url, size=1, fill_size=1, statement_timeout_seconds=10.0, presence=presence
        )


def machine_at(url: str) -> Machine:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return Machine(host=parts.hostname, port=parts.port)


@pytest.fixture
def here(database_url) -> Machine:
    return machine_at(database_url)


@pytest_asyncio.fixture(loop_scope="session")
async def cluster(database_url):
    cluster = Cluster(database_url)
    yield cluster
    for nodes in cluster.opened:
        await nodes.close()


async def place(nodes: Nodes, bucket_id: int) -> Machine | None:
    found = await nodes.place_of(bucket_id)
    return None if found is None else found.machine


async def test_a_bucket_is_worked_on_at_the_machine_that_has_it(cluster, here):
    cluster.machines = {1: here}
    nodes = cluster.nodes()

    assert [await place(nodes, 1), await place(nodes, 1)] == [here, here]
    assert await place(nodes, 2) is None
    assert cluster.asked == [{1}, {2}]
    assert set(nodes.uses) == {f"ticks {here}", f"fills {here}"}


async def test_a_bucket_that_moved_is_found_again(cluster, here):
    cluster.machines = {1: here, 2: here}
    nodes = cluster.nodes(kept_seconds=0)

    assert [await place(nodes, 1), await place(nodes, 2)] == [here, here]
    del cluster.machines[2]
    assert [await place(nodes, 1), await place(nodes, 2)] == [here, None]


async def test_only_buckets_in_use_are_asked_for_again(cluster, here):
    cluster.machines = {1: here, 2: here}
    nodes = cluster.nodes()
    for bucket_id in (1, 2, 1):
        await place(nodes, bucket_id)

    nodes.avoid(here)
    await place(nodes, 1)
    nodes.avoid(here)
    await place(nodes, 1)

    assert cluster.asked == [{1}, {2}, {1, 2}, {1}]


async def test_a_machine_that_cannot_be_reached_is_left_to_the_coordinator(cluster, here):
    cluster.machines = {1: NOT_THERE, 2: here}
    nodes = cluster.nodes()

    assert await place(nodes, 1) is None
    assert await place(nodes, 2) == here


async def test_a_machine_that_is_back_is_used_again(cluster, here):
    addresses = {str(NOT_THERE): "127.0.0.1:2"}
    cluster.machines = {1: NOT_THERE}
    nodes = cluster.nodes(addresses=addresses, avoided_seconds=0)

    assert await place(nodes, 1) is None
    addresses[str(NOT_THERE)] = str(here)
    assert await place(nodes, 1) == NOT_THERE


async def test_a_lost_machine_costs_one_tick(cluster, database_url):
    """The tick that loses its connection is put off. The next one goes through the coordinator."""
    async with before(database_url) as proxy:
        cluster.machines = {1: machine_at(proxy.address)}
        pool = TickPool(await cluster.open_server(database_url, None), cluster.nodes())

        for transaction in (pool.transaction, pool.filling, pool.looking):
            async with transaction(1) as connection:
                assert await connection.fetchval("SELECT 1") == 1
        proxy.close()
        with pytest.raises(Unavailable):
            async with pool.transaction(1) as connection:
                await connection.fetchval("SELECT 1")
        async with pool.transaction(1) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        await pool.close()
