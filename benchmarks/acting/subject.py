"""A worker of one checkout with servers of its own. Each line on stdin asks for a round, and is answered with its figures as JSON.

It must run in another checkout, too: it imports nothing about automations.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

import audience_gql
from benchmarks.acting.house import House, observed, run_round


async def main() -> None:
    options = _arguments()
    async with observed() as (ports, worker, _):
        house = await House.built(ports, "Subject", segments=1, people=options.rounds * options.changes)
        _answer({"source": audience_gql.__file__})
        while await asyncio.to_thread(sys.stdin.readline):
            result = await run_round(house, worker, changes=options.changes, rate=options.rate)
            _answer(asdict(result))


def _answer(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--changes", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
