"""Measures upserts per second in batches of 1,000, of this checkout and of another one in turn on the same server.

    git worktree add /tmp/before <commit>
    python3 dev run benchmarks/upserts.py --against /tmp/before --rounds 15

Each checkout has its own process and database. A round has some batches of every workload. The checkouts take turns, and the one
that begins alternates. It prints medians over the rounds and the median of the rounds' ratios. It asserts no time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

import asyncpg

ROOT: Final = Path(__file__).parents[1]
BATCH: Final = 1000
BATCHES: Final = 4
"""The number of batches of each workload in a round."""

Item: TypeAlias = dict[str, object]
Figures: TypeAlias = dict[str, dict[str, float]]
"""By workload: "rate" in upserts per second, and "cpu" in the process' milliseconds per batch."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve", metavar="DATABASE_URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
    elif options.against:
        compare(options.against.resolve(), options.rounds)
    else:
        parser.error("name another checkout with --against")


def compare(against: Path, rounds: int) -> None:
    from audience_gql.embedded import Servers  # noqa: PLC0415  # a checkout's own process starts no servers

    servers = Servers.throwaway()
    try:
        url = servers.addresses.database_url
        with subject(against, url, "before") as before, subject(ROOT, url, "after") as after:
            pairs = []
            for number in range(rounds + 1):
                if number % 2:
                    pairs.append((before(), after()))
                else:
                    later = after()
                    pairs.append((before(), later))
            report(pairs[1:])  # the first warms up
    finally:
        servers.stop()


@contextmanager
def subject(checkout: Path, database_url: str, name: str) -> Iterator[Callable[[], Figures]]:
    """A process of one checkout. Calling the yielded function runs a round."""
    asyncio.run(create_database(database_url, name))
    process = subprocess.Popen(  # noqa: S603  # this file again
        [sys.executable, __file__, "--serve", f"{database_url.rsplit('/', 1)[0]}/{name}"],
        env=os.environ | {"PYTHONPATH": str(checkout / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    asked, answers = process.stdin, process.stdout
    source = json.loads(answers.readline())["source"]
    assert Path(source).is_relative_to(checkout), source

    def run() -> Figures:
        asked.write("\n")
        asked.flush()
        figures: Figures = json.loads(answers.readline())
        return figures

    try:
        yield run
    finally:
        asked.close()
        process.wait()


async def create_database(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()


def report(pairs: Sequence[tuple[Figures, Figures]]) -> None:
    print(f"{len(pairs)} rounds of {BATCHES} batches of {BATCH:,}; medians")
    print(
        f"{'workload':<12}{'before/s':>10}{'after/s':>10}{'ratio':>8}{'cpu ms before':>15}{'after':>8}{'ratio':>8}"
    )
    for name in pairs[0][0]:
        rates = [(before[name]["rate"], after[name]["rate"]) for before, after in pairs]
        cpus = [(before[name]["cpu"], after[name]["cpu"]) for before, after in pairs]
        print(
            f"{name:<12}{median(a for a, _ in rates):>10.0f}{median(b for _, b in rates):>10.0f}"
            f"{median(b / a for a, b in rates):>8.2f}"
            f"{median(a for a, _ in cpus):>15.1f}{median(b for _, b in cpus):>8.1f}{median(b / a for a, b in cpus):>8.2f}"
        )


# ---- in the process of one checkout


async def serve(database_url: str) -> None:
    import audience_gql  # noqa: PLC0415  # of the checkout under test
    from audience_gql.audience.people.subscribers import upsert_subscribers  # noqa: PLC0415
    from audience_gql.audience.ports import Ports  # noqa: PLC0415
    from audience_gql.audience.testing import MemorySignals, NotedJobs  # noqa: PLC0415
    from audience_gql.audience.workspaces import create_workspace  # noqa: PLC0415
    from audience_gql.storage.clock import DatabaseClock  # noqa: PLC0415
    from audience_gql.storage.postgres.database import Database  # noqa: PLC0415
    from audience_gql.storage.schema import migrate  # noqa: PLC0415

    await migrate(database_url)
    database = await Database.open(database_url)
    ports = Ports(database=database, clock=DatabaseClock(), signals=MemorySignals(), jobs=NotedJobs())
    workspace = await create_workspace(ports=ports, name="bench")
    print(json.dumps({"source": audience_gql.__file__}), flush=True)

    async def upsert(batch: Sequence[Item]) -> None:
        upserted = await upsert_subscribers(ports=ports, workspace=workspace, items=batch, bulk=True)
        assert not upserted.rejects, upserted.rejects[0]

    for number, _ in enumerate(sys.stdin):
        figures = {
            name: await timed(upsert, [make(number * BATCHES + batch) for batch in range(BATCHES)])
            for name, make in WORKLOADS.items()
        }
        await database.fetch("DELETE FROM dirty")
        print(json.dumps(figures), flush=True)
    await database.close()


async def timed(
    upsert: Callable[[Sequence[Item]], Awaitable[None]], batches: Sequence[Sequence[Item]]
) -> dict[str, float]:
    started, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        await upsert(batch)
    seconds = time.perf_counter() - started
    return {
        "rate": len(batches) * BATCH / seconds,
        "cpu": (time.process_time() - cpu) * 1000 / len(batches),
    }


def _new(batch: int) -> list[Item]:
    """People who are not stored yet."""
    return [
        {
            "externalId": str(number),
            "email": f"somebody.{number}@example.com",
            "firstName": f"Given {number % 1000}",
            "lastName": f"Family {number % 7919}",
            "country": "LT",
            "city": "Vilnius",
        }
        for number in range(batch * BATCH, (batch + 1) * BATCH)
    ]


def _changed(batch: int) -> list[Item]:
    return [item | {"city": "Kaunas"} for item in _new(batch)]


def _wishes(batch: int) -> list[Item]:
    """The same people, with statuses of two channels."""
    channels = [{"channel": channel, "status": "ACTIVE"} for channel in ("EMAIL", "SMS")]
    return [item | {"channels": channels} for item in _changed(batch)]


def _addresses(batch: int) -> list[Item]:
    """The same people with other addresses."""
    return [item | {"email": f"else.{item['email']}"} for item in _changed(batch)]


WORKLOADS: Final[dict[str, Callable[[int], list[Item]]]] = {
    "new": _new,
    "changed": _changed,
    "unchanged": _changed,
    "wishes": _wishes,
    "addresses": _addresses,
}
"""The workloads, in this order, with the same people in each round."""


if __name__ == "__main__":
    main()
