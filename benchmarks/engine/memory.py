"""The memory of a measuring process: how much it has had at the most, and how to keep it out of what is timed."""

from __future__ import annotations

import gc
from pathlib import Path


def peak_memory_mb() -> float:
    """Resident, since the process began. Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def leave_to_no_collection() -> None:
    """Keep what is there for good: to walk through a million people stops the process for a second, which would count as lateness."""
    gc.collect()
    gc.freeze()
