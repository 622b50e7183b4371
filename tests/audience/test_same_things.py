"""`perProperty` on the simulated clock: somebody leaves when an event of the counted value grows old, although newer events have other values."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audience_gql.conditions.kinds.event import EventCount
from tests.audience.conftest import House

TWICE = {"name": "bought", "times": {"atLeast": 2}, "perProperty": "sku", "within": {"last": {"days": 10}}}


async def exits(house: House) -> list[timedelta]:
    """How long after the oldest event somebody leaves who bought a, a, b and c, a day apart."""
    await house.upsert({"externalId": "ada"})
    begun = house.clock.instant
    for sku in ("a", "a", "b", "c"):
        await house.track("ada", "bought", properties={"sku": sku})
        house.clock.advance(timedelta(days=1))
    segment = await house.segment("twice the same", {"event": TWICE})
    assert await house.members(segment) == {"ada"}
    left: list[timedelta] = []
    due = (await house.tick()).next_due_at
    while due is not None:
        house.clock.instant = due
        due = (await house.tick()).next_due_at
        if not left and not await house.members(segment):
            left.append(house.clock.instant - begun)
    return left


async def test_they_leave_with_the_first_of_the_two(house: House) -> None:
    assert await exits(house) == [timedelta(days=10)]


async def test_a_planted_bug_is_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two newest events of all values do not say which event of one value leaves."""
    monkeypatch.setattr(
        EventCount,
        "edges",
        lambda self, vocabulary: self.events.edges(vocabulary, newest=self._count.same_from),
    )

    assert await exits(house) != [timedelta(days=10)]
