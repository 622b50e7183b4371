"""(h) The cost of a day of exactness, compared with recomputing everything every 15 minutes, in processor seconds.

Ours: the events of a usual day times the measured cost of one at 5 per second, plus the clock's idle cost for a day.
Theirs: 96 recomputes of all segments, each as cheap as ours. Both include the processor time of Python.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from statistics import median

from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from benchmarks.engine.bench import Bench, Figure
from benchmarks.engine.observed import ObservedWorker, Usage, cpu_seconds

MEASUREMENT = "h"
RATE = 5
SECONDS = 30
RECOMPUTES_A_DAY = 96
RECOMPUTED_BUCKETS = 2
"""How many buckets are recomputed. They represent the others, which have the same size."""
OFTEN = "recomputing every 15 minutes, relative to that"
_DAY_SECONDS = 86_400


async def measure(bench: Bench) -> list[Figure]:
    await bench.fill_all()
    await bench.tick_all()
    events = await _events_of_a_day(bench)
    recompute = await _recompute_seconds(bench)
    async with ObservedWorker.started(
        bench.ports.database, database_url=bench.database_url, redis_url=bench.redis_url
    ) as worker:
        await asyncio.sleep(5)  # the start does not belong to the cost of a day
        idle = await _over(worker, SECONDS)
        busy = await _with_events(bench, worker)
    more = busy.since(idle)
    a_event = max(more.both, 0) / (RATE * SECONDS)
    ours = a_event * events + idle.both / SECONDS * _DAY_SECONDS
    theirs = recompute * RECOMPUTES_A_DAY
    return [
        _figure(f"CPU time of worker and Postgres per event, at {RATE} per second", 1000 * a_event, "ms"),
        _figure(
            f"CPU time per event at {RATE} per second, Postgres alone",
            1000 * more.backends / (RATE * SECONDS),
            "ms",
        ),
        _figure(
            "CPU time of worker and Postgres for the clock alone", 100 * idle.both / SECONDS, "% of a core"
        ),
        _figure(f"a day of exactness with {events} events, CPU time", ours, "s"),
        _figure(
            f"{RECOMPUTES_A_DAY} recomputes of all {len(bench.segments)} segments, CPU time", theirs, "s"
        ),
        _figure(OFTEN, theirs / ours, "times", ">= 20"),
    ]


async def _events_of_a_day(bench: Bench) -> int:
    """The median of the last thirty days, because measurements add events on the day of the run."""
    rows = await bench.ports.database.fetch(
        "SELECT count(*) AS count FROM event_names n JOIN events e ON e.name_id = n.id "
        "WHERE n.workspace_id = $1 AND e.bucket_id = ANY($2::bigint[]) "
        "AND e.occurred_at > now() - interval '30 days' AND e.occurred_at <= now() "
        "GROUP BY date_trunc('day', now() - e.occurred_at)",
        bench.workspace.id,
        list(bench.bucket_ids),
    )
    return int(median(row["count"] for row in rows))


async def _events_of_last_day(bench: Bench) -> dict[str, int]:
    """The number of events by name, within the last day."""
    rows = await bench.ports.database.fetch(
        "SELECT n.name, count(*) AS count FROM event_names n JOIN events e ON e.name_id = n.id "
        "WHERE n.workspace_id = $1 AND e.bucket_id = ANY($2::bigint[]) "
        "AND e.occurred_at > now() - interval '1 day' AND e.occurred_at <= now() "
        "AND NOT starts_with(n.name, 'bench_') GROUP BY n.name",  # those come from measurements
        bench.workspace.id,
        list(bench.bucket_ids),
    )
    return {row["name"]: row["count"] for row in rows}


async def _recompute_seconds(bench: Bench) -> float:
    """Processor seconds, of this process and its backends, for all segments in all buckets."""
    buckets = bench.bucket_ids[:RECOMPUTED_BUCKETS]
    segment_ids = [segment.id for segment in bench.segments.values()]
    await bench.want_recomputed(segment_ids)
    before = (await _own_usage(bench)).both
    for segment_id in segment_ids:
        for bucket_id in buckets:
            await bench.membership.fill(bucket_id, segment_id)
    used = (await _own_usage(bench)).both - before
    for segment_id in segment_ids:
        for bucket_id in bench.bucket_ids[RECOMPUTED_BUCKETS:]:
            await bench.membership.fill(bucket_id, segment_id)
    return used * len(bench.bucket_ids) / len(buckets)


async def _own_usage(bench: Bench) -> Usage:
    """The usage of this process and of the backends of its fills."""
    rows = await bench.ports.database.fetch(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'audience-gql fill'"
    )
    return Usage(worker=time.process_time(), backends=cpu_seconds(row["pid"] for row in rows))


async def _over(worker: ObservedWorker, seconds: float) -> Usage:
    before = await worker.usage()
    await asyncio.sleep(seconds)
    return (await worker.usage()).since(before)


async def _with_events(bench: Bench, worker: ObservedWorker) -> Usage:
    """The worker's usage while events arrive. Their names are as frequent as in the last day."""
    names = await _events_of_last_day(bench)
    people = await _people(bench, RATE * SECONDS)
    before = await worker.usage()
    start = time.monotonic()
    chance = random.Random(5)
    for n, person in enumerate(people):
        await asyncio.sleep(max(0, start + n / RATE - time.monotonic()))
        name = chance.choices(list(names), weights=list(names.values()))[0]
        item = EventItem(subscriber=SubscriberKey(kind="id", value=person), name=name)
        await track_events(ports=bench.ports, workspace=bench.workspace, items=[item])
    await asyncio.sleep(max(0, start + SECONDS - time.monotonic()))
    return (await worker.usage()).since(before)


async def _people(bench: Bench, count: int) -> Sequence[SubscriberRef]:
    """Random people, equally many of each bucket."""
    chance = random.Random(count)
    found = []
    for bucket_id in chance.choices(bench.bucket_ids, k=count):
        row = await bench.ports.database.fetchrow(
            "SELECT id FROM subscribers WHERE bucket_id = $1 AND id >= $2 ORDER BY id LIMIT 1",
            bucket_id,
            chance.getrandbits(61),
        )
        assert row is not None
        found.append(SubscriberRef(bucket_id, row["id"]))
    return found


def _figure(what: str, value: float, unit: str, target: str | None = None) -> Figure:
    return Figure(measurement=MEASUREMENT, what=what, value=value, unit=unit, target=target)
