"""Writes the figures as one Markdown page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.acting.cost import Cost
from benchmarks.acting.latency import Latencies, Throughput
from benchmarks.acting.paired import TARGET, Comparison

HEAD = """<!-- Written by benchmarks/acting; do not edit. -->

# Automations and webhooks

What an automation costs, and how soon it acts. One worker, Postgres, the receiver of webhooks and the writer run on one machine. CPU is the time of the worker and its Postgres
backends. The writer is another process with its own backends, and does not count.
"""
TARGETS = (100, 500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    rate: int
    crowd: int
    latencies: Latencies
    throughput: Throughput
    costs: list[Cost]
    comparison: Comparison | None


def page(results: Results, *, command: str, environment: Mapping[str, str]) -> str:
    lines = [HEAD, *_latency(results), *_throughput(results), *_costs(results.costs)]
    if results.comparison:
        lines += _comparison(results.comparison)
    where = f"{environment['machine']}. {environment['versions']}."
    return "\n".join([*lines, f"{datetime.now(UTC).date()}, `{command}`. {where}", ""])


def _latency(results: Results) -> Iterator[str]:
    yield f"## Latency at {results.rate} changes per second\n"
    yield "People enter a segment one by one. One automation adds them to a group and sends a webhook. Milliseconds begin at the instant at which they entered the segment."
    yield "The internal action ends at the instant at which they entered the group, and both instants are those of the log. The attempt ends when the receiver has the message.\n"
    yield "| until | p50 ms | p99 ms | longest ms | target for p99 |\n|---|--:|--:|--:|--:|"
    for (what, p50, p99, longest), target in zip(results.latencies.rows(), TARGETS, strict=True):
        yield f"| {what} | {p50:.1f} | {p99:.1f} | {longest:.1f} | ≤ {target} ms |"
    yield f"\n{len(results.latencies.acted):,} people entered. Each was acted on once, and is in one message.\n"


def _throughput(results: Results) -> Iterator[str]:
    yield "## Throughput\n"
    yield f"{results.crowd:,} people enter the same segment at once. The seconds begin with the first write.\n"
    yield "| | per second |\n|---|--:|"
    yield f"| runs, with their people in the group | {results.throughput.runs_per_second:,.0f} |"
    yield f"| changes that the receiver has | {results.throughput.told_per_second:,.0f} |\n"


def _costs(costs: list[Cost]) -> Iterator[str]:
    without = {cost.kind.segments: cost.cpu_ms for cost in costs if cost.kind.words == "none"}
    yield "## The cost of a change\n"
    yield "People enter one by one. An automation that watches a segment adds them to a group of its own. The rows take turns, and each figure is the median of their rounds. The cost of a run includes the tick that its action causes.\n"
    yield "| segments that a person enters | automations | CPU ms per change | of it Postgres | more than without automations | more per run | from commit to change, ms |"
    yield "|--:|---|--:|--:|--:|--:|--:|"
    for cost in costs:
        more = cost.cpu_ms - without[cost.kind.segments]
        each = f"{more / cost.kind.runs:.2f}" if cost.kind.runs else ""
        told = "" if cost.kind.words == "none" else f"{more:.2f}"
        yield (
            f"| {cost.kind.segments} | {cost.kind.words} | {cost.cpu_ms:.2f} | {cost.postgres_ms:.2f} "
            f"| {told} | {each} | {cost.latency_ms:.1f} |"
        )
    yield ""


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield "## The cost for a workspace without automations\n"
    yield f"The same changes with a worker of this checkout and with one of commit {comparison.against}. Each has its own servers. They take turns, {len(comparison.pairs)} times."
    yield f"The ratio is the median of the pairs' ratios. Its target is at most {TARGET}.\n"
    yield "| | before | now | ratio | quartiles |\n|---|--:|--:|--:|--:|"
    for what, before, now, ratio, low, high in comparison.rows():
        yield f"| {what} | {before:.2f} | {now:.2f} | {ratio:.3f} | {low:.3f} to {high:.3f} |"
    yield ""
