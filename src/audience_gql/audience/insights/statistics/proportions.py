"""Intervals for the share of people who convert, and for the difference of two shares, for people who look once."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt
from statistics import NormalDist
from typing import Final

CONFIDENCE: Final = 0.95
_Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Interval:
    """The values from `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of some people converted. There is at least one person."""

    converted: int
    people: int

    @property
    def rate(self) -> float:
        return self.converted / self.people


def wilson(*, share: Share) -> Interval:
    """Wilson's 95 % interval for the probability that a person converts (Wilson 1927, J. Am. Stat. Assoc. 22:209-212)."""
    rate, people = share.rate, share.people
    middle = rate + _Z**2 / (2 * people)
    reach = _Z * sqrt(rate * (1 - rate) / people + _Z**2 / (4 * people**2))
    whole = 1 + _Z**2 / people
    low = 0.0 if share.converted == 0 else (middle - reach) / whole
    high = 1.0 if share.converted == people else (middle + reach) / whole
    return Interval(low, high)


def newcombe(*, a: Share, b: Share) -> Interval:
    """Newcombe's hybrid score 95 % interval for the difference b - a of two independent probabilities.

    It is method 10 of Newcombe 1998, Statistics in Medicine 17:873-890.
    """
    difference = b.rate - a.rate
    of_a, of_b = wilson(share=a), wilson(share=b)
    return Interval(
        difference - hypot(b.rate - of_b.low, of_a.high - a.rate),
        difference + hypot(of_b.high - b.rate, a.rate - of_a.low),
    )
