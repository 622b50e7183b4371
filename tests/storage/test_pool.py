"""Our pool of connections to Postgres: who gets which, who waits, and what becomes of one that is lost, busy or worn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from audience_gql.storage.postgres import pool as pools
from audience_gql.storage.postgres.connections import PlainConnection
from audience_gql.storage.postgres.database import UNREACHABLE, Database, Unavailable
from audience_gql.storage.postgres.pool import Pool
from audience_gql.storage.turns.fair_queue import Asker, Bounds, FairQueue, asking

MOST = 3
PID = "SELECT pg_backend_pid()"
Borrow = Callable[[], Awaitable[PlainConnection]]


@pytest.fixture
def connect(empty_database_url) -> Borrow:
    async def connect() -> PlainConnection:
        connection: PlainConnection = await asyncpg.connect(
            empty_database_url, connection_class=PlainConnection
        )
        return connection

    return connect


@pytest_asyncio.fixture(loop_scope="session")
async def pool(connect) -> AsyncIterator[Pool]:
    opened = Pool(connect, most=MOST)
    await opened.open()
    yield opened
    opened.terminate()


@pytest_asyncio.fixture(loop_scope="session")
async def narrow(empty_database_url) -> AsyncIterator[Database]:
    """A database with one connection, for which callers wait a short time."""
    opened = await Database.open(
        empty_database_url, pool_size=1, pool_wait_seconds=0.3, is_default=False, lock_timeout_seconds=5
    )
    yield opened
    opened._pool.terminate()
    await opened.close()


async def open_connections(pool: Pool) -> int:
    """How many connections the server has on this database, as one of them sees it."""
    connection = await pool.acquire()
    counted = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    )
    await pool.release(connection)
    return int(counted)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_connection_that_was_returned_last_is_lent_first(pool):
    lent = [await pool.acquire() for _ in range(MOST)]

    for connection in lent:
        await pool.release(connection)

    assert [await pool.acquire() for _ in range(MOST)] == lent[::-1]


async def test_those_who_wait_are_served_in_their_order(pool):
    lent = [await pool.acquire() for _ in range(MOST)]
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(3)]
    await settle()

    waiting[1].cancel()
    await settle()
    await pool.release(lent[0])
    await settle()
    await pool.release(lent[1])

    assert await waiting[0] is lent[0]
    assert await waiting[2] is lent[1]


async def test_a_connection_for_a_caller_who_is_cancelled_at_that_moment_goes_to_the_next(pool):
    lent = [await pool.acquire() for _ in range(MOST)]
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(2)]
    await settle()

    await pool.release(lent[0])
    waiting[0].cancel()
    await settle()

    assert waiting[0].cancelled()
    assert await asyncio.wait_for(waiting[1], 5) is lent[0]


async def test_nobody_waits_longer_than_allowed(narrow):
    async with narrow.acquire():
        with pytest.raises(Unavailable, match="in time"):
            await narrow.fetch("SELECT 1")

    assert await narrow.fetchval("SELECT 1") == 1


async def test_a_connection_that_was_lost_while_idle_is_replaced(pool):
    lent = [await pool.acquire() for _ in range(MOST)]
    pids = [await connection.fetchval(PID) for connection in lent]
    for connection in lent[1:]:
        await pool.release(connection)

    await lent[0].execute("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid", pids[1:])
    for connection in lent[1:]:
        with pytest.raises(UNREACHABLE):
            await connection.fetch("SELECT 1")
    fresh = [await pool.acquire() for _ in range(MOST - 1)]

    assert not set(pids) & {await connection.fetchval(PID) for connection in fresh}


async def test_who_waits_gets_the_place_of_a_lost_connection(pool):
    lent = [await pool.acquire() for _ in range(MOST)]
    waiting = asyncio.create_task(pool.acquire())
    await settle()

    lent[0].terminate()
    await pool.release(lent[0])

    assert await (await asyncio.wait_for(waiting, 5)).fetchval("SELECT 1") == 1


async def test_a_caller_learns_that_its_connection_was_lost_and_the_next_has_another(narrow, connect):
    other = await connect()
    pid = await narrow.fetchval(PID)

    statement = asyncio.create_task(narrow.fetch("SELECT pg_sleep(10)"))
    await asyncio.sleep(0.1)
    await other.execute("SELECT pg_terminate_backend($1::int)", pid)

    with pytest.raises(UNREACHABLE):
        await statement
    assert await narrow.fetchval(PID) != pid
    await other.close()


async def test_a_server_that_refuses_passes_the_right_to_connect_on(connect):
    refusals = [OSError("refused"), OSError("refused")]

    async def connect_at_last() -> PlainConnection:
        await asyncio.sleep(0.01)
        if refusals:
            raise refusals.pop()
        return await connect()

    pool = Pool(connect_at_last, most=1)
    results = await asyncio.gather(*(pool.acquire() for _ in range(3)), return_exceptions=True)

    assert [type(result) for result in results] == [OSError, OSError, PlainConnection]
    pool.terminate()


async def test_a_connection_whose_caller_was_cancelled_is_not_lent_while_it_is_busy(pool, connect):
    blocker = await connect()
    await blocker.execute("CREATE TABLE held ()")
    lent = [await pool.acquire() for _ in range(MOST - 1)]
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE held")
        connection = await pool.acquire()
        pid = await connection.fetchval(PID)
        statement = asyncio.create_task(connection.execute("SELECT FROM held"))
        await asyncio.sleep(0.05)

        statement.cancel()
        await asyncio.gather(statement, return_exceptions=True)
        await pool.release(connection)

        assert pool.acquire_now() is None
        again = await pool.acquire(5)
        assert await again.fetchval(PID) == pid
        assert again.is_at_rest()
    await pool.release(again)
    assert len(lent) == MOST - 1
    await blocker.execute("DROP TABLE held")
    await blocker.close()


async def test_a_transaction_that_its_caller_left_open_is_rolled_back(pool):
    connection = await pool.acquire()
    await connection.execute("BEGIN; CREATE TABLE left_open ()")

    await pool.release(connection)
    await asyncio.gather(*pool._tidying)
    again = await pool.acquire()

    assert again is connection
    assert await again.fetchval("SELECT to_regclass('left_open')") is None


async def test_a_caller_that_is_cancelled_between_preparing_and_executing_leaves_no_transaction(
    narrow, empty_database_url
):
    async def read() -> None:
        async with narrow.acquire() as connection:
            await connection.fetch("SELECT now()")  # a text that was never prepared before

    reading: Any = asyncio.create_task(read())  # Any: what it waits for is private
    while not (reading._fut_waiter and reading._fut_waiter.done()):  # noqa: ASYNC110  # until the server has prepared it
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.sleep(0.01)
    other = await asyncpg.connect(empty_database_url)
    later = await other.fetchval("SELECT clock_timestamp()")
    await other.close()

    async with narrow.snapshot() as connection:  # begins a transaction, which it could not do within another
        began = await connection.fetchval("SELECT transaction_timestamp()")
    assert began >= later


async def test_a_caller_that_is_dropped_in_the_middle_of_a_statement_leaves_no_busy_connection(
    empty_database_url,
):
    single = await Database.open(empty_database_url, pool_size=1, is_default=False, pool_wait_seconds=30)

    async def read() -> None:
        async with single.acquire() as connection:
            await connection.fetch("SELECT 1")

    dropped = read()
    dropped.send(None)  # the statement is under way
    dropped.close()  # as the garbage collector does with a coroutine that nobody awaits any more

    assert await single.fetchval("SELECT 2") == 2
    await single.close()


async def test_a_token_keeps_its_place_until_its_connection_is_at_rest(narrow):
    bounds = Bounds(places=1, per_token=1, per_workspace=1, waiting_per_token=1, wait_seconds=5)
    queue = narrow._queue = FairQueue(bounds)

    with asking(Asker(workspace_id=1, token_id=1)):
        statement = asyncio.create_task(narrow.fetch("SELECT pg_sleep(10)"))
        await asyncio.sleep(0.1)
        statement.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert queue._free == 0
        await asyncio.gather(statement, return_exceptions=True)
        await settle()
        assert queue._free == 1


@pytest.mark.parametrize("query", ["SELECT 1", "SELECT pg_sleep(0.003)"])
@pytest.mark.one_server("counts connections, and a cluster makes its own")
async def test_a_thousand_cancelled_readers_leave_nothing_behind(empty_database_url, query):
    database = await Database.open(empty_database_url, pool_size=MOST, pool_wait_seconds=5, is_default=False)
    chance = random.Random(5)

    readers = []
    for _ in range(1_000):
        readers.append(asyncio.create_task(database.fetch(query)))
        if chance.random() < 0.9:
            chance.choice(readers[-20:]).cancel()
        if chance.random() < 0.3:
            await asyncio.sleep(0.001)
    results = await asyncio.gather(*readers, return_exceptions=True)

    assert {type(it) for it in results} <= {list, asyncio.CancelledError}
    assert any(isinstance(it, list) for it in results)
    pool = database._pool
    async with asyncio.timeout(10):
        lent = [await pool.acquire() for _ in range(MOST)]
    assert len({await connection.fetchval(PID) for connection in lent}) == MOST
    assert (pool._waiting, pool._tidying, pool._connecting) == (type(pool._waiting)(), set(), 0)
    for connection in lent:
        await pool.release(connection)
    assert await open_connections(pool) == MOST
    await database.close()


async def test_what_is_not_used_is_closed_except_for_one(pool, monkeypatch):
    monkeypatch.setattr(pools, "_UNUSED_SECONDS", 60)
    lent = [await pool.acquire() for _ in range(MOST)]
    for connection in lent:
        await pool.release(connection)

    pool._look()
    await pool.release(await pool.acquire())
    pool._look()

    assert [connection.is_closed() for connection in lent] == [True, True, False]
    assert await pool.acquire() is lent[2]
    assert len({await pool.acquire(), await pool.acquire()}) == MOST - 1
    pool._look()


async def test_a_worn_connection_is_replaced(pool, monkeypatch):
    monkeypatch.setattr(pools, "_MOST_STATEMENTS", 10)
    connection = await pool.acquire()
    for _ in range(10):
        await connection.fetch("SELECT 1")

    await pool.release(connection)
    await asyncio.gather(*pool._tidying)

    assert connection.is_closed()
    assert await pool.acquire() is not connection


async def test_closing_waits_for_what_is_lent(pool):
    connection = await pool.acquire()
    closing = asyncio.create_task(pool.close())
    await settle()

    with pytest.raises(asyncpg.InterfaceError):
        await pool.acquire()
    assert not closing.done()
    assert await connection.fetchval("SELECT 1") == 1
    await pool.release(connection)
    await closing

    assert connection.is_closed()


async def test_who_waits_learns_that_the_pool_closes(pool):
    lent = [await pool.acquire() for _ in range(MOST)]
    waiting = asyncio.create_task(pool.acquire())
    await settle()

    pool.terminate()

    with pytest.raises(asyncpg.InterfaceError):
        await waiting
    assert all(connection.is_closed() for connection in lent)


async def test_after_a_migration_one_connection_prepares_again_for_all(pool):
    lent = [await pool.acquire() for _ in range(MOST)]
    await lent[0].execute("CREATE TABLE changing (n int)")
    for connection in lent:
        await connection.fetch("SELECT n FROM changing")

    await lent[0].execute("ALTER TABLE changing ALTER n TYPE text")

    failures = 0
    for connection in lent:
        with suppress(asyncpg.InvalidCachedStatementError):
            async with connection.transaction():
                failures += 1
                await connection.fetch("SELECT n FROM changing")
                failures -= 1
    assert failures == 1
    await lent[0].execute("DROP TABLE changing")
