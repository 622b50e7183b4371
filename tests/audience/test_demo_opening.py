"""The demo's shop at the start of the replay: what happened in the last minutes, and what the clock does next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest

from audience_gql.audience.acting.actor import Actor
from audience_gql.demo import opening
from audience_gql.storage.acting.models import Automation
from audience_gql.storage.orm.models import Group, Segment

pytestmark = pytest.mark.slow


@pytest.fixture
async def shop(house):
    """A workspace with the customers who buy about now, without their earlier purchases."""
    house.clock.instant = now = datetime.now(UTC)
    rhythm = await opening.rhythm_of(house.workspace)
    soon = takewhile(lambda it: it.at < now + timedelta(minutes=5), rhythm.since(now - timedelta(minutes=6)))
    await house.upsert(
        *({"externalId": name} for name in {replayed.purchase.customer_id for replayed in soon})
    )
    return house


async def caught_up(shop) -> None:
    while not (ticked := await shop.membership.tick(shop.bucket_id)) or not ticked.is_drained:
        continue
    await Actor(shop.ports).act(shop.bucket_id)


async def count(shop, query: str, *values: object) -> int:
    return await shop.ports.database.fetchval(query, shop.bucket_id, *values)


async def test_the_clock_moves_people_from_the_first_second_on(shop):
    before = datetime.now(UTC)

    await opening.open_shop(ports=shop.ports, workspace=shop.workspace)

    segment = await Segment.get(workspace_id=shop.workspace.id, name=opening.RECENT)
    group = await Group.get(workspace_id=shop.workspace.id, name=opening.THANKS)
    shop.clock.instant = datetime.now(UTC)
    await shop.membership.fill(shop.bucket_id, segment.id)
    await caught_up(shop)
    ages = [
        before - row["occurred_at"]
        for row in await shop.ports.database.fetch(
            "SELECT occurred_at FROM events WHERE bucket_id = $1", shop.bucket_id
        )
    ]
    members = "SELECT count(*) FROM segment_members WHERE bucket_id = $1 AND segment_id = $2"
    thanked = "SELECT count(*) FROM group_members WHERE bucket_id = $1 AND group_id = $2"
    at_first = await count(shop, members, segment.id)
    assert 50 < len(ages) < 1_000
    assert timedelta(seconds=-5) < min(ages) < max(ages) < timedelta(minutes=5)
    assert 0 < at_first <= len(ages)
    assert await count(shop, thanked, group.id) == at_first

    shop.clock.advance(timedelta(minutes=1))
    await caught_up(shop)

    after_a_minute = await count(shop, members, segment.id)
    assert 0 < after_a_minute < at_first
    by_clock = (
        "SELECT count(*) FROM membership_changes WHERE bucket_id = $1 AND list_id = $2 AND cause = 'CLOCK'"
    )
    assert await count(shop, by_clock, segment.id) == at_first - after_a_minute


async def test_opening_again_adds_nothing_twice(shop):
    await opening.open_shop(ports=shop.ports, workspace=shop.workspace)
    events = "SELECT count(*) FROM events WHERE bucket_id = $1"
    once = await count(shop, events)

    await opening.open_shop(ports=shop.ports, workspace=shop.workspace)

    assert 0 <= await count(shop, events) - once < 60  # the seconds between the two
    assert await Segment.filter(workspace_id=shop.workspace.id).count() == 1
    assert await Automation.filter(workspace_id=shop.workspace.id).count() == 1
