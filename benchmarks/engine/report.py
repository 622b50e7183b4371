"""Writes the figures as one Markdown page with its picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final

from benchmarks.engine import derived
from benchmarks.engine.bench import Figure
from benchmarks.engine.measuring import MEASUREMENTS
from benchmarks.engine.picture import svg
from benchmarks.engine.results import Run

_HEAD: Final = """<!-- Written by benchmarks/engine; do not edit. -->

# The engine at size

How long it takes until every membership is exact again, and what it costs. Postgres, the worker and the clients run on
one machine. The data are generated, and as unevenly distributed as real data: see `benchmarks/engine/generator.py`.
The raw figures are in `engine.json`.

![Time until exact, against the number of people](engine.svg)
"""


def write(folder: Path, runs: Sequence[Run]) -> None:
    """Write engine.md and engine.svg into this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engine.md").write_text("\n".join(_page(runs)))
    (folder / "engine.svg").write_text(svg(runs))


def _page(runs: Sequence[Run]) -> Iterator[str]:
    yield _HEAD
    largest = max(run.people for run in runs)
    full = [run for run in runs if run.people == largest]
    yield f"## {_number(largest)} people, {_number(full[0].events)} events\n"
    figures = [figure for run in full for figure in run.figures] + derived.figures(runs)
    yield from _table(sorted(figures, key=attrgetter("measurement")))
    for people in sorted({run.people for run in runs} - {largest}, reverse=True):
        smaller = [run for run in runs if run.people == people]
        yield f"## {_number(people)} people, {_number(smaller[0].events)} events\n"
        yield from _table([figure for run in smaller for figure in run.figures])
    yield "## How it was measured\n"
    yield from _made_by(runs)


def _table(figures: Sequence[Figure]) -> Iterator[str]:
    yield "| figure | value | target | met |"
    yield "|---|--:|---|---|"
    heading = ""
    for figure in figures:
        if figure.measurement != heading:
            heading = figure.measurement
            yield f"| **({heading}) {_about(heading)}** | | | |"
        target = (
            ""
            if figure.target is None
            else f"{figure.target} {figure.unit}".replace("<=", "≤").replace(">=", "≥")
        )
        met = {None: "", True: "yes", False: "**no**"}[figure.is_met]
        yield f"| {figure.what} | {_value(figure.value)} {figure.unit} | {target} | {met} |"
    yield ""


def _about(letter: str) -> str:
    return MEASUREMENTS[letter][1] if letter in MEASUREMENTS else "Growth of a change's cost"


def _made_by(runs: Sequence[Run]) -> Iterator[str]:
    """Each command and environment, with the measurements that used it."""
    ways: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        ways.setdefault((run.command, run.measured_on, *run.environment.values()), []).append(run)
    for same in ways.values():
        run = same[0]
        which = ", ".join(f"({one.measurement}) at {_number(one.people)}" for one in same)
        yield f"{which} — {run.measured_on}\n\n```sh\n{run.command}\n```\n"
        yield from (f"- {name.capitalize()}: {value}" for name, value in run.environment.items())
        yield ""


def _number(number: int) -> str:
    return f"{number:,}"


def _value(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
