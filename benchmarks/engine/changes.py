"""(b) The cost of a change: some people get an event, ticks evaluate all segments, and the membership is exact again.

The application writes the events before. The time is from the first tick's start until no work is left. All people are in one bucket,
which is the hardest case, because its ticks run one after the other. People are first drawn by their activity, then all equally. In the
second case most had no events for a long time, so that one event moves them through many segments.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from typing import Final

from audience_gql.audience.people.events import BATCH_LIMIT, EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from benchmarks.engine.bench import Bench, Figure
from benchmarks.engine.memory import peak_memory_mb

MEASUREMENT: Final = "b"
_EVENT: Final = "email_opened"  # most of the segments read it
_WARM_UPS: Final = 5
_DAYS: Final = 175  # of the generator's 180
_DRAWS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    people: int
    times: int
    is_as_they_act: bool = True
    target: str | None = None

    @property
    def title(self) -> str:
        people = f"{self.people} " + ("person" if self.people == 1 else "people")
        return f"{people} changed" + ("" if self.is_as_they_act else " (drawn evenly)")


_STEPS: Final = (
    _Step(people=1, times=200, target="<= 3"),
    _Step(people=100, times=40),
    _Step(people=10_000, times=7, target="<= 2000"),
    _Step(people=1, times=100, is_as_they_act=False),
    _Step(people=10_000, times=3, is_as_they_act=False),
)


async def measure(bench: Bench) -> list[Figure]:
    await bench.fill_all()
    await bench.tick_all()
    chance = (
        Random()
    )  # other people at every run: in a kept database, those of the run before would change little
    for _ in range(_WARM_UPS):
        for bucket_id in bench.bucket_ids:
            await change_people(bench, bucket_id, await some_people(bench, bucket_id, 1, chance))
    figures = []
    for step in _STEPS:
        figures += await _measure_step(bench, step, chance)
    peak = peak_memory_mb()
    return [*figures, _figure("peak memory of the process that ticks", peak, "MB", "<= 200")]


async def _measure_step(bench: Bench, step: _Step, chance: Random) -> list[Figure]:
    took = []
    before = await bench.changes()
    for turn in range(step.times):
        bucket_id = bench.bucket_ids[turn % len(bench.bucket_ids)]
        people = await (some_people if step.is_as_they_act else _any_people)(
            bench, bucket_id, step.people, chance
        )
        if len(people) < step.people:
            return []  # the bucket is too small
        took.append(1000 * await change_people(bench, bucket_id, people))
    took.sort()
    changes = (await bench.changes() - before) / (step.people * step.times)
    which = f"{step.title}, {len(bench.segments)} segments"
    highest = took[min(len(took) - 1, int(0.99 * len(took)))]
    return [
        _figure(f"{which}, median", median(took), "ms", step.target),
        _figure(f"{which}, " + ("p99" if step.times >= 100 else "highest"), highest, "ms"),
        _figure(f"{which}, per person", 1000 * median(took) / step.people, "µs"),
        _figure(f"{which}, changed memberships per person", changes, "memberships"),
    ]


async def change_people(bench: Bench, bucket_id: int, people: list[int]) -> float:
    """Give each of these people an event. Returns the seconds until their bucket has no work left."""
    for start in range(0, len(people), BATCH_LIMIT):
        items = [
            EventItem(
                subscriber=SubscriberKey(kind="id", value=SubscriberRef(bucket_id, person)), name=_EVENT
            )
            for person in people[start : start + BATCH_LIMIT]
        ]
        await track_events(ports=bench.ports, workspace=bench.workspace, items=items)
    start_at = time.perf_counter()
    await bench.tick(bucket_id)
    return time.perf_counter() - start_at


async def some_people(bench: Bench, bucket_id: int, count: int, chance: Random) -> list[int]:
    """People whose event is the first after a random instant of the past."""
    name_id = await bench.ports.database.fetchval(
        "SELECT id FROM event_names WHERE workspace_id = $1 AND name = $2", bench.workspace.id, _EVENT
    )
    now, found = datetime.now(UTC), dict[int, None]()
    for _ in range(_DRAWS):
        rows = await bench.ports.database.fetch(
            "SELECT e.subscriber_id FROM unnest($3::timestamptz[]) AS d (since) CROSS JOIN LATERAL ("
            "SELECT x.subscriber_id FROM events x WHERE x.bucket_id = $1 AND x.name_id = $2 AND x.occurred_at >= d.since "
            "ORDER BY x.occurred_at LIMIT 1) e",
            bucket_id,
            name_id,
            [now - timedelta(days=chance.uniform(0, _DAYS)) for _ in range(count)],
        )
        found |= dict.fromkeys(row["subscriber_id"] for row in rows)
        if len(found) >= count:
            break
    return list(found)[:count]


async def _any_people(bench: Bench, bucket_id: int, count: int, chance: Random) -> list[int]:
    rows = await bench.ports.database.fetch("SELECT id FROM subscribers WHERE bucket_id = $1", bucket_id)
    return [row["id"] for row in chance.sample(rows, min(count, len(rows)))]


def _figure(what: str, value: float, unit: str, target: str | None = None) -> Figure:
    return Figure(measurement=MEASUREMENT, what=what, value=value, unit=unit, target=target)
