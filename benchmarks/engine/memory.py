"""The memory of a measuring process: its peak, and how to keep garbage collection out of timed work."""

from __future__ import annotations

import gc
from pathlib import Path


def peak_memory_mb() -> float:
    """The peak of resident memory since the start of the process. Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def leave_to_no_collection() -> None:
    """Exclude present objects from collections. Walking through a million people blocks the process for a second, which would be measured."""
    gc.collect()
    gc.freeze()
