"""A workspace's calendar: what day it is for people without a zone of their own, and when weeks begin."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.failures import InvalidInput
from audience_gql.audience.workspaces import change_timezone, change_week_start
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


SUNDAY = datetime(2026, 3, 29, 12, tzinfo=UTC)
WEDNESDAY = datetime(2026, 4, 1, 12, tzinfo=UTC)


async def test_a_changed_zone_moves_events_to_other_days(house):
    house.clock.instant = WEDNESDAY
    for person, occurred_at in (
        ("late", "2026-03-31T18:14:00+00:00"),
        ("later", "2026-03-31T18:16:00+00:00"),
    ):
        await house.upsert({"externalId": person})
        await house.track(person, "opened", occurred_at=datetime.fromisoformat(occurred_at))
        await house.track(person, "opened", occurred_at=datetime(2026, 3, 31, 12, tzinfo=UTC))
    today = await house.segment("Today", {"event": {"name": "opened", "within": {"calendar": "TODAY"}}})
    days = await house.segment("On two days", {"event": {"name": "opened", "onDays": {"atLeast": 2}}})
    assert (await house.members(today), await house.members(days)) == (set(), set())

    await change_timezone(ports=house.ports, workspace=house.workspace, timezone="Asia/Kathmandu")
    await house.fill()

    assert (await house.members(today), await house.members(days)) == ({"later"}, {"later"})


async def test_a_changed_zone_of_a_person_moves_their_events(house):
    house.clock.instant = WEDNESDAY
    await house.upsert({"externalId": "traveller"})
    await house.track("traveller", "opened", occurred_at=datetime(2026, 3, 31, 19, tzinfo=UTC))
    today = await house.segment("Today", {"event": {"name": "opened", "within": {"calendar": "TODAY"}}})
    days = await house.segment("On two days", {"event": {"name": "opened", "onDays": {"exactly": 2}}})
    await house.track("traveller", "opened", occurred_at=datetime(2026, 3, 31, 12, tzinfo=UTC))
    await house.tick()
    assert (await house.members(today), await house.members(days)) == (set(), set())

    await house.upsert({"externalId": "traveller", "timezone": "Asia/Kathmandu"})
    await house.tick()

    assert (await house.members(today), await house.members(days)) == ({"traveller"}, {"traveller"})


async def test_a_changed_first_day_of_the_week_refills_what_looks_at_weeks(house):
    house.clock.instant = WEDNESDAY
    await house.upsert({"externalId": "on sunday"})
    await house.track("on sunday", "opened", occurred_at=SUNDAY)
    week = await house.segment(
        "This week", {"event": {"name": "opened", "within": {"calendar": "THIS_WEEK"}}}
    )
    readers = await house.segment("Readers", {"not": {"segment": {"anyOf": [str(week.id)]}}})
    await house.track("on sunday", "opened", occurred_at=datetime(2026, 3, 28, 12, tzinfo=UTC))
    weeks = await house.segment("In two weeks", {"event": {"name": "opened", "inWeeks": {"atLeast": 2}}})
    untouched = await house.segment(
        "This month", {"event": {"name": "opened", "within": {"calendar": "THIS_MONTH"}}}
    )
    await house.tick()
    before = untouched.generation
    assert [await house.members(each) for each in (week, readers, weeks)] == [set(), {"on sunday"}, set()]

    await change_week_start(ports=house.ports, workspace=house.workspace, week_start="sunday")
    await house.fill()

    assert [await house.members(each) for each in (week, readers, weeks)] == [
        {"on sunday"},
        set(),
        {"on sunday"},
    ]
    await untouched.refresh_from_db()
    assert (untouched.generation, house.workspace.week_start) == (before, "SUNDAY")


async def test_a_tick_after_the_change_knows_when_weeks_begin(house):
    house.clock.instant = WEDNESDAY
    week = await house.segment(
        "This week", {"event": {"name": "opened", "within": {"calendar": "THIS_WEEK"}}}
    )
    await house.upsert({"externalId": "before"}, {"externalId": "after"})
    await house.tick()
    await change_week_start(ports=house.ports, workspace=house.workspace, week_start="SATURDAY")
    await house.fill()

    await house.track("after", "opened", occurred_at=SUNDAY)
    await house.tick()

    assert await house.members(week) == {"after"}


async def test_weeks_that_begin_on_another_day_are_refused(house):
    with pytest.raises(InvalidInput) as refused:
        await change_week_start(ports=house.ports, workspace=house.workspace, week_start="TUESDAY")

    assert refused.value.issues[0].code == "UNKNOWN"
    await house.workspace.refresh_from_db()
    assert house.workspace.week_start == "MONDAY"
