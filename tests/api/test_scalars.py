"""Instants of the same list are written together, in the same spelling as each alone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest

from audience_gql.api.scalars import instant_texts
from audience_gql.conditions.values import instant_text


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2))])
def test_a_list_of_instants_is_written_as_each_alone(zone):
    chance = random.Random(7)
    first = datetime(1900, 1, 1, tzinfo=UTC)
    instants = [first + timedelta(seconds=chance.randrange(9_467_000_000)) for _ in range(500)]
    instants += [it + timedelta(microseconds=chance.randrange(10**6)) for it in instants]
    instants = [it.astimezone(zone) for it in instants]
    instants += [datetime(2200, 12, 31, 23, 59, 59, 999_999, UTC), datetime(2026, 1, 1, 0, 0, 0, 10, UTC)]

    assert instant_texts([None, *instants]) == [None, *map(instant_text, instants)]
    assert instant_texts([]) == []
