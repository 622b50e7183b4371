"""The replay's rhythm: the log's busy and quiet days at one purchase a second, by the clock alone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest

from audience_gql.demo.cdnow import PURCHASES, purchases
from audience_gql.demo.rhythm import Rhythm

START = datetime(2026, 5, 17, 9, 30, tzinfo=UTC)
ROUND = timedelta(seconds=PURCHASES)


@pytest.fixture(scope="module")
def rhythm():
    return Rhythm(purchases(), START)


@pytest.mark.slow
def test_a_round_has_every_purchase_once_and_takes_a_second_for_each(rhythm):
    played = list(islice(rhythm.since(START), PURCHASES))

    assert Counter(replayed.purchase.line for replayed in played) == Counter(range(1, PURCHASES + 1))
    assert played[0].at >= START
    assert played[-1].at < START + ROUND


@pytest.mark.slow
def test_it_goes_forward_and_as_unevenly_as_customers_do(rhythm):
    played = list(islice(rhythm.since(START), 5_000))
    gaps = [(after.at - before.at).total_seconds() for before, after in pairwise(played)]

    assert min(gaps) >= 0
    assert 0.7 < sum(gaps) / len(gaps) < 1.4
    assert max(gaps) > 4


@pytest.mark.slow
def test_busy_days_are_busy_again(rhythm):
    """The purchases of a day come as closely as the day's share of its month says."""
    sold = Counter(
        purchase.day for purchase in purchases() if (purchase.day.year, purchase.day.month) == (1998, 3)
    )
    busiest, quietest = max(sold, key=sold.__getitem__), min(sold, key=sold.__getitem__)
    played = [
        replayed
        for replayed in islice(rhythm.since(START), PURCHASES)
        if replayed.purchase.day in (busiest, quietest)
    ]

    def a_second(day):
        instants = [replayed.at for replayed in played if replayed.purchase.day == day]
        return len(instants) / (instants[-1] - instants[0]).total_seconds()

    assert a_second(busiest) > 1.3 * a_second(quietest)


def test_who_comes_back_later_hears_what_is_due_then(rhythm):
    later = START + timedelta(seconds=1_000)

    assert next(rhythm.since(later)) == next(r for r in rhythm.since(START) if r.at >= later)


def test_before_the_first_start_there_was_a_round_too(rhythm):
    played = list(islice(rhythm.since(START - timedelta(minutes=5)), 1_000))

    assert START - timedelta(minutes=5) <= played[0].at < START - timedelta(minutes=4)
    assert {replayed.key for replayed in played if replayed.at < START} == {
        f"replay--1-{replayed.purchase.line}" for replayed in played if replayed.at < START
    }
    assert next(replayed for replayed in played if replayed.at >= START) == next(rhythm.since(START))


def test_every_round_has_keys_of_its_own(rhythm):
    near_the_end = START + ROUND - timedelta(seconds=30)

    played = list(islice(rhythm.since(near_the_end), 100))

    assert len({replayed.key for replayed in played}) == 100
    assert {replayed.key.split("-")[1] for replayed in played} == {"0", "1"}
    assert all(before.at <= after.at for before, after in pairwise(played))
