"""An erased person leaves every list, which the log says, and nothing of them stays but their random id there."""

from __future__ import annotations

from datetime import date

import pytest

from audience_gql.audience.definitions.groups import add_to_group
from audience_gql.audience.failures import NotFound
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey

ADA = SubscriberKey(kind="externalId", value="ada")
OPENED = {"event": {"name": "opened", "within": {"last": {"minutes": 5}}}}
TABLES = (
    "channel_states",
    "subscriber_dates",
    "group_members",
    "events",
    "event_keys",
    "segment_members",
    "dirty",
)


async def erase(house, key: SubscriberKey = ADA):
    return await erase_subscriber(ports=house.ports, workspace=house.workspace, subscriber=key)


async def logged(house) -> list[tuple[str, bool]]:
    rows = await house.ports.database.fetch(
        "SELECT list_kind, entered FROM membership_changes WHERE bucket_id = $1 ORDER BY sequence",
        house.bucket_id,
    )
    return [(row["list_kind"], row["entered"]) for row in rows]


async def join(house, group) -> None:
    await add_to_group(ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[ADA])


async def everything(house):
    """Ada has something in every table, and is in a group and in a segment."""
    group = await house.group("Friends")
    await house.upsert(
        {
            "externalId": "ada",
            "email": "ada@example.com",
            "birthday": date(1990, 1, 1),
            "channels": [{"channel": "SMS", "status": "ACTIVE"}],
        },
        {"externalId": "bob"},
    )
    segment = await house.segment("Opened", OPENED)
    await join(house, group)
    await house.track("ada", "opened", occurred_at=house.clock.instant, key="1")
    await house.tick()
    return group, segment


async def test_she_leaves_her_lists_and_nothing_of_her_stays(house):
    _, segment = await everything(house)
    assert await house.members(segment) == {"ada"}
    await house.track("ada", "clicked", occurred_at=house.clock.instant)

    ref = await erase(house)

    assert sorted((await logged(house))[-2:]) == [("GROUP", False), ("SEGMENT", False)]
    for table in TABLES:
        left = await house.ports.database.fetchval(
            f"SELECT count(*) FROM {table} WHERE bucket_id = $1 AND subscriber_id = $2",
            ref.bucket_id,
            ref.id,
        )
        assert left == 0, table
    counted = await house.ports.database.fetch(
        "SELECT members FROM segment_states WHERE bucket_id = $1 UNION ALL "
        "SELECT members FROM group_states WHERE bucket_id = $1",
        house.bucket_id,
    )
    assert [row["members"] for row in counted] == [0, 0]
    assert (await house.tick()).changes == 0


async def test_her_keys_are_free_and_lead_to_somebody_new(house):
    _, segment = await everything(house)
    before = await erase(house)

    upserted = await house.upsert({"externalId": "ada", "email": "ada@example.com"})
    await house.tick()

    (after,) = upserted.subscribers
    assert upserted.created == 1
    assert after.id != before.id
    assert await house.members(segment) == set()


async def test_a_group_that_no_tick_has_logged_yet_is_not_left(house):
    group = await house.group("Friends")
    await house.upsert({"externalId": "ada"})
    await house.tick()
    await join(house, group)

    await erase(house)
    await house.tick()

    assert await logged(house) == []


async def test_what_is_due_is_not_forgotten_over_an_erasure(house):
    _, segment = await everything(house)
    await house.track("bob", "opened", occurred_at=house.clock.instant)
    await house.tick()
    house.clock.instant = house.clock.instant.replace(minute=house.clock.instant.minute + 6)

    await erase(house)
    await house.tick()

    assert await house.members(segment) == set()
    assert (await house.log())[-1] == ("bob", False, "CLOCK")


async def test_nobody_is_erased_twice(house):
    await everything(house)
    await erase(house)

    with pytest.raises(NotFound):
        await erase(house)
    with pytest.raises(NotFound):
        await erase(house, SubscriberKey(kind="externalId", value="nobody"))
