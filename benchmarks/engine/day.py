"""(h) What a day of exactness costs, against a day of recomputing everything every 15 minutes: processor seconds, measured and multiplied.

Ours: the events of a usual day at what one of them costs a worker when they come 5 a second, and the clock's idle cost for a day.
Theirs: one recompute of all segments, as cheap as ours, 96 times. Both with what Python takes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from statistics import median

from bench import Bench, Figure
from observed import ObservedWorker, Usage, cpu_seconds

from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef

MEASUREMENT = "h"
RATE = 5
SECONDS = 30
RECOMPUTES_A_DAY = 96
RECOMPUTED_BUCKETS = 2
"""So many are recomputed, and stand for the others, which are of the same size."""
OFTEN = "recomputing every 15 minutes takes as much more"
_DAY_SECONDS = 86_400


async def measure(bench: Bench) -> list[Figure]:
    await bench.fill_all()
    await bench.tick_all()
    events = await _events_of_a_day(bench)
    recompute = await _recompute_seconds(bench)
    async with ObservedWorker.started(
        bench.ports.database, database_url=bench.database_url, redis_url=bench.redis_url
    ) as worker:
        await asyncio.sleep(5)  # what its start takes is not a day's
        idle = await _over(worker, SECONDS)
        busy = await _with_events(bench, worker)
    more = busy.since(idle)
    a_event = max(more.both, 0) / (RATE * SECONDS)
    ours = a_event * events + idle.both / SECONDS * _DAY_SECONDS
    theirs = recompute * RECOMPUTES_A_DAY
    return [
        _figure(f"an event at {RATE} a second, processor of worker and Postgres", 1000 * a_event, "ms"),
        _figure(
            f"an event at {RATE} a second, of that Postgres", 1000 * more.backends / (RATE * SECONDS), "ms"
        ),
        _figure(
            "the clock meanwhile, processor of worker and Postgres", 100 * idle.both / SECONDS, "% of a core"
        ),
        _figure(f"a day of exactness with {events} events, processor", ours, "s"),
        _figure(
            f"{RECOMPUTES_A_DAY} recomputes of all {len(bench.segments)} segments, processor", theirs, "s"
        ),
        _figure(OFTEN, theirs / ours, "times", ">= 20"),
    ]


async def _events_of_a_day(bench: Bench) -> int:
    """Of the last thirty days' the median: measurements leave events of their own on the day of the run."""
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
    """How many there were of each name, in the day before the newest."""
    rows = await bench.ports.database.fetch(
        "SELECT n.name, count(*) AS count FROM event_names n JOIN events e ON e.name_id = n.id "
        "WHERE n.workspace_id = $1 AND e.bucket_id = ANY($2::bigint[]) "
        "AND e.occurred_at > now() - interval '1 day' AND e.occurred_at <= now() "
        "AND NOT starts_with(n.name, 'bench_') GROUP BY n.name",  # those are what measurements leave behind
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
    """Of this process and the backends of its fills."""
    rows = await bench.ports.database.fetch(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'audience-gql fill'"
    )
    return Usage(worker=time.process_time(), backends=cpu_seconds(row["pid"] for row in rows))


async def _over(worker: ObservedWorker, seconds: float) -> Usage:
    before = await worker.usage()
    await asyncio.sleep(seconds)
    return (await worker.usage()).since(before)


async def _with_events(bench: Bench, worker: ObservedWorker) -> Usage:
    """What the worker uses while events come, of the names and as often as in the last day."""
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
    """Random ones, of all buckets alike."""
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
