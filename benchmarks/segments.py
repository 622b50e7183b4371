"""Measures very many segments in one workspace: the cost to create, fill and maintain them, and the effect on other workspaces.

    python3 dev run benchmarks/segments.py
    python3 dev run benchmarks/segments.py --segments 200 --people 1000

It starts its own servers in a temporary folder, and a worker as in production. One workspace creates segments as fast as it can, and at the same time
others create their first one. It writes docs/benchmarks/segments.md.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shlex
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.embedded import Servers
from audience_gql.messaging.jobs import ArqJobs
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.engine import fills
from audience_gql.storage.orm.models import Segment, Workspace
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.schema import migrate
from benchmarks.engine.environment import describe
from benchmarks.engine.observed import ObservedWorker
from benchmarks.workspaces import drawn_conditions

BATCH = 1_000
NAMES = ("email_opened", "email_clicked", "page_visited", "order_placed")
CHANGES = 50
REPORT = Path(__file__).parents[1] / "docs/benchmarks/segments.md"
HEAD = """<!-- Written by benchmarks/segments.py; do not edit. -->

# Many segments in one workspace

One workspace with {people:,} people creates {segments:,} segments, one after the other, with one worker. At the same time, other workspaces with 100 people each create their
first segment. Everything runs on one machine.

| | measured |
|---|--:|
"""


@dataclass(slots=True)
class Report:
    rows: list[str] = field(default_factory=list)

    def add(self, what: str, measured: str) -> None:
        print(f"{what}: {measured}", flush=True)
        self.rows.append(f"| {what} | {measured} |\n")


@dataclass(slots=True)
class House:
    """A workspace, and the requests of the benchmark to it."""

    ports: Ports
    workspace: Workspace
    chance: random.Random

    async def make(self, number: int, condition: object | None = None) -> tuple[Segment, float]:
        """Create a segment. Returns it, and the milliseconds that saving took."""
        begun = time.monotonic()
        segment = await create_segment(
            ports=self.ports,
            workspace=self.workspace,
            name=f"Segment {number}",
            description=None,
            condition=condition or drawn_conditions(self.chance)[0],
            ids=PLAIN_IDS,
        )
        return segment, 1000 * (time.monotonic() - begun)

    async def load(self, people: int) -> None:
        for start in range(0, people, BATCH):
            numbers = range(start, min(start + BATCH, people))
            items = [{"externalId": str(number), "country": "LT"} for number in numbers]
            await upsert_subscribers(ports=self.ports, workspace=self.workspace, items=items)
            await self.track([self.event(number, self.chance.choice(NAMES)) for number in numbers])

    def event(self, number: int, name: str) -> EventItem:
        return EventItem(subscriber=SubscriberKey(kind="externalId", value=str(number)), name=name)

    async def track(self, events: list[EventItem]) -> None:
        await track_events(ports=self.ports, workspace=self.workspace, items=events)

    async def until_filled(self, segment_id: int) -> None:
        while True:
            async with self.ports.database.acquire() as connection:
                progress = await fills.progress(connection, segment_id)
            if progress is not None and progress.fraction == 1:
                return
            await asyncio.sleep(0.01)


async def main() -> None:
    options = _arguments()
    with Servers.throwaway() as servers:
        await _measure(options, servers.addresses.database_url, servers.addresses.redis_url)


async def _measure(options: argparse.Namespace, database_url: str, redis_url: str) -> None:
    report = Report()
    await migrate(database_url)
    database = await Database.open(database_url, pool_size=20)
    signals, jobs = RedisSignals(redis_url), ArqJobs(redis_url)
    ports = Ports(database=database, clock=DatabaseClock(), signals=signals, jobs=jobs)
    house = await _house(ports, "many", options.people)
    others = [await _house(ports, f"other {number}", 100) for number in range(options.others)]
    async with ObservedWorker.started(database, database_url=database_url, redis_url=redis_url) as worker:
        watched, _ = await house.make(0, {"event": {"name": "probe"}})
        await house.until_filled(watched.id)
        await _change(house, watched, 0, "with one segment", report)
        await _make(house, others, options.segments, report)
        await _change(house, watched, CHANGES, f"with {options.segments:,} segments", report)
        report.add("peak memory of the worker", f"{worker.peak_memory_mb:.0f} MB")
    await jobs.close()
    await signals.close()
    await database.close()
    environment: dict[str, Any] = dict(await describe(database_url))  # Any: what describe says
    command = shlex.join(["python3", "dev", "run", "benchmarks/segments.py", *sys.argv[1:]])
    REPORT.write_text(
        HEAD.format(people=options.people, segments=options.segments)
        + "".join(report.rows)
        + f"\n{datetime.now(UTC).date()}, `{command}`. {environment['machine']}. {environment['versions']}.\n"
    )


async def _house(ports: Ports, name: str, people: int) -> House:
    house = House(ports, await create_workspace(ports=ports, name=name), random.Random(name))
    await house.load(people)
    return house


async def _make(house: House, others: list[House], count: int, report: Report) -> None:
    """Create all segments except the first, and in between the first segment of each other workspace."""
    begun, took, waits = time.monotonic(), [], []
    steps = {(place + 1) * count // (len(others) + 1): other for place, other in enumerate(others)}
    waiting: list[asyncio.Task[float]] = []
    for number in range(1, count):
        last, milliseconds = await house.make(number)
        took.append(milliseconds)
        if number in steps:
            waiting.append(asyncio.create_task(_first(steps[number])))
    report.add("time to save a segment, the first 100, median", f"{median(took[:100]):.1f} ms")
    report.add(f"time to save a segment, the last 100 of {count:,}, median", f"{median(took[-100:]):.1f} ms")
    await house.until_filled(last.id)
    report.add("time until all are filled", f"{time.monotonic() - begun:.1f} s")
    waits = await asyncio.gather(*waiting)
    report.add(
        "time until another workspace's first segment is filled, median", f"{1000 * median(waits):.0f} ms"
    )
    report.add(
        "time until another workspace's first segment is filled, longest", f"{1000 * max(waits):.0f} ms"
    )


async def _first(other: House) -> float:
    begun = time.monotonic()
    segment, _ = await other.make(0)
    await other.until_filled(segment.id)
    return time.monotonic() - begun


async def _change(house: House, watched: Segment, start: int, when: str, report: Report) -> None:
    """Track one event after the other. Each makes a person a member, and the next one waits for that."""
    took = []
    for number in range(start, start + CHANGES):
        await house.track([house.event(number, "probe")])
        begun = time.monotonic()
        while await _members(house, watched) <= number:
            await asyncio.sleep(0.002)
        took.append(1000 * (time.monotonic() - begun))
        await asyncio.sleep(0.05)
    report.add(f"from commit to change, {when}, median", f"{median(took):.1f} ms")


async def _members(house: House, segment: Segment) -> int:
    async with house.ports.database.acquire() as connection:
        progress = await fills.progress(connection, segment.id)
    assert progress is not None
    return progress.members


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--segments", type=int, default=2_000)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument(
        "--others", type=int, default=20, help="workspaces that create a first segment at the same time"
    )
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
