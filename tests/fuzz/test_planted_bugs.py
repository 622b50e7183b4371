"""The bugs that concurrency invites, each planted where it would be made, in the order of events that it needs: all are found.

Every scenario runs twice: without the plant nothing is wrong, with it something is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from audience_gql.audience.definitions.segments import update_segment
from audience_gql.audience.engine import affected, plans
from audience_gql.audience.engine.affected import Plan
from audience_gql.audience.engine.membership import Membership
from audience_gql.conditions.base import Edge
from audience_gql.conditions.reasoning import dependencies
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import buckets, definitions, log
from audience_gql.storage.engine import membership
from audience_gql.storage.log import FeedFilter
from audience_gql.storage.people import facts
from audience_gql.storage.people.facts import Mark
from tests.fuzz.snapshots import Judge
from tests.waiting import somebody_waits

LITHUANIA = {"country": {"is": "LT"}}
OPENED = {"event": {"name": "opened", "within": {"last": {"minutes": 5}}}}


async def judged(house) -> list[str]:
    async with house.ports.database.snapshot() as connection:
        return await Judge(house.workspace.id).judge(connection)


async def at_rest(house) -> list[str]:
    """What is wrong once nothing is left to do."""
    while not (await house.tick()).is_drained:
        continue
    async with house.ports.database.snapshot() as connection:
        return await Judge(house.workspace.id).judge(connection, everybody=True)


# ---- two ticks at once


async def two_ticks_at_once(house, monkeypatch) -> list[str]:
    """The first has looked, and has not written yet, when the fact changes again and the second comes."""
    await house.upsert({"externalId": "ada", "country": "LV"})
    await house.segment("S", LITHUANIA)
    await house.tick()
    await house.upsert({"externalId": "ada", "country": "LT"})
    looked, go_on = asyncio.Event(), asyncio.Event()
    honest = membership.leave_bucket

    async def leave_bucket(*arguments, **named):
        if not looked.is_set():
            looked.set()
            await go_on.wait()
        await honest(*arguments, **named)

    monkeypatch.setattr(membership, "leave_bucket", leave_bucket)
    first = asyncio.create_task(house.tick())
    await looked.wait()
    await house.upsert({"externalId": "ada", "country": "LV"})
    second = asyncio.create_task(house.tick())
    await asyncio.wait({second}, timeout=1)
    go_on.set()
    results = await asyncio.gather(first, second, return_exceptions=True)
    refused = [f"a tick was refused: {error}" for error in results if isinstance(error, Exception)]
    return [*refused, *await at_rest(house)]


def without_the_lock(monkeypatch) -> None:
    monkeypatch.setattr(membership, "lock_bucket", membership.read_bucket)


# ---- the time of a tick


async def a_fact_while_the_tick_waits(house, monkeypatch) -> list[str]:  # noqa: ARG001  # the scenarios' shape
    """The tick must not be older than its lock: what was committed before that, it has seen."""
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("S", OPENED)
    await house.tick()
    async with house.ports.database.transaction() as transaction:
        await membership.lock_bucket(transaction.connection, house.bucket_id)
        waiting = asyncio.create_task(house.tick())
        await until_somebody_waits(house)
        house.clock.advance(timedelta(seconds=10))
        await house.track("ada", "opened", occurred_at=house.clock.instant - timedelta(seconds=1))
    await waiting
    wrong = await judged(house)
    return (
        wrong if await house.members(segment) == {"ada"} else [*wrong, "ada opened before the lock was given"]
    )


def with_the_clock_before_the_lock(monkeypatch) -> None:
    honest = Membership.tick

    async def tick(self, bucket_id):
        clock = self._ports.clock
        stopped = await clock.now(None)

        class Stopped:
            async def now(self, _):
                return stopped

            def at(self, _):
                return stopped

        object.__setattr__(self._ports, "clock", Stopped())
        try:
            return await honest(self, bucket_id)
        finally:
            object.__setattr__(self._ports, "clock", clock)

    monkeypatch.setattr(Membership, "tick", tick)


async def the_clock_set_back(house, monkeypatch) -> list[str]:  # noqa: ARG001  # the scenarios' shape
    await house.upsert({"externalId": "ada"})
    await house.segment("S", OPENED)
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()
    house.clock.advance(timedelta(minutes=5))
    await house.tick()
    house.clock.advance(timedelta(minutes=-3))
    await house.upsert({"externalId": "ada", "city": "Vilnius"})
    await house.track("ada", "clicked", occurred_at=house.clock.instant)
    wrong = await at_rest(house)
    times = [
        row["occurred_at"]
        for row in await house.ports.database.fetch(
            "SELECT occurred_at FROM membership_changes WHERE bucket_id = $1 ORDER BY sequence",
            house.bucket_id,
        )
    ]
    return wrong if times == sorted(times) else [*wrong, "the log goes back in time"]


def with_the_clock_alone(monkeypatch) -> None:
    """A tick's time is the clock's, whatever the time of the last one was."""
    honest = membership.lock_bucket

    async def lock_bucket(connection, bucket_id):
        head = await honest(connection, bucket_id)
        assert head
        object.__setattr__(head, "last_instant", head.last_instant - timedelta(days=1))
        return head

    monkeypatch.setattr(membership, "lock_bucket", lock_bucket)


async def a_fact_of_the_near_future(house, monkeypatch) -> list[str]:  # noqa: ARG001  # the scenarios' shape
    await house.upsert({"externalId": "ada"})
    await house.segment("S", OPENED)
    await house.tick()
    await house.track("ada", "opened", occurred_at=house.clock.instant + timedelta(seconds=2))
    await house.tick()
    house.clock.advance(timedelta(seconds=3))
    return await at_rest(house)


def without_edges_at_the_fact_itself(monkeypatch) -> None:
    honest = dependencies.edges

    def edges(condition, vocabulary, later):
        found = honest(condition, vocabulary, later)
        return frozenset(edge for edge in found if not isinstance(edge, Edge) or edge.offset)

    monkeypatch.setattr(affected, "edges", edges)


# ---- definitions


async def an_edit_between_two_ticks(house, monkeypatch) -> list[str]:  # noqa: ARG001  # the scenarios' shape
    await house.upsert({"externalId": "ada", "country": "LT"})
    segment = await house.segment("S", LITHUANIA)
    await house.tick()
    await update_segment(
        ports=house.ports,
        workspace=house.workspace,
        segment_id=segment.id,
        condition={"country": {"is": "LV"}},
        ids=PLAIN_IDS,
    )
    await house.fill()
    await house.upsert({"externalId": "bob", "country": "LV"})
    return await at_rest(house)


def with_cached_definitions(monkeypatch) -> None:
    honest = plans.Plans.plan
    kept: dict[int, Plan] = {}

    async def plan(self, connection, bucket, definitions_version):
        if bucket.id not in kept or not kept[bucket.id].evaluable.conditions:
            kept[bucket.id] = await honest(self, connection, bucket, definitions_version)
        return kept[bucket.id]

    monkeypatch.setattr(plans.Plans, "plan", plan)


# ---- marks


async def a_writer_who_commits_after_the_tick(house, monkeypatch) -> list[str]:  # noqa: ARG001  # the scenarios' shape
    """The person's mark is written while an earlier one of the same kind still waits, which the tick then takes."""
    await house.upsert({"externalId": "ada"})
    await house.segment("S", LITHUANIA)
    await house.tick()
    (ada,) = await house.ports.database.fetch(
        "SELECT id FROM subscribers WHERE bucket_id = $1 AND external_id = 'ada'", house.bucket_id
    )
    await house.upsert({"externalId": "ada", "city": "Vilnius"})
    async with house.ports.database.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(
            "UPDATE subscribers SET country = 'LT', country_folded = 'lt' WHERE bucket_id = $1 AND id = $2",
            house.bucket_id,
            ada["id"],
        )
        await facts.write_marks(connection, house.bucket_id, [Mark(ada["id"], "profile")])
        await house.tick()
    return await at_rest(house)


def with_deduplicated_marks(monkeypatch) -> None:
    async def write_marks(connection, bucket_id, marks, *, source=facts.CALLER):
        ordered = sorted(set(marks))
        await connection.execute(
            "INSERT INTO dirty (bucket_id, lane, subscriber_id, kind, ref) "
            "SELECT $1::bigint, $2::smallint, m.subscriber_id, m.kind, m.ref "
            "FROM unnest($3::bigint[], $4::text[], $5::bigint[]) AS m (subscriber_id, kind, ref) "
            "WHERE NOT EXISTS (SELECT FROM dirty d WHERE d.bucket_id = $1 AND d.subscriber_id = m.subscriber_id AND d.kind = m.kind)",
            bucket_id,
            source.lane,
            [mark.subscriber_id for mark in ordered],
            [mark.kind for mark in ordered],
            [mark.ref for mark in ordered],
        )

    monkeypatch.setattr(facts, "write_marks", write_marks)


# ---- cursors


async def a_reader_of_two_buckets(house, monkeypatch) -> list[str]:  # noqa: ARG001  # the scenarios' shape
    """One bucket is far ahead of the other when the reader comes, and the other goes on."""
    await house.segment("S", LITHUANIA)
    await house.upsert({"externalId": "late", "country": "LV"})
    another = await house.ports.database.run(lambda transaction: open_another(house, transaction))
    await house.upsert(*({"externalId": str(n), "country": "LT"} for n in range(5)))
    await house.membership.tick(another)
    read = [change async for change in reader(house)]
    await house.upsert({"externalId": "late", "country": "LT"})
    await house.tick()
    read += [change async for change in reader(house, after=read)]
    logged = await house.ports.database.fetch(
        "SELECT c.bucket_id, c.sequence FROM membership_changes c JOIN buckets b ON b.id = c.bucket_id WHERE b.workspace_id = $1",
        house.workspace.id,
    )
    return [f"the reader missed {tuple(row)}" for row in logged if tuple(row) not in read]


async def open_another(house, transaction) -> int:
    connection = transaction.connection
    await definitions.lock_workspace(connection, house.workspace.id)
    another = await house.ports.database.ids.one(connection)
    await buckets.add_bucket(connection, house.workspace.id, another, house.clock.instant)
    await buckets.close_bucket(connection, house.bucket_id, beside=another)
    return another


async def reader(house, after=()):
    positions: dict[int, int] = {}
    for bucket_id, sequence in after:
        positions[bucket_id] = max(sequence, positions.get(bucket_id, 0))
    async with house.ports.database.snapshot() as connection:
        heads = await log.heads(connection, house.workspace.id, positions)
        changes, _ = await log.changes_after(connection, positions, heads, FeedFilter(), 100)
    for change in changes:
        yield change.bucket_id, change.sequence


def with_a_cursor_by_last_id(monkeypatch) -> None:
    """One number for all buckets: the highest that was seen."""
    honest = log.changes_after

    async def changes_after(connection, positions, heads, wanted, limit):
        last = max(positions.values(), default=0)
        return await honest(connection, dict.fromkeys(heads, last), heads, wanted, limit)

    monkeypatch.setattr(log, "changes_after", changes_after)


async def until_somebody_waits(house) -> None:
    async with asyncio.timeout(20):
        while not await somebody_waits(house.ports.database):  # noqa: ASYNC110  # Postgres tells nobody who waits
            await asyncio.sleep(0.01)


Scenario = Callable[..., Awaitable[list[str]]]
SCENARIOS: list[tuple[Scenario, Callable[[pytest.MonkeyPatch], None]]] = [
    (two_ticks_at_once, without_the_lock),
    (a_fact_while_the_tick_waits, with_the_clock_before_the_lock),
    (the_clock_set_back, with_the_clock_alone),
    (a_fact_of_the_near_future, without_edges_at_the_fact_itself),
    (an_edit_between_two_ticks, with_cached_definitions),
    (a_writer_who_commits_after_the_tick, with_deduplicated_marks),
    (a_reader_of_two_buckets, with_a_cursor_by_last_id),
]


@pytest.mark.parametrize("scenario", [scenario for scenario, _ in SCENARIOS])
async def test_nothing_is_wrong(house, monkeypatch, scenario):
    assert await scenario(house, monkeypatch) == []


@pytest.mark.parametrize(("scenario", "plant"), SCENARIOS)
async def test_the_planted_bug_is_found(house, monkeypatch, scenario, plant):
    plant(monkeypatch)

    assert await scenario(house, monkeypatch) != []
