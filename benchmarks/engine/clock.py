"""(e) The cost of the clock: its share of a core, how late it moves people, and 100,000 people due at one instant.

People are due when an event leaves a window; the events' times are chosen so that this is soon. Lateness counts until a listener
has read the change.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from audience_gql.audience.people.events import BATCH_LIMIT, EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from benchmarks.engine.bench import Bench, Figure
from benchmarks.engine.live import Probe, new_event, probe, strangers, take
from benchmarks.engine.memory import leave_to_no_collection
from benchmarks.engine.observed import ObservedWorker, share_at
from benchmarks.engine.watched import Watch, watching

MEASUREMENT = "e"
IDLE_SECONDS = 30
DUE_SECONDS = 30
DUE_A_SECOND = 20
AT_ONCE = 100_000
LIVE_EVERY_SECONDS = 0.1
WINDOW = timedelta(hours=1)
WITHIN: dict[str, object] = {"last": {"hours": 1}}
_SETTLE_SECONDS = 5
_WARM_SECONDS = 60
_WRITES_AT_ONCE = 2
_PATIENCE_SECONDS = 120
_OTHERS = 500


async def measure(bench: Bench) -> list[Figure]:
    await bench.fill_all()
    async with ObservedWorker.started(
        bench.ports.database, database_url=bench.database_url, redis_url=bench.redis_url
    ) as worker:
        await _until_caught_up(bench)
        figures = await _idle(bench, worker)
        figures += await _lateness(bench)
        figures += await _all_at_once(bench)
        figures.append(_figure("peak memory of the worker", worker.peak_memory_mb, "MB", "<= 200"))
    return figures


async def _idle(bench: Bench, worker: ObservedWorker) -> list[Figure]:
    await asyncio.sleep(_WARM_SECONDS)  # the first crossing of each kind prepares its statement
    before, logged = await worker.usage(), await bench.changes()
    await asyncio.sleep(IDLE_SECONDS)
    used, moved = (await worker.usage()).since(before), await bench.changes() - logged
    which = f"no writes for {IDLE_SECONDS} s: share of a core used by"
    return [
        _figure(f"{which} worker and Postgres", 100 * used.both / IDLE_SECONDS, "%", "<= 0.5"),
        _figure(f"{which} Postgres alone", 100 * used.backends / IDLE_SECONDS, "%"),
        _figure("memberships that the clock changed in this time", moved / IDLE_SECONDS, "/s"),
        _figure(
            "CPU time of worker and Postgres per such membership", 1000 * used.both / max(moved, 1), "ms"
        ),
    ]


async def _lateness(bench: Bench) -> list[Figure]:
    """The lateness of people whose windows end one after the other."""
    chosen = take(await strangers(bench), DUE_SECONDS * DUE_A_SECOND)
    async with probe(bench, "due", WITHIN) as due, _watching(bench, due) as watch:
        start = datetime.now(UTC) + timedelta(seconds=10)
        ends = {ref: start + timedelta(seconds=n / DUE_A_SECOND) for n, ref in enumerate(chosen)}
        await _stamp(bench, due.event, ends)
        keys = {(due.segment_id, ref.id, False): end for ref, end in ends.items()}
        seconds = (max(ends.values()) - datetime.now(UTC)).total_seconds() + _PATIENCE_SECONDS
        assert await watch.until(lambda: keys.keys() <= watch.seen.keys(), seconds=seconds), "somebody stays"
    late = [1000 * (watch.seen[key].at - end.timestamp()) for key, end in keys.items()]
    which = f"{DUE_A_SECOND} people due per second, from the due instant to the change"
    return [
        _figure(f"{which}, p50", share_at(late, 0.5), "ms"),
        _figure(f"{which}, p99", share_at(late, 0.99), "ms", "<= 100"),
    ]


async def _all_at_once(bench: Bench) -> list[Figure]:
    """As many people as possible, in as few buckets as possible, due at the same microsecond, while others get events."""
    crowd, same, other = await _crowd_and_others(bench)
    leave_to_no_collection()
    event = new_event("crowd")
    instant = datetime.now(UTC) + timedelta(seconds=40 + len(crowd) / 2_500)
    await _stamp(bench, event, dict.fromkeys(crowd, instant))
    async with (
        probe(
            bench, "crowd", WITHIN, event=event
        ) as due,  # a fill finds them, which is faster than that many ticks
        probe(bench, "meanwhile", {}) as meanwhile,
        _watching(bench, due, meanwhile) as watch,
    ):
        await _until_caught_up(bench)
        assert datetime.now(UTC) < instant, "the crowd was not ready in time"
        await asyncio.sleep((instant - datetime.now(UTC)).total_seconds() - 1)
        gone = asyncio.create_task(_until_gone(due, crowd, watch))
        sending = [_live_until(gone, bench, meanwhile, refs) for refs in (same, other)]
        committed = await asyncio.gather(*sending)
        seconds = await gone - instant.timestamp()
        delays = [await _delays(meanwhile, one, watch) for one in committed]
    buckets = len({ref.bucket_id for ref in crowd})
    what = f"{len(crowd)} people of {buckets} bucket(s) due at one instant: until all are logged"
    return [
        _figure(what, seconds, "s", "<= 10"),
        *_meanwhile("the same", delays[0]),
        *_meanwhile("another", delays[1]),
    ]


async def _crowd_and_others(
    bench: Bench,
) -> tuple[list[SubscriberRef], list[SubscriberRef], list[SubscriberRef]]:
    """The people who are due, some others of the same buckets, and some of other buckets, if there are any."""
    # The order is stable, and random within a bucket.
    everybody = sorted(await strangers(bench), key=lambda ref: ref.bucket_id)
    count = min(AT_ONCE, len(everybody) * 9 // 10)
    crowd, rest = everybody[:count], everybody[count:]
    same = [crowd.pop() for _ in range(min(_OTHERS, count // 10))]  # their bucket may be full of the crowd
    crowded = {ref.bucket_id for ref in crowd}
    return crowd, same, [ref for ref in rest if ref.bucket_id not in crowded][:_OTHERS]


def _meanwhile(which: str, delays: list[float]) -> list[Figure]:
    if not delays:
        return []
    what = f"at the same time, {len(delays)} changes of other people in {which} bucket"
    return [
        _figure(f"{what}, p50", share_at(delays, 0.5), "s"),
        _figure(f"{what}, longest", max(delays), "s", "<= 1"),
    ]


def _watching(bench: Bench, *probes: Probe) -> AbstractAsyncContextManager[Watch]:
    return watching(
        bench.ports, bench.workspace.id, bench.bucket_ids, [probed.segment_id for probed in probes]
    )


async def _until_gone(due: Probe, crowd: Sequence[SubscriberRef], watch: Watch) -> float:
    """Wait until all have left. Returns when the listener saw the last one leave."""
    keys = {(due.segment_id, ref.id, False) for ref in crowd}
    assert await watch.until(lambda: keys <= watch.seen.keys(), seconds=_PATIENCE_SECONDS), "somebody stays"
    return max(watch.seen[key].at for key in keys)


async def _live_until(
    end: asyncio.Task[float], bench: Bench, meanwhile: Probe, people: Sequence[SubscriberRef]
) -> dict[int, float]:
    """Track one event of another person at regular intervals. Returns when each was committed."""
    committed = {}
    for ref in people:
        if end.done():
            break
        item = EventItem(subscriber=SubscriberKey(kind="id", value=ref), name=meanwhile.event)
        await track_events(ports=bench.ports, workspace=bench.workspace, items=[item])
        committed[ref.id] = time.time()
        await asyncio.sleep(LIVE_EVERY_SECONDS)
    return committed


async def _delays(meanwhile: Probe, committed: dict[int, float], watch: Watch) -> list[float]:
    keys = {(meanwhile.segment_id, person_id, True): at for person_id, at in committed.items()}
    assert await watch.until(lambda: keys.keys() <= watch.seen.keys(), seconds=_PATIENCE_SECONDS), "lost"
    return [watch.seen[key].at - at for key, at in keys.items()]


async def _stamp(bench: Bench, event: str, ends: dict[SubscriberRef, datetime]) -> None:
    """Give each person an event whose window ends at the given instant."""
    refs = list(ends)
    starts = iter(range(0, len(refs), BATCH_LIMIT))

    async def write() -> None:
        for start in starts:
            items = [
                EventItem(
                    subscriber=SubscriberKey(kind="id", value=ref), name=event, occurred_at=ends[ref] - WINDOW
                )
                for ref in refs[start : start + BATCH_LIMIT]
            ]
            await track_events(ports=bench.ports, workspace=bench.workspace, items=items, bulk=True)

    await asyncio.gather(*(write() for _ in range(_WRITES_AT_ONCE)))


async def _until_caught_up(bench: Bench) -> None:
    """Wait until the worker has no marks and nothing due, and has been quiet for a while."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while await bench.ports.database.fetchval(
        "SELECT EXISTS (SELECT FROM dirty WHERE bucket_id = ANY($1::bigint[])) "
        "OR EXISTS (SELECT FROM buckets WHERE id = ANY($1::bigint[]) AND next_due_at < now() - interval '1 second')",
        bench.bucket_ids,
    ):
        assert time.monotonic() < deadline, "the worker does not catch up"
        await asyncio.sleep(0.2)
    await asyncio.sleep(_SETTLE_SECONDS)


def _figure(what: str, value: float, unit: str, target: str | None = None) -> Figure:
    return Figure(measurement=MEASUREMENT, what=what, value=value, unit=unit, target=target)
