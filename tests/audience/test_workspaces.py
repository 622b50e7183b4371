"""A workspace's time zone: what day it is for those who have none of their own."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.failures import InvalidInput
from audience_gql.audience.workspaces import change_timezone
from audience_gql.conditions.vocabulary import PLAIN_IDS

EVENING = datetime(2026, 3, 1, 21, 30, tzinfo=UTC)  # 1 March in UTC, 2 March in Kathmandu
BORN = date(1990, 3, 2)


async def test_a_changed_zone_moves_those_without_one(house):
    house.clock.instant = EVENING
    await house.upsert(
        {"externalId": "anywhere", "birthday": BORN},
        {"externalId": "at home", "birthday": BORN, "timezone": "UTC"},
    )
    today = await house.segment("Birthday", {"birthday": {"anniversaryInLast": {"days": 1}}})
    readers = await house.segment("Readers", {"not": {"segment": {"anyOf": [str(today.id)]}}})
    untouched = await house.segment("Opened", {"event": {"name": "opened"}})
    generation = untouched.generation
    assert (await house.members(today), await house.members(readers)) == (set(), {"anywhere", "at home"})

    await change_timezone(ports=house.ports, workspace=house.workspace, timezone="Asia/Kathmandu")
    await house.fill()

    assert (await house.members(today), await house.members(readers)) == ({"anywhere"}, {"at home"})
    await untouched.refresh_from_db()
    assert untouched.generation == generation


async def test_a_tick_after_the_change_knows_the_new_zone(house):
    house.clock.instant = EVENING
    today = await house.segment("Birthday", {"birthday": {"anniversaryInLast": {"days": 1}}})
    await house.upsert({"externalId": "before", "birthday": BORN})
    await house.tick()
    await change_timezone(ports=house.ports, workspace=house.workspace, timezone="Asia/Kathmandu")
    await house.fill()

    await house.upsert({"externalId": "after", "birthday": BORN})
    await house.tick()

    assert await house.members(today) == {"before", "after"}


async def test_a_changed_zone_of_a_person_moves_her(house):
    house.clock.instant = EVENING
    today = await house.segment("Birthday", {"birthday": {"anniversaryInLast": {"days": 1}}})
    await house.upsert({"externalId": "traveller", "birthday": BORN})
    await house.tick()
    assert await house.members(today) == set()

    await house.upsert({"externalId": "traveller", "timezone": "Asia/Kathmandu"})
    await house.tick()

    assert await house.members(today) == {"traveller"}


async def test_an_unknown_zone_is_refused_and_changes_nothing(house):
    segment = await create_segment(
        ports=house.ports,
        workspace=house.workspace,
        name="Adults",
        description=None,
        condition={"age": {"gte": 18}},
        ids=PLAIN_IDS,
    )

    with pytest.raises(InvalidInput) as refused:
        await change_timezone(ports=house.ports, workspace=house.workspace, timezone="Mars/Olympus")

    assert refused.value.issues[0].code == "UNKNOWN"
    await house.workspace.refresh_from_db()
    await segment.refresh_from_db()
    assert (house.workspace.timezone, segment.generation) == ("UTC", 1)
