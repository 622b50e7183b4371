"""Runs one measurement on a loaded database, in its own process, so that the process' memory is that of the measurement.

DATABASE_URL=… REDIS_URL=… python3 dev run benchmarks/engine/measuring.py a figures.json
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.engine.bench import Bench, Figure

MEASUREMENTS: Final = {
    "a": ("recompute", "A segment over all people"),
    "b": ("changes", "Changed people, all segments"),
    "c": ("live", "From an event's commit to the change's commit"),
    "d": ("ingest", "Ingesting events"),
    "e": ("clock", "The clock"),
    "f": (
        "peers.compared",
        "Other products' algorithms on the same data; some batches of Mautic's first fills represent all batches",
    ),
    "h": ("day", "A day of exactness"),
}
"""The module of each measurement, and its heading. A module has the function `measure`."""


async def measure(letter: str) -> list[Figure]:
    module = import_module(f"benchmarks.engine.{MEASUREMENTS[letter][0]}")
    urls = {name: os.environ[name.upper()] for name in ("database_url", "redis_url")}
    async with Bench.open(**urls) as bench:
        figures: list[Figure] = await module.measure(bench)
    return figures


if __name__ == "__main__":
    measured = uvloop.run(measure(sys.argv[1]))  # as the worker does
    Path(sys.argv[2]).write_text(json.dumps([asdict(figure) for figure in measured]))
