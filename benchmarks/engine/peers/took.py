"""Measures the time of a piece of work, and its processor time in Postgres."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from benchmarks.engine.observed import cpu_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """Elapsed seconds and processor seconds."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __add__(self, other: Took) -> Took:
        return Took(seconds=self.seconds + other.seconds, cpu_seconds=self.cpu_seconds + other.cpu_seconds)

    def times(self, factor: float) -> Took:
        return Took(seconds=self.seconds * factor, cpu_seconds=self.cpu_seconds * factor)


async def timed(pids: Sequence[int], work: Awaitable[object]) -> Took:
    """Run the work and measure it. The processor time is that of these processes."""
    cpu, start = cpu_seconds(pids), time.perf_counter()
    await work
    return Took(seconds=time.perf_counter() - start, cpu_seconds=cpu_seconds(pids) - cpu)
