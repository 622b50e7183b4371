"""Draws how many requests per second each server answered, as an SVG that is readable on light and dark pages.

Each question is a row, and each server a mark of its own colour and shape. The axis is logarithmic, because the servers differ by much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final

from benchmarks.reads.results import Asked

_COLOURS: Final = ("#1c7ed6", "#e8590c", "#2f9e44", "#ae3ec9")
_SHAPES: Final = ("M-6-6H6V6H-6Z", "M0-8L8 0L0 8L-8 0Z", "M0-8L8 6H-8Z", "M0 8L8-6H-8Z")
"""A square, a diamond, and triangles that point up and down."""
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BOTTOM = 860, 410, 30, 56, 40, 50
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#333}.grid{stroke:#8884;stroke-width:1}.span{stroke:#8888;stroke-width:2}"
    "@media (prefers-color-scheme:dark){text{fill:#ddd}}"
)


def svg(asked: Sequence[Asked]) -> str:
    """The picture of these questions, in their order."""
    height = _TOP + _ROW * len(asked) + _BOTTOM
    title = "Requests per second of each server and question, on a logarithmic axis"
    drawn = "\n".join([f"<style>{_STYLE}</style>", *_Plane(asked).drawn()])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{title}">'
        f"\n<title>{title}</title>\n{drawn}\n</svg>\n"
    )


class _Plane:
    """The rows and the axis, and the positions of marks on them."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self._asked = asked
        self._servers = list(asked[0].rounds)
        values = [one.per_second for it in asked for one in it.middles.values()]
        self._low = floor(log10(min(values)))
        self._high = max(ceil(log10(max(values))), self._low + 1)
        self._bottom = _TOP + _ROW * len(asked)

    def drawn(self) -> Iterator[str]:
        yield from self._legend()
        yield from self._axis()
        for number, it in enumerate(self._asked):
            y = _TOP + _ROW * (number + 0.5)
            yield f'<text x="12" y="{y + 4:.1f}">{escape(it.key)}</text>'
            yield f'<text x="44" y="{y + 4:.1f}">{escape(it.about)}</text>'
            places = [self._across(one.per_second) for one in it.middles.values()]
            yield f'<path class="span" d="M{min(places):.1f} {y:.1f}H{max(places):.1f}"/>'
            yield from (_mark(which, x, y) for which, x in enumerate(places))

    def _legend(self) -> Iterator[str]:
        x = 20.0
        for which, server in enumerate(self._servers):
            yield _mark(which, x, 22)
            yield f'<text x="{x + 14:.1f}" y="26">{escape(server)}</text>'
            x += 44 + 7.5 * len(server)

    def _axis(self) -> Iterator[str]:
        for power in range(self._low, self._high + 1):
            x = self._across(10.0**power)
            yield f'<path class="grid" d="M{x:.1f} {_TOP}V{self._bottom}"/>'
            yield f'<text x="{x:.1f}" y="{self._bottom + 20}" text-anchor="middle">{10**power:,}</text>'
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        yield f'<text x="{middle:.1f}" y="{self._bottom + 40}" text-anchor="middle">requests per second (more is better)</text>'

    def _across(self, per_second: float) -> float:
        share = (log10(per_second) - self._low) / (self._high - self._low)
        return _LEFT + share * (_WIDTH - _RIGHT - _LEFT)


def _mark(which: int, x: float, y: float) -> str:
    return f'<path transform="translate({x:.1f} {y:.1f})" fill="{_COLOURS[which]}" d="{_SHAPES[which]}"/>'
