"""Measures forecasts: how long the size ahead and the next leavers take, against a bare count of the segment's members.

    python3 dev run benchmarks/forecasts.py --people 1000000 --events 5000000

It starts its own servers and loads the people and events of the engine's benchmark, with the segments below. It prints the section of
docs/benchmarks/insights.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.insights.coming_changes import coming_changes
from audience_gql.audience.insights.size_forecasts import forecast_size
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.embedded import Servers
from audience_gql.storage.orm.models import Segment
from benchmarks.engine import recompute
from benchmarks.engine.bench import Bench
from benchmarks.engine.environment import describe
from benchmarks.engine.generator import add_size_options, size_of

ROUNDS: Final = 3
DAY: Final = timedelta(days=1)
SECONDS: Final = 2.0
_GENERATOR: Final = Path(__file__).parent / "engine/generator.py"
CONDITIONS: Final[dict[str, Any]] = {  # Any: the shape of ConditionInput
    "opened in the last 30 days": {"event": {"name": "email_opened", "within": {"last": {"days": 30}}}},
    "3 orders in 90 days": {
        "event": {"name": "order_placed", "times": {"atLeast": 3}, "within": {"last": {"days": 90}}}
    },
    "birthday in the next 7 days": {"birthday": {"anniversaryInNext": {"days": 7}}},
    "active and silent for a week": {
        "all": [
            {"channel": {"channel": "EMAIL", "status": ["ACTIVE"]}},
            {"lastEvent": {"name": "email_opened", "at": {"notInLast": {"days": 7}}}},
        ]
    },
    "in Lithuania": {"country": {"is": "LT"}},
}
HEAD: Final = """## Forecasts

{people:,} people with {events:,} events. `sizeForecast` for {days} days, and the first 20 of `leaving`; medians of {rounds}. Beside them a bare count of the same
condition. The margin is that of `members` on the last day, in people.

| segment | members | bare count | hours ahead: 24 | days ahead: {days} | its margin | leaving: 20 |
|---|--:|--:|--:|--:|--:|--:|
"""


async def main() -> None:
    options = _arguments()
    with Servers.throwaway() as servers:
        variables = {**os.environ, "DATABASE_URL": servers.addresses.database_url}
        size = size_of(options)
        names = ("people", "events", "days", "groups", "segments", "seed")
        words = [word for name in names for word in (f"--{name}", str(getattr(size, name)))]
        command = [sys.executable, str(_GENERATOR), *words]
        await asyncio.to_thread(subprocess.run, command, env=variables, check=True)
        urls = {"database_url": servers.addresses.database_url, "redis_url": servers.addresses.redis_url}
        async with Bench.open(**urls) as bench:
            added = [await _create(bench, name, condition) for name, condition in CONDITIONS.items()]
            await bench.fill_all()
            await bench.tick_all()
            rows = [await _row(bench, segment) for segment in added]
        environment = await describe(urls["database_url"])
    typed = shlex.join(["python3", "dev", "run", "benchmarks/forecasts.py", *sys.argv[1:]])
    head = HEAD.format(people=options.people, events=options.events, days=_DAYS, rounds=ROUNDS)
    tail = f"\n{datetime.now(UTC).date()}, `{typed}`. {environment['machine']}. {environment['versions']}.\n"
    print(head + "".join(rows) + tail)


_DAYS: Final = 30


async def _row(bench: Bench, segment: Segment) -> str:
    counts, hours, days, pages = [], [], [], []
    for _ in range(ROUNDS):
        begun = perf_counter()
        members = await _count(bench, segment)
        counts.append(perf_counter() - begun)
        near, _ = await _forecast(bench, segment, DAY / 24, 24)
        hours.append(near)
        far, margin = await _forecast(bench, segment, DAY, _DAYS)
        days.append(far)
        begun = perf_counter()
        await _leaving(bench, segment)
        pages.append(perf_counter() - begun)
    figures = " | ".join(f"{1000 * median(took):,.0f} ms" for took in (counts, hours, days))
    row = f"| {segment.name} | {members:,} | {figures} | {margin:,} | {1000 * median(pages):,.0f} ms |\n"
    print(row, end="", flush=True)
    return row


async def _count(bench: Bench, segment: Segment) -> int:
    """The members, counted by the bare condition."""
    statement = (await recompute.counting_statements(bench))[segment.id]
    return await recompute.count_people(bench, statement)


async def _forecast(bench: Bench, segment: Segment, every: timedelta, number: int) -> tuple[float, int]:
    async with bench.ports.database.acquire() as connection:
        now = await bench.ports.clock.now(connection)
    begun = perf_counter()
    ahead = await forecast_size(
        ports=bench.ports,
        workspace_id=bench.workspace.id,
        segment_id=segment.id,
        starts=[now + every * step for step in range(number)],
        end=now + every * number,
        seconds=SECONDS,
    )
    return perf_counter() - begun, ahead[-1].members.margin


async def _leaving(bench: Bench, segment: Segment) -> None:
    await coming_changes(
        ports=bench.ports,
        workspace_id=bench.workspace.id,
        segment_id=segment.id,
        entering=False,
        within=_DAYS * DAY,
        size=20,
        after=None,
        ids=PLAIN_IDS,
    )


async def _create(bench: Bench, name: str, condition: object) -> Segment:
    return await create_segment(
        ports=bench.ports,
        workspace=bench.workspace,
        name=name,
        description=None,
        condition=condition,
        ids=PLAIN_IDS,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_size_options(parser)
    parser.set_defaults(people=1_000_000, events=5_000_000, segments=0, groups=2)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
