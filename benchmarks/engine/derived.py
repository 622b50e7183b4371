"""Figures derived from several measurements: (g) how a change's cost grows with the audience, and (h) a day of a peer's way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.engine import day
from benchmarks.engine.bench import Figure
from benchmarks.engine.peers import mautic
from benchmarks.engine.peers.compared import OURS
from benchmarks.engine.results import Run

GROWTH: Final = "g"
_TARGET: Final = "<= 1.5"
_MEDIAN: Final = ", median"
_MEMBERSHIP: Final = ", per changed membership"


def figures(runs: Sequence[Run]) -> list[Figure]:
    """The derived figures whose measurements exist."""
    return [*_growth(runs), *_a_day_of_mautic(runs)]


def _growth(runs: Sequence[Run]) -> list[Figure]:
    """The same figures at the smallest and at the largest size."""
    changes = [run for run in runs if run.measurement == "b"]
    if len({run.people for run in changes}) < 2:
        return []
    smallest, largest = min(changes, key=_people), max(changes, key=_people)
    before, after = _costs(smallest), _costs(largest)
    sizes = f"{largest.people:_} : {smallest.people:_} people".replace("_", " ")
    return [
        Figure(
            measurement=GROWTH,
            what=f"{what}, {sizes}",
            value=cost / before[what],
            unit="times",
            target=None if what.endswith(_MEMBERSHIP) else _TARGET,
        )
        for what, cost in after.items()
        if what in before
    ]


def _costs(changes: Run) -> dict[str, float]:
    """The time of each step, also per changed membership, because in a small audience later steps change fewer memberships."""
    found = {figure.what: figure.value for figure in changes.figures}
    took = {what.removesuffix(_MEDIAN): value for what, value in found.items() if what.endswith(_MEDIAN)}
    changed = {step: found.get(f"{step}, changed memberships per person") for step in took}
    return took | {step + _MEMBERSHIP: took[step] / count for step, count in changed.items() if count}


def _a_day_of_mautic(runs: Sequence[Run]) -> list[Figure]:
    """At the largest size, recomputing as often in Mautic's way: our cost times the ratio that (f) measured."""
    largest = max(run.people for run in runs)
    found = {figure.what: figure.value for run in runs if run.people == largest for figure in run.figures}
    segments = "unchanged recompute of 3 segments, CPU time in Postgres"
    theirs, ours, often = f"{mautic.NAME}, {segments}", f"{OURS}, {segments}", day.OFTEN
    if not found.keys() >= {theirs, ours, often}:
        return []
    return [
        Figure(
            measurement=day.MEASUREMENT,
            what=f"the same with {mautic.NAME}'s algorithm, by the ratio of both in (f)",
            value=found[often] * found[theirs] / found[ours],
            unit="times",
            target=">= 20",
        )
    ]


def _people(run: Run) -> int:
    return run.people
