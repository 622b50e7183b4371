"""Ticks and fills at the machine of a Citus cluster that has the bucket. Most of these tests need CITUS_URL."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from audience_gql.audience.definitions.pausing import pause_segment
from audience_gql.audience.engine.auditing import Repaired
from audience_gql.audience.engine.membership import Membership
from audience_gql.storage import buckets, definitions
from audience_gql.storage.cluster import citus
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, RunAgain
from tests.faults.proxy import before

PEOPLE = [f"p{n}" for n in range(8)]


@pytest_asyncio.fixture(loop_scope="session")
async def coordinator_pool(database_url):
    """Connections to the coordinator alone, as of a worker that knows no other machine."""
    pool = await TickPool.open(database_url, size=2, addresses=None)
    yield pool
    await pool.close()


async def machine_of(house) -> citus.Machine:
    async with house.ports.database.acquire() as connection:
        return (await citus.machines_of(connection, [house.bucket_id]))[house.bucket_id]


async def move(house) -> citus.Machine:
    """Move the bucket, and all that is beside it, to the next machine. Returns that machine."""
    async with house.ports.database.acquire() as connection:
        _, *machines = await citus.machines(connection)
        now = (await citus.machines_of(connection, [house.bucket_id]))[house.bucket_id]
        target = machines[(machines.index(now) + 1) % len(machines)]
        await connection.execute(
            "SELECT citus_move_shard_placement(get_shard_id_for_distribution_column('buckets', $1::bigint), $2, $3, $4, $5, 'block_writes')",
            house.bucket_id,
            now.host,
            now.port,
            target.host,
            target.port,
        )
    return target


async def segments(house):
    recent = {"event": {"name": "opened", "within": {"last": {"minutes": 1}}}}
    often = {"event": {"name": "opened", "times": {"atLeast": 3}, "within": {"last": {"minutes": 5}}}}
    return [
        await house.segment("Recent", recent),
        await house.segment("Often", often),
        await house.segment("Quiet", {"not": recent}),
    ]


async def happen(house, rng: random.Random) -> None:
    await house.track(rng.choice(PEOPLE), "opened")


async def tick(of: Membership, bucket_id: int) -> None:
    """Tick like a worker, which tries again when a tick was put off."""
    with suppress(*BUSY, *UNREACHABLE):
        await of.tick(bucket_id)


async def assert_exact(house, pool, made) -> None:
    """Nothing differs from the raw facts, and every change is in the log once, as the coordinator sees it."""
    await house.tick()
    through_coordinator = Membership(house.ports, pool)
    for segment in made:
        repaired = await through_coordinator.audit(house.bucket_id, segment.id)
        assert repaired == Repaired(entered=0, left=0), segment.name
    for segment in made:
        log = await house.ports.database.fetch(
            "SELECT c.subscriber_id, c.entered FROM membership_changes c "
            "WHERE c.bucket_id = $1 AND c.list_kind = 'SEGMENT' AND c.list_id = $2 ORDER BY c.sequence",
            house.bucket_id,
            segment.id,
        )
        members = await house.ports.database.fetch(
            "SELECT m.subscriber_id FROM segment_members m WHERE m.bucket_id = $1 AND m.segment_id = $2",
            house.bucket_id,
            segment.id,
        )
        inside: set[int] = set()
        for row in log:
            assert (row["subscriber_id"] in inside) != row["entered"]
            (inside.add if row["entered"] else inside.remove)(row["subscriber_id"])
        assert inside == {row["subscriber_id"] for row in members}


@pytest.mark.on_cluster
async def test_ticks_fills_and_looks_are_at_the_machine_that_has_the_bucket(house, tick_pool):
    machine = await machine_of(house)

    for transaction in (tick_pool.transaction, tick_pool.filling, tick_pool.looking):
        async with transaction(house.bucket_id) as connection:
            assert await connection.fetchval("SELECT inet_server_port()") == machine.port


@pytest.mark.on_cluster
@pytest.mark.parametrize("seed", [1, 2])
async def test_two_workers_by_two_ways_keep_a_bucket_exact(house, tick_pool, coordinator_pool, seed):
    """One ticks at the machine, the other through the coordinator. Both lock the same row."""
    rng = random.Random(seed)
    await house.upsert(*({"externalId": name} for name in PEOPLE))
    made = await segments(house)
    ways = [Membership(house.ports, pool) for pool in (tick_pool, coordinator_pool)]

    async def work(of: Membership) -> None:
        for _ in range(25):
            await tick(of, house.bucket_id)

    async def live() -> None:
        for _ in range(40):
            await happen(house, rng)
            house.clock.advance(timedelta(seconds=rng.choice((1, 7, 40))))

    await asyncio.gather(live(), *map(work, ways))
    await assert_exact(house, coordinator_pool, made)


@pytest.mark.on_cluster
async def test_a_lock_holds_on_both_ways(house, tick_pool, coordinator_pool):
    statement = "SELECT 1 FROM buckets WHERE id = $1 FOR NO KEY UPDATE NOWAIT"
    for holder, other in ((tick_pool, coordinator_pool), (coordinator_pool, tick_pool)):
        async with holder.transaction(house.bucket_id) as connection:
            await membership.lock_bucket(connection, house.bucket_id)
            with pytest.raises(BUSY):
                async with other.transaction(house.bucket_id) as waiting:
                    await waiting.fetchval(statement, house.bucket_id)


@pytest.mark.on_cluster
async def test_a_bucket_that_moves_during_ticks_stays_exact(house, coordinator_pool):
    rng = random.Random(3)
    await house.upsert(*({"externalId": name} for name in PEOPLE))
    made = await segments(house)
    first = await machine_of(house)
    is_moved = asyncio.Event()

    async def live() -> None:
        while not is_moved.is_set():
            await happen(house, rng)
            house.clock.advance(timedelta(seconds=rng.choice((1, 7, 40))))
            await tick(house.membership, house.bucket_id)

    living = asyncio.create_task(live())
    there, back = await move(house), await move(house)
    is_moved.set()
    await living

    assert first != there
    assert back != there
    await assert_exact(house, coordinator_pool, made)


async def ticks(house, pool) -> None:
    assert await Membership(house.ports, pool).tick(house.bucket_id)


async def pauses(house, _) -> None:
    segment = await house.ports.database.fetchval(
        "SELECT id FROM segments WHERE workspace_id = $1", house.workspace.id
    )
    await pause_segment(ports=house.ports, workspace=house.workspace, segment_id=segment)


@pytest.mark.on_cluster
@pytest.mark.parametrize("act", [ticks, pauses])
async def test_a_lock_that_stays_behind_a_move_allows_no_write(house, tick_pool, database_url, act):
    """A move does not wait for a transaction that has only locked. Two then hold the bucket, and the second one to write is turned away."""
    await house.segment("S", {"country": {"is": "LT"}})
    async with tick_pool.transaction(house.bucket_id) as connection:
        # A move can take longer than an idle transaction may.
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        bucket = await membership.lock_bucket(connection, house.bucket_id)
        await move(house)
        later = await TickPool.open(database_url, size=1)
        await act(house, later)
        await later.close()

        with pytest.raises(RunAgain):
            await leave(connection, bucket)


@pytest.mark.on_cluster
async def test_a_machine_that_is_lost_and_comes_back(house, database_url, coordinator_pool):
    """The way from a worker to a machine breaks. The worker goes on through the coordinator, and finds the machine again."""
    rng = random.Random(4)
    await house.upsert(*({"externalId": name} for name in PEOPLE))
    made = await segments(house)
    machine = await machine_of(house)
    addresses: dict[str, str] = {}
    pool = await TickPool.open(database_url, size=2, addresses=addresses)
    worker = Membership(house.ports, pool)
    async with before(f"postgres://{machine}") as proxy:
        addresses[str(machine)] = proxy.address.removeprefix("postgres://")
        for number in range(12):
            await happen(house, rng)
            await tick(worker, house.bucket_id)
            if number == 3:
                proxy.close()
                with pytest.raises(UNREACHABLE):
                    await worker.tick(house.bucket_id)
    await worker.tick(house.bucket_id)
    await pool.close()

    await assert_exact(house, coordinator_pool, made)


async def leave(connection, bucket) -> None:
    await membership.leave_bucket(
        connection, bucket, [], now=bucket.last_instant, times=bucket, settled_at=None
    )


async def advance(connection, bucket) -> None:
    await membership.advance_bucket(connection, bucket, next_sequence=1, now=bucket.last_instant)


async def log(connection, bucket) -> None:
    change = membership.Change("SEGMENT", 1, 1, True, "REPAIR", 1)
    await membership.log_outside_a_tick(connection, bucket, [change], now=bucket.last_instant)


async def test_whoever_locks_all_buckets_turns_away_who_locked_one_before(house):
    """On one machine nobody can get between the two. On a cluster, a bucket that moves leaves the first lock behind."""
    async with house.ports.database.transaction() as transaction:
        connection = transaction.connection
        bucket = await membership.lock_bucket(connection, house.bucket_id)
        await definitions.lock_workspace(connection, house.workspace.id)
        await buckets.lock_buckets(connection, house.workspace.id)

        with pytest.raises(RunAgain):
            await leave(connection, bucket)


@pytest.mark.parametrize("write", [leave, advance, log])
async def test_whoever_locked_a_bucket_in_an_earlier_turn_writes_nothing(house, tick_pool, write):
    async with tick_pool.transaction(house.bucket_id) as connection:
        bucket = await membership.lock_bucket(connection, house.bucket_id)
        assert bucket is not None
        with pytest.raises(RunAgain):
            await write(connection, replace(bucket, turn=bucket.turn - 1))
