"""(a) A segment over everybody: the bare count of its condition, the first fill, a recompute that finds nothing, one that repairs.

Each round runs them one after the other for each segment, so that other work of the machine affects all of them equally. The bare
count is the same condition in the same form on the same connection, a bucket at a time. It is the time that Postgres needs to
find the people, without comparing them with the stored members.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from audience_gql.audience.definitions.segments import create_segment, delete_segment
from audience_gql.audience.engine.fill_queue import BUCKETS_AT_A_TIME
from audience_gql.conditions.codec import parse
from audience_gql.conditions.sql.compiler import Statement, compile_range
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.orm.models import Segment
from benchmarks.engine.bench import Bench, Figure
from benchmarks.engine.memory import peak_memory_mb

MEASUREMENT: Final = "a"
ROUNDS: Final = 3
EVERY: Final = 3
"""One in this many segments is measured. The list of segments has all kinds of conditions in turn."""
_FIRST, _LAST = -1, 2**62
_CHANGED: Final = 100
"""One in this many memberships is made wrong."""

# Some members are deleted and as many other people are inserted, so that the segment keeps about its size.
_GONE = "DELETE FROM segment_members WHERE bucket_id = $1 AND segment_id = $2 AND subscriber_id % $3 = 0"
_COME = (
    "INSERT INTO segment_members (bucket_id, segment_id, subscriber_id, entered_at) "
    "SELECT s.bucket_id, $2, s.id, now() FROM subscribers s WHERE s.bucket_id = $1 AND NOT EXISTS ("
    "SELECT FROM segment_members m WHERE m.bucket_id = $1 AND m.segment_id = $2 AND m.subscriber_id = s.id) "
    "ORDER BY s.id % 9973, s.id LIMIT $3"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """The seconds of one segment."""

    members: int
    count: float
    first_fill: float
    unchanged: float
    repaired: int
    repair: float


async def measure(bench: Bench) -> list[Figure]:
    await bench.fill_all()
    await bench.tick_all()
    counts = await counting_statements(bench)
    measured = {}
    for name, segment in list(bench.segments.items())[::EVERY]:
        measured[name] = await _measure_one(bench, segment, counts[segment.id])
        one = measured[name]
        print(
            f"{name}: {one.members} members, count {one.count:.3f} s, first fill {one.first_fill:.3f} s, "
            f"recompute {one.unchanged:.3f} s, {one.repaired} repaired in {one.repair:.3f} s"
        )
    return _figures(measured)


async def _measure_one(bench: Bench, segment: Segment, statement: Statement) -> _Measured:
    found, first_fill = await _first_fill(bench, segment)
    await bench.tick_all()
    counts, recomputes = [], []
    for _ in range(ROUNDS):
        counts.append(await _seconds(count_people(bench, statement)))
        recomputes.append(await recompute_one(bench, segment))
    spoiled = await _spoil(bench, segment)
    repair = await recompute_one(bench, segment)
    repaired = await _repaired(bench, segment)
    assert repaired >= 0.9 * spoiled - 10, f"{spoiled} wrong, {repaired} repaired"  # the clock repairs a few
    return _Measured(
        members=found,
        count=median(counts),
        first_fill=first_fill,
        unchanged=median(recomputes),
        repaired=repaired,
        repair=repair,
    )


async def _seconds(work: Awaitable[object]) -> float:
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


async def counting_statements(bench: Bench) -> Mapping[int, Statement]:
    """By segment id, the statement of its condition as in a fill."""
    async with bench.ports.database.acquire() as connection:
        vocabulary = await definitions.vocabulary(connection, bench.workspace.id)
        conditions = {
            segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
            for segment in await segment_definitions.segments(connection, bench.workspace.id)
        }
    return {
        segment_id: compile_range(condition, inner=conditions, vocabulary=vocabulary)
        for segment_id, condition in conditions.items()
    }


async def count_people(bench: Bench, statement: Statement) -> int:
    """Count as many buckets at a time as a worker fills, so that both use as much of the machine."""
    slots = asyncio.Semaphore(BUCKETS_AT_A_TIME)

    async def one(bucket_id: int) -> int:
        async with slots, bench.pool.filling() as connection:
            now = await bench.ports.clock.now(connection)
            sql = f"SELECT count(*) FROM ({statement.sql}) m"
            count: int = await connection.fetchval(sql, bucket_id, _FIRST, _LAST, *statement.bind(now))
            return count

    return sum(await asyncio.gather(*map(one, bench.bucket_ids)))


async def recompute_one(bench: Bench, segment: Segment) -> float:
    await bench.want_recomputed([segment.id])
    return await _seconds(bench.fill(segment.id))


async def _first_fill(bench: Bench, segment: Segment) -> tuple[int, float]:
    """The number of members that a new segment with the same condition finds, and the seconds that its fill takes.

    The segment is new because indexes with deleted members are slow until they are vacuumed.
    """
    twin = await create_segment(
        ports=bench.ports,
        workspace=bench.workspace,
        name=f"{segment.name}, again",
        description=None,
        condition=segment.condition,
        ids=PLAIN_IDS,
    )
    seconds = await _seconds(bench.fill(twin.id))
    members = await _members(bench, twin)
    await delete_segment(ports=bench.ports, workspace=bench.workspace, segment_id=twin.id)
    await bench.fill(twin.id)
    return members, seconds


async def _spoil(bench: Bench, segment: Segment) -> int:
    """Make one in a hundred memberships wrong without the engine's knowledge: half are missing, half are too many.

    Returns how many are wrong.
    """
    spoiled = 0
    async with bench.ports.database.transaction() as transaction:
        connection = transaction.connection
        for bucket_id in bench.bucket_ids:
            status = await connection.execute(_GONE, bucket_id, segment.id, 2 * _CHANGED)
            left = int(status.split()[-1])
            status = await connection.execute(_COME, bucket_id, segment.id, left)
            entered = int(status.split()[-1])
            await connection.execute(
                "UPDATE segment_states SET members = members + $3 WHERE bucket_id = $1 AND segment_id = $2",
                bucket_id,
                segment.id,
                entered - left,
            )
            spoiled += left + entered
    return spoiled


async def _members(bench: Bench, segment: Segment) -> int:
    return int(await _sum(bench, segment, "members"))


async def _repaired(bench: Bench, segment: Segment) -> int:
    return int(await _sum(bench, segment, "fill_entered + fill_left"))


async def _sum(bench: Bench, segment: Segment, what: str) -> int:
    total: int = await bench.ports.database.fetchval(
        f"SELECT coalesce(sum({what}), 0)::bigint FROM segment_states WHERE bucket_id = ANY($1::bigint[]) AND segment_id = $2",
        bench.bucket_ids,
        segment.id,
    )
    return total


def _figures(measured: Mapping[str, _Measured]) -> list[Figure]:
    every = list(measured.values())
    large = [one for one in every if one.members >= max(m.members for m in every) / 100]
    ratios = [one.unchanged / one.count for one in every]
    members, filled = sum(one.members for one in every), sum(one.first_fill for one in every)
    return [
        _figure(
            f"bare count, {len(every)} segments one after the other", sum(one.count for one in every), "s"
        ),
        _figure("bare count, median segment", median(one.count for one in every), "s"),
        _figure("members of these segments", members, "memberships"),
        _figure("first fill, these segments", filled, "s"),
        _figure("first fill, median segment", median(one.first_fill for one in every), "s"),
        _figure("first fill, per member", 1e6 * filled / max(members, 1), "µs", "<= 10"),
        _figure(
            "first fill, per member, median of the segments with at least 1 % of the largest one's members",
            median(1e6 * one.first_fill / one.members for one in large),
            "µs",
        ),
        _figure("unchanged recompute, these segments", sum(one.unchanged for one in every), "s"),
        _figure("unchanged recompute, median segment", median(one.unchanged for one in every), "s"),
        _figure(
            "unchanged recompute relative to bare count, median of the segments",
            median(ratios),
            "times",
            "<= 1.5",
        ),
        _figure("unchanged recompute relative to bare count, highest", max(ratios), "times"),
        _figure(
            "unchanged recompute relative to bare count, all segments together",
            sum(one.unchanged for one in every) / sum(one.count for one in every),
            "times",
        ),
        _figure("recompute that repairs 1 %, these segments", sum(one.repair for one in every), "s"),
        _figure(
            "recompute that repairs 1 %, relative to bare count, median",
            median(one.repair / one.count for one in every),
            "times",
        ),
        _figure("peak memory of the process that fills", peak_memory_mb(), "MB", "<= 200"),
    ]


def _figure(what: str, value: float, unit: str, target: str | None = None) -> Figure:
    return Figure(measurement=MEASUREMENT, what=what, value=value, unit=unit, target=target)
