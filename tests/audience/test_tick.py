"""People enter and leave as facts and the clock change, with the reason in the log."""

from __future__ import annotations

from datetime import timedelta

from audience_gql.audience.definitions.groups import add_to_group, remove_from_group
from audience_gql.audience.people.keys import SubscriberKey

LAST_MINUTE = {"event": {"name": "opened", "within": {"last": {"minutes": 1}}}}
MICROSECOND = timedelta(microseconds=1)


async def test_an_event_lets_a_person_in_and_its_age_lets_her_out_at_the_exact_instant(house):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("Opened", LAST_MINUTE)
    await house.track("ada", "opened", occurred_at=house.clock.instant)

    entered = await house.tick()

    assert await house.members(segment) == {"ada"}
    assert entered.next_due_at == house.clock.instant + timedelta(minutes=1)

    house.clock.advance(timedelta(minutes=1) - MICROSECOND)
    assert (await house.tick()).changes == 0
    assert await house.members(segment) == {"ada"}

    house.clock.advance(MICROSECOND)
    assert (await house.tick()).changes == 1
    assert await house.members(segment) == set()
    assert await house.log() == [("ada", True, "EVENT"), ("ada", False, "CLOCK")]


async def test_an_event_of_the_future_counts_from_its_instant_on(house):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("Opened", LAST_MINUTE)
    soon = house.clock.instant + timedelta(seconds=10)
    await house.track("ada", "opened", occurred_at=soon)

    ticked = await house.tick()

    assert await house.members(segment) == set()
    assert ticked.next_due_at == soon

    house.clock.advance(timedelta(seconds=10))
    await house.tick()
    assert await house.members(segment) == {"ada"}
    assert await house.log() == [("ada", True, "CLOCK")]


async def test_a_late_event_counts_where_it_happened(house):
    await house.upsert({"externalId": "ada"}, {"externalId": "bob"})
    segment = await house.segment("Opened", LAST_MINUTE)

    await house.track("ada", "opened", occurred_at=house.clock.instant - timedelta(seconds=59))
    await house.track("bob", "opened", occurred_at=house.clock.instant - timedelta(seconds=60))
    await house.tick()

    assert await house.members(segment) == {"ada"}


async def test_a_nested_segment_follows_in_the_same_tick(house):
    await house.upsert({"externalId": "ada"}, {"externalId": "bob"})
    opened = await house.segment("Opened", LAST_MINUTE)
    inside = await house.segment("Inside", {"segment": {"anyOf": [str(opened.id)]}})
    outside = await house.segment("Outside", {"not": {"segment": {"anyOf": [str(opened.id)]}}})
    assert await house.members(outside) == {"ada", "bob"}
    start = len(await house.log())

    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()

    assert await house.members(inside) == {"ada"}
    assert await house.members(outside) == {"bob"}
    assert sorted(await house.log(since=start)) == [
        ("ada", False, "SEGMENT"),
        ("ada", True, "EVENT"),
        ("ada", True, "SEGMENT"),
    ]


async def test_a_new_person_is_looked_at_by_every_segment(house):
    segment = await house.segment("Nobody opened", {"not": LAST_MINUTE})

    await house.upsert({"externalId": "ada"})
    await house.tick()

    assert await house.members(segment) == {"ada"}
    assert await house.log() == [("ada", True, "SUBSCRIBER")]


async def test_groups_change_the_log_and_the_segments_that_read_them(house):
    await house.upsert({"externalId": "ada"})
    await house.tick()
    group = await house.group("Friends")
    segment = await house.segment("In friends", {"group": {"anyOf": [str(group.id)]}})
    ada = SubscriberKey(kind="externalId", value="ada")

    await add_to_group(ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[ada])
    await house.tick()
    assert await house.members(segment) == {"ada"}

    await remove_from_group(
        ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[ada]
    )
    await house.tick()
    assert await house.members(segment) == set()
    assert await house.log() == [
        ("ada", True, "MANUAL"),
        ("ada", True, "GROUP"),
        ("ada", False, "MANUAL"),
        ("ada", False, "GROUP"),
    ]


async def test_coming_and_going_between_two_ticks_is_no_change(house):
    await house.upsert({"externalId": "ada"})
    await house.tick()
    group = await house.group("Friends")
    ada = SubscriberKey(kind="externalId", value="ada")

    await add_to_group(ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[ada])
    await remove_from_group(
        ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[ada]
    )

    assert (await house.tick()).changes == 0


async def test_the_clock_never_goes_back(house):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("Opened", LAST_MINUTE)
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()
    house.clock.advance(timedelta(minutes=1))
    await house.tick()

    house.clock.advance(timedelta(seconds=-30))
    ticked = await house.tick()

    assert ticked.now == house.clock.instant + timedelta(seconds=30)
    assert await house.members(segment) == set()


async def test_the_log_is_gapless_and_replays_to_the_membership(house):
    people = [f"p{n}" for n in range(30)]
    await house.upsert(*({"externalId": person} for person in people))
    segment = await house.segment("Opened", LAST_MINUTE)
    for step in range(40):
        await house.track(people[(step * 7) % 30], "opened", occurred_at=house.clock.instant)
        if step % 3 == 0:
            house.clock.advance(timedelta(seconds=20))
        await house.tick()

    rows = await house.ports.database.fetch(
        "SELECT sequence FROM membership_changes WHERE bucket_id = $1 ORDER BY sequence", house.bucket_id
    )
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    replayed: set[str] = set()
    for person, entered, _ in await house.log():
        assert (person in replayed) != entered
        replayed ^= {person}
    assert replayed == await house.members(segment)
    assert len(rows) > 40
