"""Welch's interval for the difference of two means, and the distribution that it needs: Student's t."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import exp, lgamma, log, log1p, sqrt
from typing import Final

from audience_gql.audience.insights.statistics.proportions import CONFIDENCE, Interval

_STEPS: Final = 500
_PRECISION: Final = 1e-16
_TINY: Final = 1e-300
_LARGEST: Final = 13.0
"""Above the 97.5 % quantile of Student's t with one degree of freedom, which is the largest one that is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """One value for each of some people, as exact sums."""

    people: int
    total: Fraction
    squares: Fraction
    """The sum of the squares of the values."""

    @property
    def mean(self) -> Fraction:
        return self.total / self.people

    @property
    def error(self) -> Fraction:
        """The estimated variance of the mean. There are at least two people."""
        deviations = self.squares - self.total * self.total / self.people
        return deviations / (self.people - 1) / self.people


def welch(*, a: Values, b: Values) -> Interval | None:
    """Welch's 95 % interval for the difference b - a of two means whose variances may differ (Welch 1947, Biometrika 34:28-35).

    None if a side has fewer than two people, or if a result is too large for a double.
    """
    if min(a.people, b.people) < 2:  # noqa: PLR2004  # one value has no variance
        return None
    error = a.error + b.error
    try:
        difference = float(b.mean - a.mean)
        if error == 0:
            return Interval(difference, difference)
        freedom = error**2 / (a.error**2 / (a.people - 1) + b.error**2 / (b.people - 1))
        reach = student_quantile(float(freedom)) * sqrt(error)
    except OverflowError:
        return None
    return Interval(difference - reach, difference + reach)


def student_quantile(freedom: float) -> float:
    """How far from 0 the middle 95 % of Student's t distribution reach. `freedom` is at least 1."""
    low, high = 0.0, _LARGEST
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        outside = incomplete_beta(freedom / 2, 0.5, freedom / (freedom + middle**2))
        low, high = (middle, high) if outside > 1 - CONFIDENCE else (low, middle)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for x in (0, 1]."""
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # here the fraction converges slowly
        return 1 - _fraction(b, a, 1 - x)
    return _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """I_x(a, b) as a continued fraction (DLMF 8.17.22), evaluated by the method of Lentz."""
    front = exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b)) / a
    upper, lower, value = 1.0, 0.0, 1.0
    for step in range(1, _STEPS):
        term = _term(a, b, x, step)
        lower = 1 / ((1 + term * lower) or _TINY)
        upper = (1 + term / upper) or _TINY
        value *= upper * lower
        if abs(1 - upper * lower) < _PRECISION:
            break
    return front / value


def _term(a: float, b: float, x: float, step: int) -> float:
    half = step // 2
    if step % 2:
        return -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
    return half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
