"""Whatever is killed, restarted or flushed: nothing is lost or half done, and all converges by itself."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from audience_gql.audience.definitions.deletions import delete_group
from audience_gql.audience.definitions.groups import add_to_group, create_group
from audience_gql.audience.engine import ticker
from audience_gql.audience.engine.sharing import MISSED_AFTER, Share
from audience_gql.audience.imports.lifecycle import receive_file, start_import
from audience_gql.audience.imports.plans import ColumnPlan, ImportPlan
from audience_gql.audience.imports.undo_requests import undo_import
from audience_gql.audience.people.keys import SubscriberKey

pytestmark = pytest.mark.faults

OPENED = {"event": {"name": "opened", "within": {"last": {"days": 1}}}}


ROWS = 10_000


async def is_ready(world, segment) -> bool:
    return await world.fetchval(
        "SELECT count(*) > 0 FROM segment_states WHERE segment_id = $1 AND filled_to IS NULL", segment.id
    )


async def logged(world) -> int:
    return await world.fetchval("SELECT count(*) FROM membership_changes")


async def waiters(world, statement: str) -> int:
    """How many sessions wait for a lock in this statement, on any machine."""
    sessions = "citus_stat_activity" if world.ports.database.is_cluster else "pg_stat_activity"
    return await world.fetchval(
        f"SELECT count(*) FROM {sessions} WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1",
        f"%{statement}%",
    )


async def marked(world) -> int:
    return await world.fetchval("SELECT count(*) FROM dirty")


async def test_a_worker_killed_in_the_middle_of_a_tick_leaves_nothing_half_done(world):
    worker = world.start_worker()
    await world.people("ada", "bob")
    segment = await world.segment("Opened", OPENED)
    await world.eventually(lambda: is_ready(world, segment), True)
    await world.eventually(lambda: marked(world), 0)
    blocker = await world.direct()
    await blocker.execute("BEGIN; LOCK TABLE segment_members IN SHARE ROW EXCLUSIVE MODE")
    await world.track("ada")
    await world.eventually(lambda: waiters(world, "INSERT INTO segment_members"), 1)

    world.kill(worker)
    await blocker.execute("ROLLBACK")
    await blocker.close()
    await world.eventually(lambda: waiters(world, ""), 0)

    assert (await logged(world), await marked(world)) == (0, 1)
    assert await world.members(segment) == set()

    world.start_worker()
    await world.eventually(lambda: world.members(segment), {"ada"})
    assert (await logged(world), await marked(world)) == (1, 0)


async def test_a_worker_killed_in_the_middle_of_a_fill_is_followed_by_another(world):
    await world.people(*(str(n) for n in range(200)))
    for n in range(20):
        await world.track(str(n))
    worker = world.start_worker()
    await world.eventually(lambda: marked(world), 0)
    blocker = await world.direct()
    await blocker.execute("BEGIN; LOCK TABLE segment_members IN SHARE ROW EXCLUSIVE MODE")
    segment = await world.segment("Opened", OPENED)
    await world.eventually(lambda: waiters(world, "INSERT INTO segment_members"), 1)

    world.kill(worker)
    await blocker.execute("ROLLBACK")
    await blocker.close()

    world.start_worker()
    await world.eventually(lambda: world.members(segment), {str(n) for n in range(20)})


@pytest.mark.one_server("kills Postgres; tests/fuzz/test_cluster_storm.py kills the machines of a cluster")
async def test_postgres_restarts_and_the_same_worker_goes_on(world):
    world.start_worker()
    await world.people("ada", "bob")
    segment = await world.segment("Opened", OPENED)
    await world.track("ada")
    await world.eventually(lambda: world.members(segment), {"ada"})

    world.servers.kill_postgres()
    await world.track("bob")

    await world.eventually(lambda: world.members(segment), {"ada", "bob"})
    assert all(worker.poll() is None for worker in world.workers)


async def test_valkey_flushed_and_killed_costs_only_time(world):
    world.start_worker()
    await world.people("ada", "bob", "cyd")
    segment = await world.segment("Opened", OPENED)
    await world.eventually(lambda: is_ready(world, segment), True)
    redis = world.redis()
    await redis.flushall()
    await redis.aclose()
    await world.track("ada")
    await world.eventually(lambda: world.members(segment), {"ada"})

    world.servers.kill_valkey()
    await world.track("bob")
    await world.eventually(lambda: world.members(segment), {"ada", "bob"})

    later = await world.segment("Later", {"not": OPENED})
    await world.eventually(lambda: world.members(later), {"cyd"})
    await world.track("cyd")
    await world.eventually(lambda: world.members(segment), {"ada", "bob", "cyd"})
    assert all(worker.poll() is None for worker in world.workers)


async def test_a_valkey_that_hangs_holds_nobody_up(world):
    world.start_worker()
    await world.people("ada")
    segment = await world.segment("Opened", OPENED)
    await world.eventually(lambda: is_ready(world, segment), True)
    redis = world.redis()
    pid = (await redis.info("server"))["process_id"]
    await redis.aclose()

    os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(5):
            await world.track("ada")
        await world.eventually(lambda: world.members(segment), {"ada"})
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.one_server("kills Postgres; tests/fuzz/test_cluster_storm.py kills the machines of a cluster")
async def test_a_worker_waits_for_postgres_at_its_start(world):
    world.servers.kill_postgres()

    world.start_worker()
    await world.people("ada")
    segment = await world.segment("Everyone new", {"createdAt": {"inLast": {"days": 1}}})

    await world.eventually(lambda: world.members(segment), {"ada"})


async def test_workers_share_the_buckets_and_take_over_from_the_dead(world):
    first = world.start_worker()
    await world.eventually(lambda: world.fetchval("SELECT count(*) FROM workers"), 1)
    first_id = await world.fetchval("SELECT id FROM workers")
    second = world.start_worker()
    await world.eventually(lambda: world.fetchval("SELECT count(*) FROM workers"), 2)
    second_id = await world.fetchval("SELECT id FROM workers WHERE id <> $1", first_id)
    await world.people("ada", "bob")
    segment = await world.segment("Opened", OPENED)
    await world.track("ada")
    await world.eventually(lambda: world.members(segment), {"ada"})
    bucket_id = await world.fetchval("SELECT id FROM buckets WHERE workspace_id = $1", world.workspace.id)

    owner = first if Share(first_id, [first_id, second_id]).has(bucket_id) else second
    world.kill(owner)
    await world.track("bob")

    await world.eventually(lambda: world.members(segment), {"ada", "bob"})


def test_a_dead_workers_buckets_are_found_within_five_seconds():
    missed = MISSED_AFTER.total_seconds()
    assert missed + ticker._BEAT_SECONDS < 5
    assert missed >= 2 * ticker._BEAT_SECONDS, "one late beat must not make the others think a worker dead"


async def test_a_worker_that_is_told_to_stop_leaves_nobody_waiting(world):
    worker = world.start_worker()
    await world.eventually(lambda: world.fetchval("SELECT count(*) FROM workers"), 1)

    worker.terminate()

    assert await asyncio.to_thread(worker.wait, 20) == 0
    assert await world.fetchval("SELECT count(*) FROM workers") == 0


async def left(world) -> int:
    return await world.fetchval("SELECT count(*) FROM membership_changes WHERE NOT entered")


async def test_a_worker_killed_while_it_clears_a_deleted_group_is_followed_by_another(world):
    worker = world.start_worker()
    names = [str(number) for number in range(20)]
    await world.people(*names)
    group = await create_group(ports=world.ports, workspace=world.workspace, name="Friends")
    keys = [SubscriberKey(kind="externalId", value=name) for name in names]
    await add_to_group(ports=world.ports, workspace=world.workspace, group_id=group.id, subscribers=keys)
    await world.eventually(lambda: logged(world), len(names))
    blocker = await world.direct()
    await blocker.execute("BEGIN; LOCK TABLE group_members IN SHARE ROW EXCLUSIVE MODE")
    await delete_group(ports=world.ports, workspace=world.workspace, group_id=group.id)
    await world.eventually(lambda: waiters(world, "DELETE FROM group_members"), 1)

    world.kill(worker)
    await blocker.execute("ROLLBACK")
    await blocker.close()
    await world.eventually(lambda: waiters(world, ""), 0)
    redis = world.redis()
    await redis.flushdb()
    await redis.aclose()
    assert await left(world) == 0

    world.start_worker()
    await world.eventually(lambda: world.fetchval("SELECT count(*) FROM wanted_clearings"), 0)
    assert (await left(world), await world.fetchval("SELECT count(*) FROM group_members")) == (len(names), 0)


async def test_a_worker_killed_in_the_middle_of_an_import_or_its_undo_is_followed_by_another(world):
    column = ColumnPlan(header="id", kind="profile", target="externalId")
    made, secret = await start_import(
        ports=world.ports, workspace=world.workspace, plan=ImportPlan(columns=(column,)), dry_run=False
    )

    async def content():
        yield b"id\n" + b"".join(b"%d\n" % n for n in range(ROWS))

    await receive_file(ports=world.ports, import_id=made.id, secret=secret, content=content())
    worker = world.start_worker()
    read = "SELECT rows_read > 0 FROM imports WHERE id = $1"
    await world.eventually(lambda: world.fetchval(read, made.id), True)

    world.kill(worker)
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start < now() - interval '1 ms'"
    await world.eventually(lambda: world.fetchval(sessions), 0)
    halfway = await world.fetchval("SELECT rows_read FROM imports WHERE id = $1", made.id)
    assert 0 < halfway < ROWS
    assert await world.fetchval("SELECT count(*) FROM subscribers") == halfway

    worker = world.start_worker()
    done = "SELECT state = 'DONE' AND created = $2 AND rejected = 0 FROM imports WHERE id = $1"
    await world.eventually(lambda: world.fetchval(done, made.id, ROWS), True)
    assert await world.fetchval("SELECT count(*) FROM subscribers") == ROWS

    await undo_import(ports=world.ports, workspace=world.workspace, import_id=made.id)
    begun = "SELECT undo_counts <> '{}' FROM imports WHERE id = $1"
    await world.eventually(lambda: world.fetchval(begun, made.id), True)
    world.kill(worker)
    await world.eventually(lambda: world.fetchval(sessions), 0)
    assert 0 < await world.fetchval("SELECT count(*) FROM subscribers") < ROWS

    world.start_worker()
    undone = "SELECT undo_state = 'DONE' AND (undo_counts ->> 'people_erased')::int = $2 FROM imports WHERE id = $1"
    await world.eventually(lambda: world.fetchval(undone, made.id, ROWS), True)
    for table in ("subscribers", "identities", "import_effects"):
        assert await world.fetchval(f"SELECT count(*) FROM {table}") == 0
