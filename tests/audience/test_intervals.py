"""The statistics of experiments: intervals equal those of statsmodels and scipy, and the anytime interval keeps its promise under daily looks."""

from __future__ import annotations

import random
from fractions import Fraction
from math import isclose, log
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.weightstats import CompareMeans

from audience_gql.audience.insights.statistics.anytime import WEIGHT, anytime, log_martingale
from audience_gql.audience.insights.statistics.means import Values, incomplete_beta, student_quantile, welch
from audience_gql.audience.insights.statistics.proportions import Interval, Share, newcombe, wilson
from audience_gql.audience.insights.statistics.ratios import ratio_p_value

Numbers: TypeAlias = NDArray[np.float64]
TABLES = 200
EXPERIMENTS = 10_000
LOOKS = 30
A_DAY = 40
"""How many people join each side of a simulated experiment on a day."""
RATE = 0.1


def shares(chance: random.Random, count: int) -> list[Share]:
    """Some small and some large, with rates of every size, also 0 and 1."""
    found = []
    for _ in range(count):
        people = round(10 ** chance.uniform(0, 6))
        rate = chance.choice((chance.random(), chance.random() ** 4, 0.0, 1.0))
        found.append(Share(converted=round(rate * people), people=people))
    return found


def close(found: Interval, low: float, high: float, *, within: float = 1e-9) -> bool:
    return isclose(found.low, low, rel_tol=within, abs_tol=within) and isclose(
        found.high, high, rel_tol=within, abs_tol=within
    )


# ---- against statsmodels and scipy


def test_wilson_equals_statsmodels():
    for share in shares(random.Random(1), TABLES):
        expected = proportion_confint(share.converted, share.people, method="wilson")

        assert close(wilson(share=share), *expected, within=1e-12), share


def test_newcombe_equals_statsmodels():
    drawn = shares(random.Random(2), 2 * TABLES)
    for a, b in zip(drawn[::2], drawn[1::2], strict=True):
        low, high = confint_proportions_2indep(
            b.converted, b.people, a.converted, a.people, method="newcomb", compare="diff"
        )

        assert close(newcombe(a=a, b=b), low, high, within=1e-12), (a, b)


def test_newcombe_equals_the_example_of_its_paper():
    """Newcombe 1998, table II, 56/70 - 48/80: 0.0524 to 0.3339."""
    found = newcombe(a=Share(converted=48, people=80), b=Share(converted=56, people=70))

    assert close(found, 0.0524, 0.3339, within=5e-5)


def test_welch_equals_statsmodels():
    chance = np.random.default_rng(3)
    for _ in range(TABLES):
        sizes = (10 ** chance.uniform(0.31, 3.5, 2)).astype(int)
        scales = 10 ** chance.uniform(-3, 5, 2)
        a, b = (chance.gamma(0.3, scale, size).round(4) for size, scale in zip(sizes, scales, strict=True))
        if not a.any() and not b.any():
            continue
        expected = CompareMeans.from_data(b, a).tconfint_diff(usevar="unequal")

        found = welch(a=values(a), b=values(b))

        assert found is not None
        width = expected[1] - expected[0]
        assert abs(found.low - expected[0]) < 1e-9 * width
        assert abs(found.high - expected[1]) < 1e-9 * width


def values(drawn: Numbers) -> Values:
    exact = [Fraction(value) for value in drawn.tolist()]
    return Values(
        people=len(exact),
        total=sum(exact, Fraction()),
        squares=sum((value * value for value in exact), Fraction()),
    )


def test_welch_of_equal_values_has_no_width_and_of_one_person_is_unknown():
    two, one = (
        Values(people=2, total=Fraction(6), squares=Fraction(18)),
        Values(people=1, total=Fraction(1), squares=Fraction(1)),
    )
    five = Values(people=3, total=Fraction(15), squares=Fraction(75))

    assert welch(a=two, b=five) == Interval(2, 2)
    assert welch(a=two, b=one) is None


def test_welch_of_values_that_no_double_holds_is_unknown():
    huge = Values(people=2, total=Fraction(10**309), squares=Fraction(10**618))

    assert welch(a=huge, b=Values(people=2, total=Fraction(0), squares=Fraction(0))) is None


def test_student_s_quantile_equals_scipy():
    chance = random.Random(4)
    for freedom in (1.0, 2.0, 3.0, *(10 ** chance.uniform(0, 5) for _ in range(TABLES))):
        assert isclose(student_quantile(freedom), stats.t.ppf(0.975, freedom), rel_tol=1e-10), freedom


def test_the_incomplete_beta_function_equals_scipy():
    chance = random.Random(5)
    for _ in range(TABLES):
        a, b, x = 10 ** chance.uniform(-1, 3), 10 ** chance.uniform(-1, 3), chance.random()

        assert isclose(incomplete_beta(a, b, x), special.betainc(a, b, x), rel_tol=1e-9, abs_tol=1e-12)


def test_the_ratio_test_equals_scipy():
    chance = random.Random(6)
    for _ in range(TABLES):
        of_a, of_b, share = chance.randint(0, 500), chance.randint(1, 500), chance.uniform(0.1, 0.9)
        people = of_a + of_b
        expected = stats.chisquare([of_a, of_b], [share * people, (1 - share) * people]).pvalue

        found = ratio_p_value(people_of_a=of_a, people_of_b=of_b, expected_share_of_a=share)

        assert isclose(found, expected, rel_tol=1e-9, abs_tol=1e-300)


# ---- the anytime interval


def log_m(converted: Numbers | float, people: NDArray[np.int_] | float, rate: Numbers) -> Numbers:
    """The logarithm of the martingale, for many sides at a time."""
    prior = special.betaln(WEIGHT * rate, WEIGHT * (1 - rate))
    seen = special.betaln(WEIGHT * rate + converted, WEIGHT * (1 - rate) + people - converted)
    found: Numbers = (
        seen - prior - special.xlogy(converted, rate) - special.xlog1py(people - converted, -rate)
    )
    return found


def test_the_martingale_begins_at_one_and_keeps_its_mean():
    """Over all results of n people, the ratio has the mean 1: that is what the promise rests on."""
    assert log_martingale(Share(converted=0, people=0), 0.3) == 0
    for people, probability in ((1, 0.3), (10, 0.01), (40, 0.5), (300, 0.9)):
        mean = sum(
            np.exp(log_martingale(Share(converted=n, people=people), probability))
            * stats.binom.pmf(n, people, probability)
            for n in range(people + 1)
        )

        assert isclose(mean, 1, rel_tol=1e-9)


def test_the_interval_holds_exactly_the_differences_of_pairs_that_are_not_excluded():
    """A grid of pairs is searched. No pair below the limit lies outside, and some lie near both ends."""
    chance = random.Random(7)
    for _ in range(60):
        a, b = (
            Share(converted=round(chance.random() ** 3 * people), people=people)
            for people in (chance.randint(1, 3_000), chance.randint(1, 3_000))
        )
        a, b = (Share(converted=min(it.converted, it.people), people=it.people) for it in (a, b))
        rates = np.unique(np.concatenate([grid(a), grid(b)]))
        together = log_m(a.converted, a.people, rates)[:, None] + log_m(b.converted, b.people, rates)
        allowed = (rates[None, :] - rates[:, None])[together < log(20)]

        found = anytime(a=a, b=b)

        assert found.low <= allowed.min() <= found.low + 0.03
        assert found.high - 0.03 <= allowed.max() <= found.high


def grid(share: Share) -> Numbers:
    """Probabilities everywhere, and closer together where they are likely."""
    rate = share.converted / share.people
    near = rate + np.linspace(-8, 8, 201) * np.sqrt((rate * (1 - rate) + 1 / share.people) / share.people)
    every = np.concatenate([near, np.linspace(0, 1, 201), np.logspace(-10, -2, 60)])
    return every[(every > 0) & (every < 1)]


def test_the_sides_can_be_exchanged():
    for a, b in zip(*(shares(random.Random(seed), 30) for seed in (8, 9)), strict=True):
        found, mirrored = anytime(a=a, b=b), anytime(a=b, b=a)

        assert close(found, -mirrored.high, -mirrored.low, within=1e-9)
        assert -1 <= found.low <= b.rate - a.rate <= found.high <= 1


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", ["people join every day", "people convert later"])
def test_daily_looks_find_nothing_where_there_is_nothing(kind):
    """Both sides are alike, and somebody looks on 30 days. The anytime interval is ever wrong in at most 5 % of experiments, the other one far more often.

    That also holds where the promise does not: all people join on the first day, and convert during the month.
    """
    chance = np.random.default_rng(10)
    joining = A_DAY if kind == "people join every day" else 0
    people = np.arange(1, LOOKS + 1) * joining if joining else np.full(LOOKS, A_DAY * LOOKS)
    a, b = (results(chance, joining) for _ in range(2))

    wrong_once, wrong_anytime = excluded_by_newcombe(a, b, people), excluded_anytime(a, b, people)

    for experiment, look in zip(
        chance.integers(0, EXPERIMENTS, 200), chance.integers(0, LOOKS, 200), strict=True
    ):
        one, other = (Share(converted=int(it[experiment, look]), people=int(people[look])) for it in (a, b))
        assert wrong_once[experiment, look] == excludes_nothing(newcombe(a=one, b=other))
        assert wrong_anytime[experiment, look] == excludes_nothing(anytime(a=one, b=other))
    assert wrong_anytime.any(axis=1).mean() <= 0.05
    assert wrong_once.any(axis=1).mean() > 0.2


def results(chance: np.random.Generator, joining: int) -> Numbers:
    """How many people of a side have converted by each look of each experiment."""
    if joining:
        return chance.binomial(joining, RATE, (EXPERIMENTS, LOOKS)).cumsum(axis=1).astype(float)
    days = chance.multinomial(A_DAY * LOOKS, [RATE / LOOKS] * LOOKS + [1 - RATE], EXPERIMENTS)
    return days[:, :LOOKS].cumsum(axis=1).astype(float)


def excludes_nothing(interval: Interval) -> bool:
    """Whether the interval excludes that there is no difference."""
    return interval.low > 0 or interval.high < 0


def excluded_by_newcombe(a: Numbers, b: Numbers, people: NDArray[np.int_]) -> NDArray[np.bool_]:
    z = stats.norm.ppf(0.975)
    bounds = []
    for converted in (a, b):
        rate = converted / people
        middle, whole = rate + z**2 / 2 / people, 1 + z**2 / people
        reach = z * np.sqrt(rate * (1 - rate) / people + z**2 / 4 / people**2)
        bounds.append((rate, (middle - reach) / whole, (middle + reach) / whole))
    (rate_a, low_a, high_a), (rate_b, low_b, high_b) = bounds
    low = rate_b - rate_a - np.hypot(rate_b - low_b, high_a - rate_a)
    high = rate_b - rate_a + np.hypot(high_b - rate_b, rate_a - low_a)
    found: NDArray[np.bool_] = (low > 0) | (high < 0)
    return found


def excluded_anytime(a: Numbers, b: Numbers, people: NDArray[np.int_]) -> NDArray[np.bool_]:
    """Where one common rate is not excluded, the difference 0 is not. The interval itself decides where the rate of both together is."""
    both = np.clip((a + b) / (2 * people), 1e-12, 1 - 1e-12)
    excluded: NDArray[np.bool_] = log_m(a, people, both) + log_m(b, people, both) >= log(20)
    for experiment, look in np.argwhere(excluded):
        one, other = (Share(converted=int(it[experiment, look]), people=int(people[look])) for it in (a, b))
        excluded[experiment, look] = excludes_nothing(anytime(a=one, b=other))
    return excluded
