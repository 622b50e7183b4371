"""How much memory this process has had at the most. Linux only."""

from __future__ import annotations

from pathlib import Path


def peak_memory_mb() -> float:
    """Resident, since the process began."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
