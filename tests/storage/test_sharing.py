"""Callers who read by the same statement at the same time share one: what each of them gets, and who waits for whom."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads.composed import sharing as shared
from audience_gql.storage.reads.composed.sharing import MOST_CALLERS, Sharing
from audience_gql.storage.turns.fair_queue import Asker, asking
from audience_gql.telemetry import ids, traces
from audience_gql.telemetry.tracing import Tracing

ADA, BOB = (Asker(workspace_id=1, token_id=number) for number in (1, 2))
HELD, SLOW = 7, 0
"""The row that the test holds, and the value whose statement waits for it."""
ECHO = (
    "SELECT CASE WHEN $2::bigint = 0 THEN (SELECT 'slow' FROM held WHERE id = $1 FOR SHARE) "
    "WHEN $2::bigint > 0 THEN 'found ' || $2::bigint END"
)
STAMPED = "SELECT $2::bigint || ' at ' || query_start FROM pg_stat_activity WHERE pid = pg_backend_pid() AND $1::bigint > 0"
"""The value, and when the statement began."""
SHARE = "SELECT (12 / $2::bigint)::text WHERE $1::bigint > 0"
LATEST = "SELECT (SELECT said FROM notes WHERE id = $2::bigint) || pg_sleep(0.05) WHERE $1::bigint > 0"


@pytest_asyncio.fixture(loop_scope="session")
async def database(empty_database_url) -> AsyncIterator[Database]:
    opened = await Database.open(empty_database_url, pool_size=10, is_default=False)
    yield opened
    await opened.close()


@pytest.fixture
def patient(monkeypatch) -> None:
    """Callers wait as long as it takes."""
    monkeypatch.setattr(shared, "_PATIENCE_SECONDS", 3600)


@pytest_asyncio.fixture(loop_scope="session")
async def lock(database, empty_database_url) -> AsyncIterator[asyncpg.Connection]:
    """A connection that holds the row for which slow statements wait."""
    await database.fetch("CREATE TABLE held (id bigint)")
    await database.fetch("INSERT INTO held VALUES ($1)", HELD)
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("BEGIN; SELECT id FROM held FOR UPDATE")
    yield connection
    await connection.close()


async def until_blocked(lock: asyncpg.Connection) -> None:
    """Wait until a statement waits for the row."""
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
    while not await lock.fetchval(waits):  # noqa: ASYNC110  # Postgres tells it only so
        await asyncio.sleep(0.01)


@asynccontextmanager
async def slow_one(sharing: Sharing, database: Database, lock: asyncpg.Connection) -> AsyncIterator[None]:
    """Somebody reads during the context, and until the end of the statement that has begun before it."""
    first = asyncio.create_task(sharing.read(database, ECHO, (HELD, SLOW)))
    await until_blocked(lock)
    yield
    await lock.execute("COMMIT")
    assert await first == "slow"


async def all_of(sharing: Sharing, database: Database, values: list[int]) -> list[asyncio.Task[str | None]]:
    """Callers who have begun to wait."""
    tasks = [asyncio.create_task(sharing.read(database, ECHO, (HELD, value))) for value in values]
    await asyncio.sleep(0.05)
    return tasks


@pytest.mark.usefixtures("patient")
async def test_everybody_gets_the_text_for_their_own_values(database, lock):
    sharing = Sharing()

    async with slow_one(sharing, database, lock):
        waiting = await all_of(sharing, database, [5, 3, 3, -1, 12])
        assert not any(task.done() for task in waiting)

    assert await asyncio.gather(*waiting) == ["found 5", "found 3", "found 3", None, "found 12"]
    assert not sharing._lines


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("callers", [2, 3, 5, MOST_CALLERS + 1, MOST_CALLERS + 2, 2 * MOST_CALLERS + 4])
async def test_one_statement_reads_for_those_who_came_while_the_one_before_it_was_under_way(
    database, callers
):
    sharing = Sharing()

    found = await asyncio.gather(*(sharing.read(database, STAMPED, (1, it)) for it in range(callers)))

    numbers, instants = zip(*(str(it).split(" at ") for it in found), strict=True)
    assert numbers == tuple(map(str, range(callers)))
    assert len(set(instants)) == 1 + -(-(callers - 1) // MOST_CALLERS)


async def test_a_slow_statement_holds_up_nobody_for_long(database, lock):
    sharing = Sharing()

    async with slow_one(sharing, database, lock):
        waiting = await all_of(sharing, database, [1, 2])
        assert await asyncio.gather(*waiting) == ["found 1", "found 2"]


@pytest.mark.usefixtures("patient")
async def test_tokens_do_not_wait_for_each_other(database, lock):
    sharing = Sharing()

    with asking(ADA):
        slow = asyncio.create_task(sharing.read(database, ECHO, (HELD, SLOW)))
        same = asyncio.create_task(sharing.read(database, ECHO, (HELD, 1)))
    await until_blocked(lock)
    with asking(BOB):
        assert await sharing.read(database, ECHO, (HELD, 2)) == "found 2"
    assert not same.done()
    await lock.execute("COMMIT")
    assert (await slow, await same) == ("slow", "found 1")


async def test_a_caller_sees_what_was_committed_before_it_came(database):
    await database.fetch("CREATE TABLE notes (id bigint, said text)")
    await database.fetch("INSERT INTO notes VALUES (1, '0')")
    sharing, tasks = Sharing(), []

    for number in range(1, 15):
        await database.fetch("UPDATE notes SET said = $1", str(number))
        tasks.append(asyncio.create_task(sharing.read(database, LATEST, (1, 1))))
        await asyncio.sleep(0.01)

    said = [int(text or 0) for text in await asyncio.gather(*tasks)]
    assert [seen >= number for number, seen in enumerate(said, 1)] == [True] * len(tasks)


@pytest.mark.usefixtures("patient")
async def test_a_failure_is_only_that_of_its_caller(database):
    sharing = Sharing()

    found = await asyncio.gather(
        *(sharing.read(database, SHARE, (1, value)) for value in (1, 2, 0, 3, 4)), return_exceptions=True
    )

    assert [str(it) for it in found] == ["12", "6", "division by zero", "4", "3"]
    assert not sharing._lines


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("gone", [0, 1, 3])
async def test_a_caller_who_goes_takes_nobody_along(database, lock, gone):
    """The first of those who wait would read for all."""
    sharing = Sharing()

    async with slow_one(sharing, database, lock):
        waiting = await all_of(sharing, database, [1, 2, 3, 4])
        waiting[gone].cancel()

    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(it) for it in found] == ["" if at == gone else f"found {at + 1}" for at in range(4)]
    assert not sharing._lines


@pytest.mark.usefixtures("patient")
async def test_whoever_goes_while_it_reads_for_all_leaves_them_to_the_next(database, lock):
    sharing = Sharing()
    first, leader, second, third = (
        asyncio.create_task(sharing.read(database, ECHO, (HELD, value))) for value in (1, SLOW, 2, 3)
    )
    assert await first == "found 1"
    await until_blocked(lock)

    leader.cancel()

    async with asyncio.timeout(20):
        assert (await second, await third) == ("found 2", "found 3")
    with pytest.raises(asyncio.CancelledError):
        await leader
    assert not sharing._lines


class Stuck:
    """A database whose statements end when the test says so."""

    def __init__(self) -> None:
        self.statements: list[asyncio.Future[None]] = []

    async def fetchval(self, text: str, _: int, value: int) -> str:  # noqa: ARG002  # the database's
        await self._end()
        return f"found {value}"

    async def fetch(self, text: str, _: int, values: list[int | None]) -> list[tuple[str]]:  # noqa: ARG002  # the database's
        await self._end()
        return [(f"found {value}",) for value in values]

    async def _end(self) -> None:
        self.statements.append(asyncio.get_running_loop().create_future())
        await self.statements[-1]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("left", [1, 2, MOST_CALLERS - 1])
async def test_those_whose_reader_goes_when_somebody_else_is_woken_are_not_forgotten(left):
    sharing, stuck = Sharing(), Stuck()

    def caller(value: int) -> asyncio.Task[str | None]:
        return asyncio.create_task(sharing.read(stuck, ECHO, (HELD, value)))  # type: ignore[arg-type]  # in place of a database

    first, leader, *others = (caller(value) for value in range(2 + left))
    await asyncio.sleep(0)
    stuck.statements[0].set_result(None)
    assert await first == "found 0"
    await asyncio.sleep(0)
    late = [caller(-1), caller(-2)]
    await asyncio.sleep(0)
    (line,) = sharing._lines.values()

    leader.cancel()
    line._lose_patience()

    async with asyncio.timeout(20):
        while not all(task.done() for task in (*others, *late)):
            for statement in stuck.statements:
                if not statement.done():
                    statement.set_result(None)
            await asyncio.sleep(0)
    assert [task.result() for task in others] == [f"found {2 + at}" for at in range(left)]
    assert [task.result() for task in late] == ["found -1", "found -2"]
    assert leader.cancelled()
    assert not sharing._lines


@pytest_asyncio.fixture(loop_scope="session")
async def tracing(monkeypatch) -> AsyncIterator[tuple[Tracing, InMemorySpanExporter]]:
    """This process writes spans, and the test can read them."""
    monkeypatch.setattr(ids, "_finders", [*ids._finders])
    exporter = InMemorySpanExporter()
    tracing = Tracing.to_processor("test", SimpleSpanProcessor(exporter))
    monkeypatch.setattr(traces, "current", tracing)
    yield tracing, exporter
    tracing.close()


@pytest.mark.usefixtures("patient")
async def test_a_trace_tells_for_whom_a_read_waited(database, lock, tracing):
    current, exporter = tracing
    sharing = Sharing()

    async def traced(value: int) -> str | None:
        with current.request({"value": value}):
            return await sharing.read(database, ECHO, (HELD, value))

    async with slow_one(sharing, database, lock):
        waiting = [asyncio.create_task(traced(value)) for value in (1, 2)]
        waiting += await all_of(sharing, database, [3])

    assert await asyncio.gather(*waiting) == ["found 1", "found 2", "found 3"]
    spans = exporter.get_finished_spans()
    requests = {span.attributes["value"]: span.context for span in spans if "value" in span.attributes}
    waits = {span.parent.span_id: span for span in spans if span.name == "wait"}
    assert waits.keys() == {requests[1].span_id, requests[2].span_id}
    assert [link.context.span_id for link in waits[requests[2].span_id].links] == [requests[1].span_id]
    assert not waits[requests[1].span_id].links
    assert waits[requests[2].span_id].attributes["db.query.text"] == ECHO


async def test_nobody_is_forgotten_among_many_who_come_and_go(database, monkeypatch):
    monkeypatch.setattr(shared, "_PATIENCE_SECONDS", 0.002)
    sharing, chance = Sharing(), random.Random(20)

    async def caller(number: int) -> None:
        await asyncio.sleep(chance.random() / 10)
        task = asyncio.create_task(sharing.read(database, STAMPED, (1, number)))
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() / 50)
            task.cancel()
        (found,) = await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled() or str(found).startswith(f"{number} at ")

    async with asyncio.timeout(60):
        await asyncio.gather(*(caller(number) for number in range(1, 300)))

    assert not sharing._lines
