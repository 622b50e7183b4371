"""Whether two sides of an experiment have as many people as they should."""

from __future__ import annotations

from math import erfc, sqrt


def ratio_p_value(*, people_of_a: int, people_of_b: int, expected_share_of_a: float) -> float:
    """The p value of the χ² test, with one degree of freedom, that a has this share of the people of a and b.

    There is at least one person, and the share is neither 0 nor 1.
    """
    people = people_of_a + people_of_b
    expected_of_a, expected_of_b = people * expected_share_of_a, people * (1 - expected_share_of_a)
    away = (people_of_a - expected_of_a) ** 2 / expected_of_a + (
        people_of_b - expected_of_b
    ) ** 2 / expected_of_b
    return erfc(sqrt(away / 2))
