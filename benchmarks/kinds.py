"""Measures the kinds of condition that look ahead, at the order of events, at the calendar and at places: what a change and a recompute cost with them.

    python3 dev run benchmarks/kinds.py --people 50000 --events 1000000

It starts its own servers and loads the engine's benchmark data with its 100 segments. Then 20 of them are paused, and 20 segments of these kinds take
their place. It writes docs/benchmarks/kinds.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final, TypeAlias

from audience_gql.audience.definitions.pausing import pause_segment, resume_segment
from audience_gql.audience.definitions.segments import create_segment
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.nesting import segments_read
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.embedded import Servers
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.orm.models import Segment
from benchmarks.engine import changes, recompute
from benchmarks.engine.bench import Bench
from benchmarks.engine.environment import describe
from benchmarks.engine.generator import add_size_options, size_of

Json: TypeAlias = dict[str, Any]  # Any: the shape of ConditionInput

CHANGED: Final = 300
"""How many people change one after the other, in each turn."""
TURNS: Final = 3
ROUNDS: Final = 3
REPORT: Final = Path(__file__).parents[1] / "docs/benchmarks/kinds.md"
_GENERATOR: Final = Path(__file__).parent / "engine/generator.py"
HEAD: Final = """<!-- Written by benchmarks/kinds.py; do not edit. -->

# Conditions that look ahead, at order, at the calendar and at places

{people:,} people with {events:,} events, and 100 segments. For the second row, 20 of them are paused, and the 20 segments below take their place. The two turns alternate.
A person gets an event, and the time is from the tick's start until all memberships are exact.

| one person changed | median | 99 of 100 within |
|---|--:|--:|
| 100 segments of the engine's benchmark | {usual:.2f} ms | {usual_high:.2f} ms |
| 80 of them and 20 of these kinds | {novel:.2f} ms | {novel_high:.2f} ms |
| ratio (wanted: at most 1.5) | **{ratio:.2f}** | |

A recompute that finds nothing to repair, against a bare `count(*)` of the same condition in the same form on the same connections (wanted: at most 2 times).

| segment | members | bare count | recompute | ratio |
|---|--:|--:|--:|--:|
"""


def _did(name: str, **more: Any) -> Json:
    return {"event": {"name": name, **more}}


def _days(number: int) -> Json:
    return {"days": number}


OPENED: Final = _did("email_opened", within={"last": _days(30)})
ORDERED: Final = _did("order_placed", within={"last": _days(90)})


def novel(base: Segment) -> dict[str, Json]:
    """Twenty conditions by name. `base` is a segment that some of them look ahead in."""
    inside = {"anyOf": [str(base.id)]}
    return {
        "opened lately, 3 days later": {"later": {"by": _days(3), "condition": OPENED}},
        "opens no more in 3 days": {
            "all": [OPENED, {"not": {"later": {"by": _days(3), "condition": OPENED}}}]
        },
        "ordered lately, 14 days later": {"later": {"by": _days(14), "condition": ORDERED}},
        "birthday in 10 days": {
            "later": {"by": _days(10), "condition": {"birthday": {"anniversaryInLast": _days(1)}}}
        },
        "leaves a segment within 2 days": {"segment": {**inside, "leavesWithin": _days(2)}},
        "enters a segment within a week": {"segment": {**inside, "entersWithin": {"weeks": 1}}},
        "opened, then clicked within a day": _steps("email_opened", ("email_clicked", _days(1))),
        "opened, clicked, ordered within a week": _steps(
            "email_opened", ("email_clicked", _days(7)), ("order_placed", _days(7))
        ),
        "viewed and ordered the same category": _steps(
            "product_viewed", ("order_placed", _days(7)), sameProperty="category"
        ),
        "opened, then visited, in 30 days": _steps(
            "email_opened", ("page_visited", None), within={"last": _days(30)}
        ),
        "viewed, not ordered within an hour": _steps(
            "product_viewed", notFollowedBy={"name": "order_placed", "within": {"hours": 1}}
        ),
        "viewed one category 3 times": _did(
            "product_viewed", times={"atLeast": 3}, within={"last": _days(30)}
        ),
        "opened today": _did("email_opened", within={"calendar": "TODAY"}),
        "opened this month": _did("email_opened", within={"calendar": "THIS_MONTH"}),
        "ordered last month": _did("order_placed", within={"calendar": "LAST_MONTH"}),
        "opened twice in 7 calendar days": _did(
            "email_opened", times={"atLeast": 2}, within={"last": {"calendarDays": 7}}
        ),
        "opened on 5 days of 30": _did("email_opened", onDays={"atLeast": 5}, within={"last": _days(30)}),
        "visited in 3 of 4 weeks": _did(
            "page_visited", inWeeks={"atLeast": 3}, within={"last": {"weeks": 4}}
        ),
        "within 20 km of Berlin": {
            "location": {"near": {"latitude": 52.52, "longitude": 13.405, "kilometers": 20}}
        },
        "mails at example, by pattern": {"email": {"matches": "*@example.*|*@mail.*"}},
    }


def _steps(first: str, *others: tuple[str, Json | None], **more: Any) -> Json:
    steps: list[Json] = [{"name": first}]
    steps += [
        {"name": name} if within is None else {"name": name, "within": within} for name, within in others
    ]
    if len(steps) == 1:
        steps.insert(0, {"name": first})
    return {"eventSequence": {"steps": steps, **more}}


async def main() -> None:
    options = _arguments()
    with Servers.throwaway() as servers:
        variables = {**os.environ, "DATABASE_URL": servers.addresses.database_url}
        size = size_of(options)
        given = {
            name: getattr(size, name) for name in ("people", "events", "days", "groups", "segments", "seed")
        }
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, str(_GENERATOR), *words]
        await asyncio.to_thread(subprocess.run, command, env=variables, check=True)
        urls = {"database_url": servers.addresses.database_url, "redis_url": servers.addresses.redis_url}
        async with Bench.open(**urls) as bench:
            page = await _page(bench, options)
        environment = await describe(urls["database_url"])
    typed = shlex.join(["python3", "dev", "run", "benchmarks/kinds.py", *sys.argv[1:]])
    tail = f"\n{datetime.now(UTC).date()}, `{typed}`. {environment['machine']}. {environment['versions']}.\n"
    REPORT.write_text(page + tail)
    print(page)


async def _page(bench: Bench, options: argparse.Namespace) -> str:
    await bench.fill_all()
    await bench.tick_all()
    conditions = await _conditions(bench)
    read = {inner for condition in conditions.values() for inner in segments_read(condition)}
    base = bench.segments["Opened 3 times in a month"]
    usual = [segment for segment in bench.segments.values() if segment.id not in {*read, base.id}]
    usual = usual[:: max(1, len(usual) // 20)][:20]
    added = [await _create(bench, name, condition) for name, condition in novel(base).items()]
    await bench.fill_all()
    await bench.tick_all()
    rows = [await _recomputed(bench, segment) for segment in added]
    took: dict[str, list[float]] = {"usual": [], "novel": []}
    for _ in range(TURNS):
        for which, paused, resumed in (("usual", added, usual), ("novel", usual, added)):
            await _swap(bench, paused, resumed)
            took[which] += await _change_people(bench)
    figures = {which: median(times) for which, times in took.items()}
    highest = {f"{which}_high": sorted(times)[int(0.99 * len(times))] for which, times in took.items()}
    ratio = figures["novel"] / figures["usual"]
    head = HEAD.format(people=options.people, events=options.events, ratio=ratio, **figures, **highest)
    return head + "".join(rows)


async def _create(bench: Bench, name: str, condition: Json) -> Segment:
    return await create_segment(
        ports=bench.ports,
        workspace=bench.workspace,
        name=name,
        description=None,
        condition=condition,
        ids=PLAIN_IDS,
    )


async def _swap(bench: Bench, paused: Sequence[Segment], resumed: Sequence[Segment]) -> None:
    """Pause some segments and resume others. A segment that already is in that state stays in it."""
    for segment in paused:
        await pause_segment(ports=bench.ports, workspace=bench.workspace, segment_id=segment.id)
    for segment in resumed:
        await resume_segment(ports=bench.ports, workspace=bench.workspace, segment_id=segment.id)
    await bench.fill_all()
    await bench.tick_all()


async def _change_people(bench: Bench) -> list[float]:
    """The milliseconds of each change."""
    chance, took = Random(), []  # other people in each turn
    for turn in range(CHANGED):
        bucket_id = bench.bucket_ids[turn % len(bench.bucket_ids)]
        people = await changes.some_people(bench, bucket_id, 1, chance)
        took.append(1000 * await changes.change_people(bench, bucket_id, people))
    return took[10:]  # the first ones prepare the statements


async def _recomputed(bench: Bench, segment: Segment) -> str:
    statement = (await recompute.counting_statements(bench))[segment.id]
    counts, recomputes, members = [], [], 0
    for _ in range(ROUNDS):
        begun = asyncio.get_running_loop().time()
        members = await recompute.count_people(bench, statement)
        counts.append(asyncio.get_running_loop().time() - begun)
        recomputes.append(await recompute.recompute_one(bench, segment))
    count, took = median(counts), median(recomputes)
    row = f"| {segment.name} | {members:,} | {1000 * count:.0f} ms | {1000 * took:.0f} ms | {took / count:.2f} |\n"
    print(row, end="", flush=True)
    return row


async def _conditions(bench: Bench) -> dict[int, Any]:  # Any: conditions
    async with bench.ports.database.acquire() as connection:
        vocabulary = await definitions.vocabulary(connection, bench.workspace.id)
        return {
            segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
            for segment in await segment_definitions.segments(connection, bench.workspace.id)
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_size_options(parser)
    parser.set_defaults(people=50_000, events=1_000_000)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
