"""Measures automations and webhooks: how soon they act, how many runs a second they keep up with, and what they cost.

    python3 dev run benchmarks/acting
    git worktree add /tmp/before <commit>
    python3 dev run benchmarks/acting --against /tmp/before

It starts its own servers in a temporary folder, and a worker as in production. With --against, it also compares the cost of a change without
automations with another checkout. It asserts that every change is acted on and told exactly once, and no time. It writes docs/benchmarks/acting.md.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from pathlib import Path
from typing import Final

from benchmarks.acting import cost, latency, paired
from benchmarks.acting.house import observed
from benchmarks.acting.receiver import Receiver
from benchmarks.acting.report import Results, page
from benchmarks.engine.environment import describe

REPORT: Final = Path(__file__).parents[2] / "docs/benchmarks/acting.md"
OTHER: Final = "/tmp/before"  # noqa: S108  # a name for the page


async def main() -> None:
    options = _arguments()
    changes = options.rate * options.round_seconds
    async with Receiver.listening() as receiver, observed(**receiver.settings) as (ports, worker, url):
        environment = await describe(url)
        latencies, throughput = await latency.measure(
            ports, receiver, rate=options.rate, seconds=options.seconds, crowd=options.crowd
        )
        costs = await cost.measure(ports, worker, rounds=options.rounds, changes=changes, rate=options.rate)
    comparison = None
    if options.against:
        comparison = await asyncio.to_thread(
            paired.compare,
            options.against.resolve(),
            rounds=options.pairs,
            changes=changes,
            rate=options.rate,
        )
    results = Results(
        rate=options.rate,
        crowd=options.crowd,
        latencies=latencies,
        throughput=throughput,
        costs=costs,
        comparison=comparison,
    )
    text = page(results, command=_command(options), environment=environment)
    print(text)
    options.report.write_text(text, encoding="utf-8")


def _command(options: argparse.Namespace) -> str:
    """What was run. The other checkout has the same path on every page."""
    given = [OTHER if word == str(options.against) else word for word in sys.argv[1:]]
    return shlex.join(["python3", "dev", "run", "benchmarks/acting", *given])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=50, help="changes per second")
    parser.add_argument("--seconds", type=int, default=60, help="how long the latency is measured")
    parser.add_argument("--crowd", type=int, default=20_000, help="how many people enter at once")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each row of the costs")
    parser.add_argument("--round-seconds", type=int, default=5, help="seconds of a round")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--pairs", type=int, default=30, help="pairs of rounds with the other checkout")
    parser.add_argument("--report", type=Path, default=REPORT)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
