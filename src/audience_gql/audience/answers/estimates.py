"""From a share of the people to all of them: how many there are likely to be, and how far off that can be.

Pure arithmetic. The people counted must be a random share: whoever was left out was so regardless of the condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

_Z: Final = 1.959964
"""So many standard deviations on either side hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of people, and half the width of the interval around it that holds the true one in 95 % of cases."""

    count: int
    margin: int


def estimate(*, matched: int, seen: int, people: int) -> Estimate:
    """How many of all `people` match, when `matched` of the `seen` ones do. Exact when everybody was seen."""
    if seen == people:
        return Estimate(matched, 0)
    if seen == 0:
        return Estimate(0, people)
    count = scaled(matched, seen=seen, people=people)
    low, high = _interval(matched, seen, people)
    least, most = max(low * people, matched), min(high * people, people - (seen - matched))
    return Estimate(count, max(1, ceil(count - least), ceil(most - count)))


def scaled(matched: int, *, seen: int, people: int) -> int:
    """What a count among the people seen comes to among all."""
    return round(matched * people / seen) if seen else 0


def _interval(matched: int, seen: int, people: int) -> tuple[float, float]:
    """Wilson's score interval of the share, with half a person's correction for whole numbers.

    A sample of a finite audience says more the less of it was left out: as much as a larger one of an endless one.
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
