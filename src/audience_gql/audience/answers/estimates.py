"""Estimates how many people match from a share of them, with a margin of error.

Pure arithmetic. The people seen must be a random share: the condition must have no influence on who was left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

_Z: Final = 1.959964
"""95 % of a normal distribution lie within this many standard deviations of the mean."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of people. `margin` is half the width of the interval around it that holds the true number in 95 % of cases."""

    count: int
    margin: int


def estimate(*, matched: int, seen: int, people: int) -> Estimate:
    """How many of all `people` match if `matched` of the `seen` people do. Exact if everybody was seen."""
    if seen == people:
        return Estimate(matched, 0)
    if seen == 0:
        return Estimate(0, people)
    count = scaled(matched, seen=seen, people=people)
    low, high = _interval(matched, seen, people)
    least, most = max(low * people, matched), min(high * people, people - (seen - matched))
    return Estimate(count, max(1, ceil(count - least), ceil(most - count)))


def scaled(matched: int, *, seen: int, people: int) -> int:
    """Scales a count among the people seen to all people."""
    return round(matched * people / seen) if seen else 0


def _interval(matched: int, seen: int, people: int) -> tuple[float, float]:
    """Wilson's score interval of the share, with a continuity correction of half a person.

    `worth` is a finite population correction: the sample is worth as much as a sample of this size from an infinite audience.
    """
    worth = seen * (people - 1) / (people - seen)
    half = 0.5 / seen
    low = _bound(max(matched / seen - half, 0.0), worth, -1)
    high = _bound(min(matched / seen + half, 1.0), worth, 1)
    return (0.0 if matched == 0 else low), (1.0 if matched == seen else high)


def _bound(share: float, worth: float, side: int) -> float:
    square = _Z * _Z
    spread = _Z * sqrt(share * (1 - share) / worth + square / (4 * worth * worth))
    return (share + square / (2 * worth) + side * spread) / (1 + square / worth)
