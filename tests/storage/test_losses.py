"""A lost machine of a cluster counts as a lost Postgres, and a mistake in a statement does not."""

from __future__ import annotations

import asyncpg
import pytest

from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, OutcomeUnknown, Unavailable

OF_A_MACHINE = [  # as Citus 13.2 raised them when machines were killed
    ("XX000", "failure on connection marked as essential: 10.0.0.2:5432"),
    ("XX000", "could not commit transaction for shard 102019 on at least one active node"),
    ("XX000", "SSL SYSCALL error: EOF detected"),
    ("XX000", "connection not open"),
    ("XX000", "server closed the connection unexpectedly"),
    ("08006", "connection to the remote node app@10.0.0.2:5432 failed with the following error: Connection refused"),
    ("57P01", "terminating connection due to administrator command"),
    ("57P02", "terminating connection because of crash of another server process"),
    ("57P03", "the database system is starting up"),
    ("58030", "failed to COPY to shard 102015 on 10.0.0.2:5432"),
]  # fmt: skip
COMMIT = """
CREATE TEMP TABLE fragile (id int);
CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE 'failure on connection marked as essential: 10.0.0.2:5432' USING ERRCODE = 'XX000'; END $$;
CREATE CONSTRAINT TRIGGER last AFTER INSERT ON fragile DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.fail();
"""


def raises(state: str, text: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION '{text}' USING ERRCODE = '{state}'; END $$"


@pytest.mark.parametrize(("state", "text"), OF_A_MACHINE)
async def test_a_lost_machine_is_an_absence(database, tick_pool, state, text):
    async with database.acquire() as connection:
        for send in (connection.fetch, connection.execute):
            with pytest.raises(UNREACHABLE, match=text.split(":")[0]):
                await send(raises(state, text))
    for block in (tick_pool.transaction, tick_pool.filling, tick_pool.looking):
        with pytest.raises(Unavailable):
            async with block() as connection:
                await connection.execute(raises(state, text))

    assert await database.fetchval("SELECT 1") == 1


async def test_whether_a_commit_happened_is_unknown_when_a_machine_is_lost_in_it(database):
    async def lose_a_machine_in_the_commit() -> None:
        async with database.transaction() as transaction:
            await transaction.connection.execute(COMMIT)
            await transaction.connection.execute("INSERT INTO fragile VALUES (1)")

    with pytest.raises(OutcomeUnknown):
        await lose_a_machine_in_the_commit()


@pytest.mark.parametrize(("sql", "told"), [("SELECT 1", UNREACHABLE), (None, OutcomeUnknown)])
async def test_a_transaction_whose_connection_is_lost_says_so(database, sql, told):
    async def lose_it() -> None:
        async with database.transaction() as transaction:
            transaction.connection.terminate()
            if sql is not None:
                await transaction.connection.fetch(sql)

    with pytest.raises(told):
        await lose_it()


@pytest.mark.parametrize("text", ["cache lookup failed for type 7", "could not find the shard 7"])
async def test_another_internal_error_is_no_absence(database, tick_pool, text):
    with pytest.raises(asyncpg.InternalServerError, match=text):
        await database.fetch(raises("XX000", text))
    with pytest.raises(asyncpg.InternalServerError, match=text):
        async with tick_pool.transaction() as connection:
            await connection.execute(raises("XX000", text))


@pytest.mark.parametrize(
    ("sql", "values"), [("SELECT 1", (7,)), ("SELECT $1::int", ()), ("SELECT $1::int", ("x",))]
)
async def test_wrong_values_are_no_absence(database, tick_pool, sql, values):
    async def on_the_tick_pool() -> None:
        async with tick_pool.transaction() as connection:
            await connection.fetch(sql, *values)

    for send in (lambda: database.fetch(sql, *values), on_the_tick_pool):
        with pytest.raises((asyncpg.InterfaceError, asyncpg.DataError)) as found:
            await send()
        assert not isinstance(found.value, (*UNREACHABLE, *BUSY))


async def test_a_closed_connection_is_an_absence(database, tick_pool):
    async with database.acquire() as connection:
        connection.terminate()
        for send in (connection.fetch, connection.execute):
            with pytest.raises(UNREACHABLE):
                await send("SELECT 1")
        with pytest.raises(UNREACHABLE):
            await connection.executemany("SELECT $1::int", [(1,)])

    async def use_what_the_pool_of_the_driver_took_back() -> None:
        async with tick_pool.transaction() as connection:
            await connection.close()
            await connection.fetch("SELECT 1")

    with pytest.raises(Unavailable):
        await use_what_the_pool_of_the_driver_took_back()
