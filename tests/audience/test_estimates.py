"""The margin of an estimate holds the truth in 95 % of all samples, however small the audience, the sample or the share."""

from __future__ import annotations

from math import comb

import pytest

from audience_gql.audience.answers.estimates import Estimate, estimate, scaled


@pytest.mark.parametrize(
    ("people", "seen"),
    [(20, 5), (100, 5), (100, 20), (100, 50), (100, 90), (300, 10), (300, 60), (300, 299), (1000, 3), (1000, 100)],
)  # fmt: skip
def test_every_share_is_covered_by_the_exact_probability(people, seen):
    """No draws: every possible sample, weighed by how often it is drawn."""
    estimates = [estimate(matched=matched, seen=seen, people=people) for matched in range(seen + 1)]

    coverage = [
        sum(
            comb(matching, matched) * comb(people - matching, seen - matched)
            for matched, found in enumerate(estimates)
            if abs(matching - found.count) <= found.margin
        )
        / comb(people, seen)
        for matching in range(people + 1)
    ]

    assert min(coverage) >= 0.95


@pytest.mark.parametrize(("people", "seen"), [(1_000_000, 15_625), (1_000_000, 400_000), (40_000, 625)])
def test_the_margin_is_no_wider_than_it_must_be(people, seen):
    """Near the textbook's two standard errors where the sample is large."""
    found = estimate(matched=seen // 2, seen=seen, people=people)

    textbook = 1.96 * people * (0.25 / seen * (people - seen) / people) ** 0.5
    assert textbook <= found.margin <= 1.02 * textbook + people / seen


def test_everybody_seen_is_exact():
    assert estimate(matched=3, seen=10, people=10) == Estimate(3, 0)
    assert estimate(matched=0, seen=0, people=0) == Estimate(0, 0)


def test_none_found_in_a_share_is_not_none_at_all():
    found = estimate(matched=0, seen=1000, people=64_000)

    assert found.count == 0
    assert 64_000 * 0.003 < found.margin < 64_000 * 0.006  # about three in a thousand: the rule of three


def test_all_found_in_a_share_is_not_all():
    found = estimate(matched=1000, seen=1000, people=64_000)

    assert found.count == 64_000
    assert 64_000 * 0.003 < found.margin < 64_000 * 0.006


def test_nobody_seen_says_nothing():
    assert estimate(matched=0, seen=0, people=7_000) == Estimate(0, 7_000)


def test_a_count_of_the_share_is_scaled_to_all():
    assert scaled(3, seen=10, people=1000) == 300
    assert scaled(0, seen=0, people=1000) == 0
