"""(g) How the cost of a change grows with the audience: the same figures at the smallest and at the largest size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench import Figure
from results import Run

MEASUREMENT: Final = "g"
_TARGET: Final = "<= 1.5"


def figures(runs: Sequence[Run]) -> list[Figure]:
    """Nothing as long as there is one size only."""
    changes = [run for run in runs if run.measurement == "b"]
    if len({run.people for run in changes}) < 2:
        return []
    smallest, largest = min(changes, key=_people), max(changes, key=_people)
    before = {figure.what: figure.value for figure in smallest.figures}
    sizes = f"{largest.people:_} : {smallest.people:_} people".replace("_", " ")
    return [
        Figure(
            measurement=MEASUREMENT,
            what=f"{figure.what.removesuffix(', median')}, {sizes}",
            value=figure.value / before[figure.what],
            unit="times",
            target=_TARGET,
        )
        for figure in largest.figures
        if figure.what.endswith(", median") and figure.what in before
    ]


def _people(run: Run) -> int:
    return run.people
