"""An interval for the difference of two rates that stays valid however often people look at it, and whenever they stop.

Each side is a sequence of people who convert or do not. Suppose that each next person of a side converts with the probability p, whatever
the people before them did. Then this ratio is a martingale that begins at 1, because it divides two likelihoods of what was seen:

    M(p) = B(r·p + converted, r·(1 - p) + people - converted) / (B(r·p, r·(1 - p)) · p^converted · (1 - p)^(people - converted))

It is the two-sided beta-binomial mixture of Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic
confidence sequences", Annals of Statistics 49(2), 2021 (arXiv 1810.08240), Proposition 7 with equations (56) and (57), for a Bernoulli
variable: the mixing distribution is Beta with the mean p and the weight of r people. If the two sides are independent, M_a(p_a) · M_b(p_b)
is such a martingale too, however the people of the two sides alternate. By Ville's inequality, it ever reaches 1/0.05 = 20 with a probability of at
most 5 %. So with a probability of 95 %, the true pair (p_a, p_b) is at all times among the pairs whose product is below 20, and the
true difference is within the differences of these pairs. No approximation is involved, so this also holds for few people.

The guarantee is about people who come one after the other and whose outcomes are settled when they are counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import lgamma, log
from typing import Final

from audience_gql.audience.insights.statistics.proportions import CONFIDENCE, Interval, Share

WEIGHT: Final = 200
"""r, in people. The interval is narrowest in relation to Newcombe's for some times as many people a side."""
_LIMIT: Final = -log(1 - CONFIDENCE)
_EDGE: Final = 1e-12
"""The smallest probability that is tried. What holds there counts for everything down to 0."""
_HALVINGS: Final = 60
_GOLDEN: Final = (5**0.5 - 1) / 2
_CUTS: Final = 48


def anytime(*, a: Share, b: Share) -> Interval:
    """The 95 % interval for the difference b - a that holds for all looks together."""
    mirrored = anytime_high(a=b, b=a)
    return Interval(-mirrored, anytime_high(a=a, b=b))


def anytime_high(*, a: Share, b: Share) -> float:
    """The largest difference p_b - p_a among the pairs that are not excluded.

    What one side uses of the limit, the other one does not have. The best division is found by cutting in the golden ratio.
    """
    of_a, of_b = _Evidence(a), _Evidence(b)

    def difference(left_to_a: float) -> float:
        return of_b.bound(_LIMIT - left_to_a, is_upper=True) - of_a.bound(left_to_a, is_upper=False)

    return difference(_peak(difference, of_a.least, _LIMIT - of_b.least))


def log_martingale(share: Share, probability: float) -> float:
    """The logarithm of M for this probability, which is neither 0 nor 1."""
    successes, failures = share.converted, share.people - share.converted
    prior_yes, prior_no = WEIGHT * probability, WEIGHT * (1 - probability)
    mixture = _log_beta(prior_yes + successes, prior_no + failures) - _log_beta(prior_yes, prior_no)
    return mixture - successes * log(probability) - failures * log(1 - probability)


@dataclass(slots=True)
class _Evidence:
    """What one side says about its probability. M falls up to one point, close to the observed rate, and grows after it."""

    share: Share
    middle: float = field(init=False)
    least: float = field(init=False)
    """The smallest log M, at `middle`."""

    def __post_init__(self) -> None:
        self.middle = _peak(lambda it: -log_martingale(self.share, it), _EDGE, 1 - _EDGE)
        self.least = log_martingale(self.share, self.middle)

    def bound(self, limit: float, *, is_upper: bool) -> float:
        """The probability farthest from `middle` whose log M is at most `limit`."""
        end = 1 - _EDGE if is_upper else _EDGE
        if log_martingale(self.share, end) <= limit:
            return 1.0 if is_upper else 0.0
        inside, outside = self.middle, end
        for _ in range(_HALVINGS):
            between = (inside + outside) / 2
            if log_martingale(self.share, between) <= limit:
                inside = between
            else:
                outside = between
        return outside


def _peak(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one peak between two points is largest."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(_CUTS):
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    return left if at_left >= at_right else right


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
