"""Draws cost against size on logarithmic axes, as an SVG that is readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, log10
from typing import Final

from benchmarks.engine.results import Run

_LINES: Final[Mapping[str, tuple[str, str]]] = {
    # start of the name of a figure of measurement b, in milliseconds: label, colour
    "10000 people changed": ("10,000 people changed", "#7048e8"),
    "100 people changed": ("100 people changed", "#1c7ed6"),
    "1 person changed": ("1 person changed", "#2f9e44"),
}
_WIDTH, _HEIGHT = 760, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 220, 30, 60
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#333}.grid{stroke:#8884;stroke-width:1}.line{fill:none;stroke-width:2.5}"
    "@media (prefers-color-scheme:dark){text{fill:#ddd}}"
)

Points = dict[int, float]


def svg(runs: Sequence[Run]) -> str:
    """The picture of these runs. Without figures to draw, it has no axes."""
    lines = {label: (colour, points) for label, colour, points in _lines(runs)}
    parts = [f"<style>{_STYLE}</style>"]
    if lines:
        parts += _Plane(lines).drawn()
    title = "Milliseconds of work against the number of people, all segments, both axes logarithmic"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f"\n<title>{title}</title>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _lines(runs: Sequence[Run]) -> Iterator[tuple[str, str, Points]]:
    for start, (label, colour) in _LINES.items():
        points = {
            run.people: figure.value
            for run in runs
            for figure in reversed(run.figures)
            if run.measurement == "b" and figure.what.startswith(start)
        }
        if points:
            yield label, colour, points


class _Plane:
    """The axes, and the positions of points on them."""

    def __init__(self, lines: Mapping[str, tuple[str, Points]]) -> None:
        self._lines = lines
        sizes = [people for _, points in lines.values() for people in points]
        costs = [cost for _, points in lines.values() for cost in points.values()]
        self._sizes = sorted(set(sizes))
        self._x = (log10(min(sizes)) - 0.05, max(log10(max(sizes)) + 0.05, log10(min(sizes)) + 0.1))
        self._y = (floor(log10(min(costs))), max(ceil(log10(max(costs))), floor(log10(min(costs))) + 1))

    def drawn(self) -> Iterator[str]:
        yield from self._axes()
        lowest = float("-inf")
        for label, (colour, points) in sorted(self._lines.items(), key=_last_cost, reverse=True):
            places = [(self._across(people), self._down(cost)) for people, cost in sorted(points.items())]
            for one, other in pairwise(places):
                yield (
                    f'<path class="line" stroke="{colour}" d="M{one[0]:.1f} {one[1]:.1f}L{other[0]:.1f} {other[1]:.1f}"/>'
                )
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places)
            x, y = places[-1]
            lowest = y = max(y + 4, lowest + 16)  # labels keep apart
            yield f'<text x="{x + 10:.1f}" y="{y:.1f}" style="fill:{colour}">{escape(label)}</text>'

    def _axes(self) -> Iterator[str]:
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        for power in range(self._y[0], self._y[1] + 1):
            y = self._down(10.0**power)
            yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>'
            yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_cost(power)}</text>'
        for people in self._sizes:
            x = self._across(people)
            yield f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>'
            yield f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{people:,}</text>'
        middle = (_LEFT + right) / 2
        yield f'<text x="{middle}" y="{bottom + 44}" text-anchor="middle">people in the workspace</text>'
        yield f'<text x="{_LEFT - 50}" y="{_TOP - 12}">time until exact</text>'

    def _across(self, people: float) -> float:
        low, high = self._x
        return _LEFT + (log10(people) - low) / (high - low) * (_WIDTH - _RIGHT - _LEFT)

    def _down(self, cost: float) -> float:
        low, high = self._y
        return _HEIGHT - _BOTTOM - (log10(cost) - low) / (high - low) * (_HEIGHT - _BOTTOM - _TOP)


def _last_cost(line: tuple[str, tuple[str, Points]]) -> float:
    points = line[1][1]
    return points[max(points)]


def _cost(power: int) -> str:
    return f"{10.0**power:g} ms" if power < 3 else f"{10 ** (power - 3):,} s"
