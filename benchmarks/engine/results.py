"""Stores the raw figures of all runs in one JSON file. A later run replaces only the measurements that it repeats."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.engine.bench import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measurement at one size."""

    people: int
    events: int
    measurement: str
    command: str
    measured_on: str
    environment: dict[str, str]
    figures: list[Figure]


def read(path: Path) -> list[Run]:
    """All runs, by size and measurement."""
    if not path.exists():
        return []
    runs = [Run(**{**run, "figures": [Figure(**one) for one in run["figures"]]}) for run in _json(path)]
    return sorted(runs, key=lambda run: (run.people, run.measurement))


def keep(path: Path, new: Run) -> list[Run]:
    """Store a run in place of the earlier one. Returns all runs."""
    place = (new.people, new.measurement)
    runs = [run for run in read(path) if (run.people, run.measurement) != place]
    runs = sorted([*runs, new], key=lambda run: (run.people, run.measurement))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(run) for run in runs], indent=1, ensure_ascii=False) + "\n")
    return runs


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def _json(path: Path) -> Sequence[dict[str, Any]]:
    given: Sequence[dict[str, Any]] = json.loads(path.read_text())
    return given
