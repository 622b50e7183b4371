"""(c) The time from an event's commit to the commit of the change that it causes, through a worker process as in production.

With `track_commit_timestamp`, Postgres gives both instants. Without it, the time is from the answer to the event's transaction until
a listener that the signal wakes has read the change. That is slightly too long, never too short.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from audience_gql.audience.definitions.segments import create_segment, delete_segment
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.conditions.vocabulary import PLAIN_IDS
from benchmarks.engine.bench import Bench, Figure
from benchmarks.engine.memory import leave_to_no_collection
from benchmarks.engine.observed import ObservedWorker, share_at
from benchmarks.engine.watched import Watch, watching

MEASUREMENT = "c"
RATE = 50
SECONDS = 30
STEP_SECONDS = 10
CALLS_A_SECOND = 50
"""At higher rates, calls have more than one event."""
_SETTLE_SECONDS = 3
_PATIENCE_SECONDS = 30

_BY_COMMIT = """
SELECT 1000 * extract(epoch FROM pg_xact_commit_timestamp(c.xmin) - pg_xact_commit_timestamp(e.xmin))::float8 AS delay
FROM membership_changes c
JOIN events e ON e.bucket_id = c.bucket_id AND e.subscriber_id = c.subscriber_id AND e.name_id = $3
WHERE c.bucket_id = ANY($1::bigint[]) AND c.list_id = $2 AND c.entered
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A segment that people enter with their first event of one name."""

    segment_id: int
    event: str


async def measure(bench: Bench) -> list[Figure]:
    await bench.fill_all()
    people = await strangers(bench)
    async with (
        probe(bench, "live", {}) as probed,
        ObservedWorker.started(
            bench.ports.database, database_url=bench.database_url, redis_url=bench.redis_url
        ) as worker,
        watching(bench.ports, bench.workspace.id, bench.bucket_ids, [probed.segment_id]) as watch,
    ):
        await asyncio.sleep(_SETTLE_SECONDS)
        await send(bench, probed, watch, take(people, RATE), rate=RATE)  # prepares all statements
        figures = await _at_steady_rate(bench, probed, watch, people)
        figures.append(await _highest_rate(bench, probed, watch, people))
        figures.append(figure("peak memory of the worker", worker.peak_memory_mb, "MB", "<= 200"))
    return figures


async def _at_steady_rate(
    bench: Bench, probed: Probe, watch: Watch, people: Iterator[SubscriberRef]
) -> list[Figure]:
    delays, _ = await send(bench, probed, watch, take(people, RATE * SECONDS), rate=RATE)
    how = "read by a listener"
    if await bench.ports.database.fetchval("SHOW track_commit_timestamp") == "on":
        how = "by Postgres' commit timestamps"
        delays = await _delays_by_commit(bench, probed)
    which = f"{RATE} events per second, from the event's commit to the change's commit ({how})"
    return [
        figure(f"{which}, p50", share_at(delays, 0.5), "ms", "<= 5"),
        figure(f"{which}, p99", share_at(delays, 0.99), "ms", "<= 25"),
        figure(f"{which}, longest", max(delays), "ms"),
    ]


async def _delays_by_commit(bench: Bench, probed: Probe) -> list[float]:
    name_id = await bench.ports.database.fetchval(
        "SELECT id FROM event_names WHERE workspace_id = $1 AND name = $2", bench.workspace.id, probed.event
    )
    rows = await bench.ports.database.fetch(_BY_COMMIT, bench.bucket_ids, probed.segment_id, name_id)
    return [row["delay"] for row in rows]


async def _highest_rate(bench: Bench, probed: Probe, watch: Watch, people: Iterator[SubscriberRef]) -> Figure:
    """Double the rate until the worker or this process falls behind."""
    best, why = 0.0, "there were not enough people"
    for rate in (RATE * 2**n for n in itertools.count(1)):
        chosen = take(people, rate * STEP_SECONDS)
        if len(chosen) < rate * STEP_SECONDS:
            break
        growth = asyncio.create_task(_backlog_growth(bench))
        delays, seconds = await send(bench, probed, watch, chosen, rate=rate)
        if await growth > rate:  # at the end, the marks of one more second wait than at the beginning
            why = "marks accumulate"
        elif seconds > 1.1 * STEP_SECONDS:
            why = "the sender is too slow"
        elif share_at(delays, 0.5) > 1000 * STEP_SECONDS / 10:
            why = "changes are late"
        else:
            best = rate
            continue
        break
    return figure(
        f"highest steady rate of events that each cause a change (at twice this rate, {why})", best, "/s"
    )


async def _backlog_growth(bench: Bench) -> int:
    """How many more marks wait near the end of a step than near its beginning."""
    counts = []
    for seconds in (2, STEP_SECONDS - 2.5):
        await asyncio.sleep(seconds)
        counts.append(
            await bench.ports.database.fetchval(
                "SELECT count(*) FROM dirty WHERE bucket_id = ANY($1::bigint[])", bench.bucket_ids
            )
        )
    growth: int = counts[1] - counts[0]
    return growth


async def send(
    bench: Bench, probed: Probe, watch: Watch, people: Sequence[SubscriberRef], *, rate: float
) -> tuple[list[float], float]:
    """Track an event of each person at a steady rate. Returns the milliseconds from each commit to its change, and the seconds of sending."""
    committed: dict[int, float] = {}

    async def track(batch: Sequence[SubscriberRef]) -> None:
        items = [
            EventItem(subscriber=SubscriberKey(kind="id", value=ref), name=probed.event) for ref in batch
        ]
        await track_events(ports=bench.ports, workspace=bench.workspace, items=items)
        now = time.time()
        committed.update((ref.id, now) for ref in batch)

    start = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        sent = 0
        for batch in _batches(people, rate):
            await asyncio.sleep(max(0, start + sent / rate - time.monotonic()))
            tasks.create_task(track(batch))
            sent += len(batch)
            while len(tasks._tasks) > 8:  # noqa: SLF001  # no more at once than there are connections
                await asyncio.sleep(0.001)
    seconds = time.monotonic() - start
    keys = [(probed.segment_id, ref.id, True) for ref in people]
    heard = await watch.until(lambda: all(key in watch.seen for key in keys), seconds=_PATIENCE_SECONDS)
    assert heard, "changes were lost, or are very late"
    return [1000 * (watch.seen[key].at - committed[key[1]]) for key in keys], seconds


def _batches(people: Sequence[SubscriberRef], rate: float) -> Iterator[Sequence[SubscriberRef]]:
    size = max(1, int(rate / CALLS_A_SECOND))
    for start in range(0, len(people), size):
        yield people[start : start + size]


@asynccontextmanager
async def probe(
    bench: Bench, name: str, within: dict[str, object], *, event: str | None = None
) -> AsyncIterator[Probe]:
    """A filled segment of people with an event, by default one that nobody has. It is deleted at the end."""
    event = event or new_event(name)
    segment = await create_segment(
        ports=bench.ports,
        workspace=bench.workspace,
        name=event,
        description=None,
        condition={"event": {"name": event, **({"within": within} if within else {})}},
        ids=PLAIN_IDS,
    )
    await bench.fill(segment.id)
    try:
        yield Probe(segment_id=segment.id, event=event)
    finally:
        await delete_segment(ports=bench.ports, workspace=bench.workspace, segment_id=segment.id)
        await bench.fill(segment.id)


def new_event(name: str) -> str:
    """The name of an event that nobody has."""
    return f"bench_{name}_{random.getrandbits(32):08x}"


async def strangers(bench: Bench) -> Iterator[SubscriberRef]:
    """Everybody once, in random order. Call this before listening, because reading a million people blocks the process for seconds."""
    rows = await bench.ports.database.fetch(
        "SELECT bucket_id, id FROM subscribers WHERE bucket_id = ANY($1::bigint[]) ORDER BY bucket_id, id",
        bench.bucket_ids,
    )
    random.Random(len(rows)).shuffle(rows)
    leave_to_no_collection()
    return (SubscriberRef(row["bucket_id"], row["id"]) for row in rows)


def take(people: Iterator[SubscriberRef], count: int) -> list[SubscriberRef]:
    """The next `count` people, or fewer if not so many are left."""
    return list(itertools.islice(people, count))


def figure(what: str, value: float, unit: str, target: str | None = None) -> Figure:
    return Figure(measurement=MEASUREMENT, what=what, value=value, unit=unit, target=target)
