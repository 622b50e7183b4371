"""One pool and a connection that nobody answers on: how long it is waited for, and what is said of what was under way."""

from __future__ import annotations

import asyncio

import pytest
from graphql import GraphQLError

from audience_gql.api.errors import for_client
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres import connections
from audience_gql.storage.postgres.database import Database, OutcomeUnknown, Transaction, Unavailable
from tests.faults.proxy import before
from tests.patience import SLACK_SECONDS

pytestmark = pytest.mark.faults

STATEMENT_SECONDS = 0.5
LONGEST_SECONDS = STATEMENT_SECONDS + connections.GRACE_SECONDS + connections.CANCEL_SECONDS + SLACK_SECONDS


async def test_a_statement_is_waited_for_as_long_as_its_pool_says_and_its_connection_is_thrown_away(
    empty_database_url,
):
    async with before(empty_database_url) as proxy:
        database = await Database.open(
            proxy.address, pool_size=1, statement_timeout_seconds=STATEMENT_SECONDS, is_default=False
        )
        proxy.strand()

        async with asyncio.timeout(LONGEST_SECONDS):
            with pytest.raises(TimeoutError):
                await database.fetchval("SELECT 1")

        assert await database.fetchval("SELECT 1") == 1
        await database.close()


async def test_a_tick_is_waited_for_as_long_as_its_pool_says(empty_database_url):
    async with before(empty_database_url) as proxy:
        pool = await TickPool.open(proxy.address, size=1, statement_timeout_seconds=STATEMENT_SECONDS)
        proxy.strand()

        for transaction in (pool.transaction, pool.filling):
            async with asyncio.timeout(LONGEST_SECONDS):
                with pytest.raises(Unavailable):
                    async with transaction() as connection:
                        await connection.fetchval("SELECT 1")
        async with pool.transaction() as connection:
            assert await connection.fetchval("SELECT 1") == 1
        await pool.close()


async def test_who_stops_waiting_for_a_silent_server_is_let_go(empty_database_url):
    """The driver asks the server to end the statement, and waits until it has."""
    async with before(empty_database_url) as proxy:
        database = await Database.open(proxy.address, pool_size=1, is_default=False)

        is_silent = asyncio.Event()

        async def work() -> None:
            async with database.transaction() as transaction:
                proxy.vanish()
                is_silent.set()
                await transaction.connection.fetchval("SELECT 1")

        task = asyncio.create_task(work())
        await is_silent.wait()  # and with it the statement is sent, before anybody else has a turn
        task.cancel()

        done, _ = await asyncio.wait({task}, timeout=connections.CANCEL_SECONDS + SLACK_SECONDS)
        assert done
        assert task.cancelled()
        proxy.come_back()
        assert await database.fetchval("SELECT 1") == 1
        await database.close()


async def test_a_commit_without_an_answer_is_not_told_as_nothing_changed(empty_database_url):
    async with before(empty_database_url) as proxy:
        database = await Database.open(
            proxy.address, pool_size=1, statement_timeout_seconds=STATEMENT_SECONDS, is_default=False
        )

        async def work(transaction: Transaction) -> None:
            await transaction.connection.execute("SELECT 1")
            proxy.strand()

        with pytest.raises(OutcomeUnknown) as lost:
            await database.run(work)

        told = for_client(GraphQLError("", original_error=lost.value))
        assert told.extensions == {"code": "UNAVAILABLE", "retryAfter": 1, "outcome": "UNKNOWN"}
        assert "It is unknown whether anything was changed." in told.message
        await database.close()


async def test_a_transaction_whose_client_is_gone_gives_its_locks_back(empty_database_url):
    lock = "LOCK TABLE segments IN SHARE ROW EXCLUSIVE MODE"
    async with before(empty_database_url) as proxy:
        pool = await TickPool.open(proxy.address, size=2)

        async def hold_and_vanish() -> None:
            async with pool.transaction() as gone:
                await gone.execute(lock)
                proxy.strand()
                is_gone.set()
                await is_over.wait()
                gone.terminate()

        is_gone, is_over = asyncio.Event(), asyncio.Event()
        holding = asyncio.create_task(hold_and_vanish())
        await is_gone.wait()
        async with (
            asyncio.timeout(connections.IDLE_IN_TRANSACTION_SECONDS + SLACK_SECONDS),
            pool.transaction() as another,
        ):
            await another.execute(lock)
        is_over.set()
        with pytest.raises(Unavailable):
            await holding
        await pool.close()
