"""A Redis that vanishes without closing a connection: jobs and signals come back by themselves, and readiness tells of it meanwhile."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from audience_gql.audience.imports.lifecycle import receive_file, start_import
from audience_gql.audience.imports.plans import ColumnPlan, ImportPlan
from audience_gql.audience.readiness import readiness
from audience_gql.messaging.signals import RedisSignals
from tests.faults.conftest import World
from tests.faults.proxy import Proxy, before
from tests.patience import SLACK_SECONDS

pytestmark = pytest.mark.faults

BACK_SECONDS = 10.0 + SLACK_SECONDS
"""Within so long of the end of a fault everything works again: ten seconds, and what a busy machine adds."""
AWAY_SECONDS = 6.0
NOTICED_SECONDS = 30.0
STOP_SECONDS = 15.0 + SLACK_SECONDS
LT = {"country": {"is": "LT"}}


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(world: World) -> AsyncIterator[Proxy]:
    """Between the processes of a test and Redis; the test itself goes around it."""
    async with before(world.redis_url) as proxy:
        world.redis_url = proxy.address
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


async def has_problem_with(world, part: str) -> bool:
    return (await readiness(ports=world.ports)).parts[part] is not None


async def looks_for_jobs(world) -> bool:
    return await world.fetchval(
        "SELECT count(*) > 0 FROM workers WHERE looked_for_jobs_at > now() - interval '2 s'"
    )


async def import_somebody(world) -> int:
    """The id of an import whose rows are the worker's to write."""
    column = ColumnPlan(header="id", kind="profile", target="externalId")
    made, secret = await start_import(
        ports=world.ports, workspace=world.workspace, plan=ImportPlan(columns=(column,)), dry_run=False
    )

    async def content() -> AsyncIterator[bytes]:
        yield b"id\nada\n"

    await receive_file(ports=world.ports, import_id=made.id, secret=secret, content=content())
    return made.id


async def is_done(world, import_id: int) -> bool:
    return await world.fetchval("SELECT state = 'DONE' FROM imports WHERE id = $1", import_id)


@FAULTS
async def test_the_loop_of_jobs_is_back_within_ten_seconds(world, proxy, fault):
    worker = world.start_worker()
    first = await import_somebody(world)
    await world.eventually(lambda: is_done(world, first), True)

    await fault(proxy)
    second = await import_somebody(world)

    done = await world.eventually(lambda: is_done(world, second), True, patience_seconds=BACK_SECONDS)
    looked = await world.eventually(lambda: looks_for_jobs(world), True, patience_seconds=BACK_SECONDS)
    print(
        f"{fault.__name__}: an import is written after {done:.1f} s, jobs are looked for after {done + looked:.1f} s"
    )
    assert worker.poll() is None


@FAULTS
async def test_who_listens_hears_again_within_ten_seconds(world, proxy, fault):
    """On a subscription an idle connection and a dead one are equally silent."""
    sender, signals = world.ports.signals, RedisSignals(proxy.address)
    async with signals.changes(1) as wakeups:
        await wakeups.wait(2)
        await asyncio.sleep(0.5)
        await wakeups.wait(0.1)

        await fault(proxy)
        begun = time.monotonic()
        async with asyncio.timeout(BACK_SECONDS):
            sender.changed([1])
            while await wakeups.wait(0.5) != {1}:
                sender.changed([1])

        print(f"{fault.__name__}: signals are heard after {time.monotonic() - begun:.1f} s")
    await signals.close()


async def test_readiness_names_the_loop_of_jobs_while_it_does_not_turn(world, proxy):
    world.start_worker()
    await world.eventually(lambda: has_problem_with(world, "jobs"), False)

    proxy.vanish()

    noticed = await world.eventually(
        lambda: has_problem_with(world, "jobs"), True, patience_seconds=NOTICED_SECONDS
    )
    print(f"readiness tells of it after {noticed:.1f} s")
    assert not await has_problem_with(world, "worker"), "its ticks need no Redis"
    proxy.come_back()
    await world.eventually(lambda: has_problem_with(world, "jobs"), False, patience_seconds=BACK_SECONDS)


async def test_a_slow_network_is_no_absence(world, proxy):
    world.start_worker()
    proxy.delay_seconds = 0.2

    segment = await world.segment("LT", LT)

    await world.eventually(lambda: is_ready(world, segment), True)
    await asyncio.sleep(5)
    said = (world.logs / "worker.log").read_text()
    assert "jobs wait for Redis" not in said
    assert "signals are not available" not in said


async def test_both_processes_end_while_redis_is_silent(world, proxy, unused_tcp_port):
    web, worker = world.start_web(unused_tcp_port), world.start_worker()
    await world.eventually(lambda: looks_for_jobs(world), True)
    proxy.vanish()
    await asyncio.sleep(0.5)

    begun = time.monotonic()
    for process in (web, worker):
        process.send_signal(signal.SIGTERM)
    codes = [await asyncio.to_thread(process.wait, 60) for process in (web, worker)]

    took = time.monotonic() - begun
    print(f"both ended after {took:.1f} s")
    assert codes[0] in (0, -signal.SIGTERM)  # the web server ends by the signal that it was sent
    assert codes[1] == 0
    assert took < STOP_SECONDS
