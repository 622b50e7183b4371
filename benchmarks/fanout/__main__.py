"""Measures the cost of sending changes to many websocket clients, compared with the same subscription in plain Strawberry.

    python3 dev run benchmarks/fanout                       # everything, in about six minutes; writes docs/benchmarks/fanout.md
    python3 dev run benchmarks/fanout --sockets 200 --idle 500 --seconds 3 --out /tmp/fanout

It starts its own Postgres and Valkey, one server process at a time, and clients in their own processes. CPU is that of the
server process alone. It asserts no times; the page says whether a target was met.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from audience_gql.embedded import Servers
from benchmarks.fanout import report, subjects
from benchmarks.fanout.publishers import Publisher, idiomatic_publisher, our_publisher
from benchmarks.fanout.report import Idle, Steady
from benchmarks.fanout.subjects import HERE, Subject

ROOT = HERE.parent.parent
CLIENTS_A_PROCESS = 5_000
SETTLE_SECONDS = 2.0
FEWER = 10
"""The idiomatic subject is asked for this many times fewer deliveries than ours. They are enough to keep it busy all the time."""


async def main(options: argparse.Namespace) -> None:
    _allow_many_files()
    servers = Servers.throwaway()
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            results = await measure(
                servers.addresses.database_url, servers.addresses.redis_url, options, Path(folder)
            )
    finally:
        servers.stop()
    results.seconds = time.monotonic() - started
    page = report.page(results, command=_command())
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "fanout.md").write_text(page, encoding="utf-8")
    print(page)


async def measure(
    database_url: str, redis_url: str, options: argparse.Namespace, folder: Path
) -> report.Results:
    results = report.Results()
    async with our_publisher(database_url, redis_url) as publisher:
        serve_ours = partial(subjects.ours, database_url, redis_url, publisher.token, folder / "ours.log")

        for sockets in options.sockets:
            async with serve_ours() as subject:
                results.steady.append(await steady(subject, publisher, sockets, options.full, options))
        async with serve_ours() as subject:
            results.idle.append(await idle(subject, options.idle))
    async with idiomatic_publisher(redis_url) as idiomatic:
        for sockets in options.sockets:
            async with subjects.idiomatic(redis_url, folder / "idiomatic.log") as subject:
                few = options.full / FEWER
                results.steady.append(await steady(subject, idiomatic, sockets, few, options))
        async with subjects.idiomatic(redis_url, folder / "idiomatic.log") as subject:
            results.idle.append(await idle(subject, options.idle))
    return results


async def steady(
    subject: Subject, publisher: Publisher, sockets: int, most: float, options: argparse.Namespace
) -> Steady:
    """Changes at a steady rate, and then as many as the server can send."""
    print(f"{subject.name}: {sockets:,} sockets", file=sys.stderr, flush=True)
    async with clients(subject, sockets) as crowd:
        await asyncio.sleep(SETTLE_SECONDS)
        calm = await _run(subject, publisher, crowd, options.deliveries / sockets, options.seconds)
        full = await _run(subject, publisher, crowd, most / sockets, options.seconds)
    return Steady(subject=subject.name, sockets=sockets, asked=options.deliveries, calm=calm, full=full)


async def _run(
    subject: Subject, publisher: Publisher, crowd: Crowd, rate: float, seconds: float
) -> report.Figures:
    await crowd.forget()
    cpu, begun, published = subject.cpu_seconds(), time.monotonic(), 0
    most = max(3, int(rate * seconds))
    while published < most and time.monotonic() - begun < seconds + 1 / rate:
        await asyncio.sleep(max(0.0, begun + published / rate - time.monotonic()))
        await publisher.publish()
        published += 1
    told = await crowd.until_quiet()
    assert told["closed"] == 0, "clients were closed"
    cpu = subject.cpu_seconds() - cpu
    return report.Figures(
        published=published,
        deliveries=int(told["deliveries"]),
        bytes=int(told["bytes"]),
        per_second=told["deliveries"] / told["seconds"],
        cpu_microseconds=cpu / told["deliveries"] * 1e6,
        p50=told["p50"],
        p99=told["p99"],
    )


async def idle(subject: Subject, sockets: int) -> Idle:
    """The cost of subscribed clients while nothing happens."""
    print(f"{subject.name}: {sockets:,} idle sockets", file=sys.stderr, flush=True)
    async with clients(subject, 50):  # memory of the first use does not belong to the sockets
        await asyncio.sleep(1)
    before = subject.resident_bytes()
    async with clients(subject, sockets):
        await asyncio.sleep(SETTLE_SECONDS)
        after, cpu, begun = subject.resident_bytes(), subject.cpu_seconds(), time.monotonic()
        await asyncio.sleep(10)
        busy = (subject.cpu_seconds() - cpu) / (time.monotonic() - begun)
    return Idle(subject=subject.name, sockets=sockets, bytes_each=(after - before) / sockets, busy=busy)


class Crowd:
    """The client processes of a measurement."""

    def __init__(self, processes: list[asyncio.subprocess.Process]) -> None:
        self._processes = processes

    async def forget(self) -> None:
        await self._ask("forget")

    async def until_quiet(self) -> dict[str, float]:
        """The figures, after a second without deliveries."""
        before, told = -1.0, await self._ask("tell")
        while told["deliveries"] != before:
            before = told["deliveries"]
            await asyncio.sleep(1)
            told = await self._ask("tell")
        return told

    async def _ask(self, what: str) -> dict[str, float]:
        answers = []
        for process in self._processes:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{what}\n".encode())
            await process.stdin.drain()
            answers.append(json.loads(await process.stdout.readline()))
        sums = {name: sum(it[name] for it in answers) for name in ("deliveries", "bytes", "closed")}
        return {**{name: max(it[name] for it in answers) for name in answers[0]}, **sums}


@asynccontextmanager
async def clients(subject: Subject, sockets: int) -> AsyncIterator[Crowd]:
    processes = []
    try:
        for start in range(0, sockets, CLIENTS_A_PROCESS):
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(HERE / "clients.py"), subject.url, subject.token,
                str(min(CLIENTS_A_PROCESS, sockets - start)),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            processes.append(process)
            assert process.stdout is not None
            assert json.loads(await process.stdout.readline()), "the clients did not start"
        yield Crowd(processes)
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _command() -> str:
    return " ".join(["python3 dev run benchmarks/fanout", *sys.argv[1:]])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sockets", type=_numbers, default=[1_000, 10_000], help="such as 1000,10000")
    parser.add_argument("--idle", type=int, default=10_000, help="number of sockets that receive nothing")
    parser.add_argument("--seconds", type=float, default=15, help="length of each measurement")
    parser.add_argument(
        "--deliveries", type=int, default=2_000, help="deliveries per second at the steady rate"
    )
    parser.add_argument(
        "--full", type=int, default=50_000, help="deliveries per second at full load, more than ours can send"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    asyncio.run(main(arguments()))
