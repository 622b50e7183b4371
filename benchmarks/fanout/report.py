"""Writes the figures as one Markdown page."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

HEAD = """<!-- Written by benchmarks/fanout; do not edit. -->

# Fan-out to many clients

The cost of sending one change to N websocket clients, compared with the idiomatic way in plain Strawberry: an async generator and a queue per client
(`benchmarks/fanout/idiomatic.py`). Both offer a subscription with the same fields. audience-gql reads the change from the log, executes and encodes it once, and can resume.
The idiomatic server receives complete changes over Redis, reads no database and checks no token, which is an advantage for it. Each of the two is one process, which uses at most
one core. The clients run on the same machine. CPU is the time of the server process alone, in user and kernel mode.
"""
LEAST_RATIO = 15.0
MOST_P99 = 150.0
MOST_KILOBYTES = 40.0
FEWER = 1_000


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One run. Milliseconds are from the instant of the change to its receipt by the client, including the commit."""

    published: int
    deliveries: int
    bytes: int
    per_second: float
    cpu_microseconds: float
    p50: float
    p99: float


@dataclass(frozen=True, kw_only=True)
class Steady:
    subject: str
    sockets: int
    asked: int
    calm: Figures
    full: Figures


@dataclass(frozen=True, kw_only=True)
class Idle:
    subject: str
    sockets: int
    bytes_each: float
    busy: float


@dataclass(kw_only=True)
class Results:
    steady: list[Steady] = field(default_factory=list)
    idle: list[Idle] = field(default_factory=list)
    seconds: float = 0.0


def page(results: Results, *, command: str) -> str:
    return "\n".join(_lines(results, command)) + "\n"


def _lines(results: Results, command: str) -> Iterator[str]:
    yield HEAD
    yield from _targets(results)
    for sockets in dict.fromkeys(run.sockets for run in results.steady):
        runs = [run for run in results.steady if run.sockets == sockets]
        yield f"## {sockets:,} sockets\n"
        yield f"At about {runs[0].asked:,} deliveries per second:\n"
        yield from _table([(run.subject, run.calm) for run in runs])
        yield "With more changes than the server can send in time:\n"
        yield from _table([(run.subject, run.full) for run in runs])
    yield "## Idle sockets\n"
    yield "| | subscribed sockets | memory of each | share of one core |\n|---|--:|--:|--:|"
    for idle in results.idle:
        yield f"| {idle.subject} | {idle.sockets:,} | {idle.bytes_each / 1024:.1f} KB | {idle.busy:.1%} |"
    yield ""
    yield from _made_by(results, command)


def _targets(results: Results) -> Iterator[str]:
    first = [run for run in results.steady if run.sockets == results.steady[0].sockets]
    ours, theirs = first[0].calm, first[-1].calm
    ratio = theirs.cpu_microseconds / ours.cpu_microseconds
    kilobytes = results.idle[0].bytes_each / 1024
    sockets = first[0].sockets
    yield "| what | target | measured | met |\n|---|--:|--:|---|"
    yield (
        f"| CPU per delivery, {sockets:,} sockets, idiomatic relative to audience-gql | ≥ {LEAST_RATIO:.0f} times | "
        f"{ratio:.1f} times | {_met(ratio >= LEAST_RATIO)} |"
    )
    yield (
        f"| p99 at {first[0].asked:,} deliveries/s, {sockets:,} sockets | ≤ {MOST_P99:.0f} ms | "
        f"{ours.p99:.0f} ms | {_met(ours.p99 <= MOST_P99)} |"
    )
    yield (
        f"| memory of an idle socket, {results.idle[0].sockets:,} of them | ≤ {MOST_KILOBYTES:.0f} KB | "
        f"{kilobytes:.1f} KB | {_met(kilobytes <= MOST_KILOBYTES)} |\n"
    )


def _met(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


def _table(runs: list[tuple[str, Figures]]) -> Iterator[str]:
    yield "| | changes | deliveries/s | CPU per delivery | bytes | p50 | p99 |\n|---|--:|--:|--:|--:|--:|--:|"
    for subject, it in runs:
        yield (
            f"| {subject} | {it.published:,} | {it.per_second:,.0f} | {it.cpu_microseconds:.1f} µs | "
            f"{it.bytes / it.deliveries:,.0f} | {it.p50:.1f} ms | {it.p99:.1f} ms |"
        )
    yield ""


def _made_by(results: Results, command: str) -> Iterator[str]:
    yield "## How it was measured\n"
    yield f"{datetime.now(UTC):%Y-%m-%d}, in {results.seconds / 60:.1f} minutes:\n\n```sh\n{command}\n```\n"
    yield f"- Machine: {os.cpu_count()} cores, {_processor()}, {_memory():.0f} GB"
    yield f"- Python {platform.python_version()}, {platform.system()} {platform.release()}"
    yield "- Latency is measured from the instant of the change. For audience-gql it includes the commit of the tick that found the change."
    yield "- Memory is the growth of the server's resident set, divided by the number of sockets. Each socket has one subscription."


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
