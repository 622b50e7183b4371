"""A Postgres that vanishes without closing a connection: everybody is answered, and all comes back by itself."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from audience_gql.audience.access import create_token
from tests.faults.conftest import World
from tests.faults.proxy import Proxy, before
from tests.patience import SLACK_SECONDS

pytestmark = pytest.mark.faults

BACK_SECONDS = 10.0 + SLACK_SECONDS
"""Within so long of the end of a fault everything works again: ten seconds, and what a busy machine adds."""
AWAY_SECONDS = 6.0
STOP_SECONDS = 15.0 + SLACK_SECONDS
OPENED = {"event": {"name": "opened", "within": {"last": {"days": 1}}}}
READ = {"query": "{ subscribers(first: 1) { edges { node { externalId } } } }"}
POOL_SIZE = 10


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(world: World) -> AsyncIterator[Proxy]:
    """Between the processes of a test and Postgres; the test itself goes around it."""
    async with before(world.database_url) as proxy:
        world.database_url = proxy.address
        yield proxy


async def vanish(proxy: Proxy) -> None:
    """For a while, and come back."""
    proxy.vanish()
    await asyncio.sleep(AWAY_SECONDS)
    proxy.come_back()


async def strand(proxy: Proxy) -> None:
    proxy.strand()


async def part(proxy: Proxy) -> None:
    proxy.part()


FAULTS = pytest.mark.parametrize("fault", [vanish, strand, part], ids=lambda fault: fault.__name__)


async def is_ready(world, segment) -> bool:
    return await world.fetchval(
        "SELECT count(*) > 0 FROM segment_states WHERE segment_id = $1 AND filled_to IS NULL", segment.id
    )


async def is_beating(world) -> bool:
    return await world.fetchval("SELECT count(*) > 0 FROM workers WHERE seen_at > now() - interval '2 s'")


class Client:
    """A client of a web process."""

    def __init__(self, world: World, port: int, token: str) -> None:
        self.world = world
        self._url = f"http://127.0.0.1:{port}/graphql"
        self.http = httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60)

    async def read(self) -> int:
        """A status; 0 where nobody listens."""
        try:
            return (await self.http.post(self._url, json=READ)).status_code
        except httpx.ConnectError:
            return 0

    async def crowd(self) -> list[tuple[int, float]]:
        """As many reads at a time as there are connections, and more: status and seconds of each."""

        async def timed() -> tuple[int, float]:
            begun = time.monotonic()
            return await self.read(), time.monotonic() - begun

        return await asyncio.gather(*(timed() for _ in range(POOL_SIZE + 2)))


@pytest_asyncio.fixture(loop_scope="session")
async def client(world, proxy, unused_tcp_port) -> AsyncIterator[Client]:
    await world.people("ada")
    _, token = await create_token(
        ports=world.ports, workspace=world.workspace, name="faults", scopes=["READ"]
    )
    assert world.database_url == proxy.address
    world.start_web(unused_tcp_port)
    client = Client(world, unused_tcp_port, token)
    await world.eventually(client.read, 200)
    assert {status for status, _ in await client.crowd()} == {200}
    yield client
    await client.http.aclose()


@FAULTS
async def test_a_worker_is_back_within_ten_seconds(world, proxy, fault):
    worker = world.start_worker()
    await world.people("ada", "bob")
    segment = await world.segment("Opened", OPENED)
    await world.eventually(lambda: is_ready(world, segment), True)
    await world.track("ada")
    await world.eventually(lambda: world.members(segment), {"ada"})

    failing = asyncio.create_task(fault(proxy))
    await world.track("bob")
    await failing

    ticked = await world.eventually(
        lambda: world.members(segment), {"ada", "bob"}, patience_seconds=BACK_SECONDS
    )
    beaten = await world.eventually(lambda: is_beating(world), True, patience_seconds=BACK_SECONDS)
    later = await world.segment("Later", {"not": OPENED})
    filled = await world.eventually(lambda: is_ready(world, later), True, patience_seconds=BACK_SECONDS)
    print(
        f"{fault.__name__}: ticks after {ticked:.1f} s, beats {ticked + beaten:.1f} s, a new fill took {filled:.1f} s"
    )
    assert worker.poll() is None


@FAULTS
async def test_a_web_process_answers_all_the_time_and_is_back_within_ten_seconds(world, client, proxy, fault):
    proxy.strand()
    asked = asyncio.create_task(client.crowd())  # on the connections that are silent
    await fault(proxy)

    back = await world.eventually(client.read, 200, patience_seconds=BACK_SECONDS)
    answers = await asked
    slowest = max(seconds for _, seconds in answers)
    print(f"{fault.__name__}: reads after {back:.1f} s; the slowest answer meanwhile took {slowest:.1f} s")
    assert {status for status, _ in answers} <= {200, 503}
    assert slowest < BACK_SECONDS
    assert {status for status, _ in await client.crowd()} == {200}


async def test_a_slow_network_is_no_absence(world, client, proxy):
    world.start_worker()
    segment = await world.segment("Opened", OPENED)
    await world.eventually(lambda: is_ready(world, segment), True)
    proxy.delay_seconds = 0.2

    await world.track("ada")

    await world.eventually(lambda: world.members(segment), {"ada"})
    await asyncio.sleep(5)
    assert await client.read() == 200
    for name in ("web", "worker"):
        assert "terminating" not in (world.logs / f"{name}.log").read_text()


async def test_both_processes_end_while_postgres_is_silent(world, client, proxy):
    world.start_worker()
    await world.eventually(lambda: is_beating(world), True)
    proxy.vanish()
    asked = asyncio.create_task(client.crowd())
    await asyncio.sleep(0.5)

    begun = time.monotonic()
    for process in world.workers:
        process.send_signal(signal.SIGTERM)
    codes = [await asyncio.to_thread(process.wait, 60) for process in world.workers]
    took = time.monotonic() - begun
    await asyncio.gather(asked, return_exceptions=True)

    print(f"both ended after {took:.1f} s")
    assert codes[0] in (0, -signal.SIGTERM)  # the web server ends by the signal that it was sent
    assert codes[1] == 0
    assert took < STOP_SECONDS
