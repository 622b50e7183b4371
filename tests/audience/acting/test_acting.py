"""Who enters or leaves a list lets its automations act, exactly once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audience_gql.audience.acting import effects
from audience_gql.audience.acting.automation import FiringCause
from audience_gql.audience.acting.editing import (
    delete_automation,
    pause_automation,
    resume_automation,
    update_automation,
)
from audience_gql.audience.acting.surroundings import GivenRules
from audience_gql.audience.definitions.deletions import delete_custom_field, delete_group
from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.definitions.groups import add_to_group, remove_from_group
from audience_gql.audience.definitions.pausing import pause_segment
from audience_gql.audience.definitions.segments import InUse, delete_segment
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.conditions.vocabulary import PLAIN_IDS

LITHUANIA = {"country": {"is": "LT"}}
CLICKED = {"event": {"name": "clicked"}}
ADA = SubscriberKey(kind="externalId", value="ada")
MICROSECOND = timedelta(microseconds=1)


async def come(house, *people):
    await house.upsert(*({"externalId": person, "country": "LT"} for person in people))


async def go(house, *people):
    await house.upsert(*({"externalId": person, "country": "LV"} for person in people))


async def test_entering_a_segment_adds_to_a_group_once(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}]
    )

    await come(house, "ada")
    await go(house, "bob")
    await house.tick()

    assert await stage.act() == 1
    assert await stage.act() == 0
    assert await stage.in_group(group) == {"ada"}
    assert await stage.runs(automation) == [("ada", "DONE", None)]
    await house.tick()
    assert (await house.log())[-1] == ("ada", True, "MANUAL")


async def test_every_action_is_performed_in_its_order(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    await define_custom_field(
        ports=house.ports, workspace=house.workspace, key="tier", label="Tier", type="TEXT"
    )
    clicked = await house.segment("Clicked", CLICKED)
    gold = await house.segment("Gold", {"field": {"key": "tier", "text": {"is": "gold"}}})
    await stage.automation(
        "A",
        trigger={"segment": segment.id},
        actions=[
            {"addToGroup": group.id},
            {"setField": {"key": "tier", "value": "silver"}},
            {"trackEvent": {"name": "clicked", "value": 3, "properties": {"by": "us"}}},
            {"removeFromGroup": group.id},
            {"setField": {"key": "tier", "value": "gold"}},
        ],
    )

    await come(house, "ada", "bob")
    await stage.settle()

    assert await stage.in_group(group) == set()
    assert await house.members(clicked) == {"ada", "bob"}
    assert await house.members(gold) == {"ada", "bob"}
    events = await house.ports.database.fetch(
        "SELECT value, properties FROM events WHERE bucket_id = $1", house.bucket_id
    )
    assert [(float(row["value"]), row["properties"]) for row in events] == [(3.0, '{"by": "us"}')] * 2


async def test_leaving_a_group_fires_when_asked_for(stage):
    house = stage.house
    group, other = await house.group("G"), await house.group("Former")
    both = await stage.automation(
        "Both", trigger={"group": group.id}, on=["ENTERED", "LEFT"], actions=[{"addToGroup": other.id}]
    )
    left = await stage.automation(
        "Left", trigger={"group": group.id}, on=["LEFT"], actions=[{"removeFromGroup": other.id}]
    )
    await house.upsert({"externalId": "ada"})

    await add_to_group(ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[ADA])
    await stage.settle()
    assert await stage.states(left) == []
    await remove_from_group(
        ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[ADA]
    )
    await stage.settle()

    assert await stage.states(both) == [("ada", "DONE")] * 2
    assert await stage.states(left) == [("ada", "DONE")]


# ---- holding


async def test_a_hold_acts_at_the_exact_instant(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, hold_for={"hours": 1}, actions=[{"addToGroup": group.id}]
    )
    await come(house, "ada")
    await stage.tick()
    assert await stage.states(automation) == [("ada", "WAITING")]

    house.clock.advance(timedelta(hours=1) - MICROSECOND)
    assert await stage.tick() == 0
    house.clock.advance(MICROSECOND)
    assert await stage.act() == 0  # only a tick can tell that they are still there
    assert await stage.tick() == 1

    assert await stage.states(automation) == [("ada", "DONE")]
    assert await stage.in_group(group) == {"ada"}


async def test_leaving_cancels_a_hold(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, hold_for={"hours": 1}, actions=[{"addToGroup": group.id}]
    )
    await come(house, "ada")
    await stage.tick()
    house.clock.advance(timedelta(minutes=59))
    await go(house, "ada")
    await stage.tick()
    await come(house, "ada")
    await stage.tick()
    house.clock.advance(timedelta(minutes=59))
    await stage.tick()

    assert await stage.runs(automation) == [
        ("ada", "CANCELLED", "the person left before the hold was over"),
        ("ada", "WAITING", None),
    ]
    assert await stage.in_group(group) == set()


async def test_a_hold_is_judged_by_the_log_however_late_it_is_read(stage):
    """The process that acts was away. Whoever stayed long enough is acted on, and whoever did not is not."""
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, hold_for={"hours": 1}, actions=[{"addToGroup": group.id}]
    )
    await come(house, "ada", "bob")
    await house.tick()
    house.clock.advance(timedelta(minutes=30))
    await go(house, "bob")
    await house.tick()
    house.clock.advance(timedelta(minutes=40))
    await house.tick()
    house.clock.advance(timedelta(minutes=40))
    await go(house, "ada")
    await house.tick()

    await stage.act()

    assert sorted(await stage.states(automation)) == [("ada", "DONE"), ("bob", "CANCELLED")]
    assert await stage.in_group(group) == {"ada"}


async def test_a_person_of_whom_no_tick_knows_that_they_stayed_is_not_acted_on(stage):
    """No worker ran when the hold ended. When one runs again, they have left, and nobody can tell when."""
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, hold_for={"hours": 1}, actions=[{"addToGroup": group.id}]
    )
    await come(house, "ada")
    await stage.tick()
    house.clock.advance(timedelta(minutes=30))
    await go(house, "ada")
    house.clock.advance(timedelta(hours=2))

    await stage.tick()

    assert await stage.states(automation) == [("ada", "CANCELLED")]


async def test_a_mark_that_waits_puts_the_end_of_a_hold_off(stage, monkeypatch):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, hold_for={"hours": 1}, actions=[{"addToGroup": group.id}]
    )
    await come(house, "ada", "bob")
    await stage.tick()
    house.clock.advance(timedelta(minutes=30))
    await go(house, "ada")
    await go(house, "bob")
    house.clock.advance(timedelta(hours=2))
    monkeypatch.setattr(house.membership, "_people_a_tick", 1)

    await stage.tick()
    await stage.tick()
    await stage.settle()

    assert [state for _, state in await stage.states(automation)] == ["CANCELLED"] * 2


async def test_a_hold_of_staying_away_ends_with_coming_back(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A",
        trigger={"segment": segment.id},
        on=["LEFT"],
        hold_for={"hours": 1},
        actions=[{"addToGroup": group.id}],
    )
    await come(house, "ada", "bob")
    await stage.tick()
    await go(house, "ada", "bob")
    await stage.tick()
    house.clock.advance(timedelta(minutes=30))
    await come(house, "bob")
    await stage.tick()
    house.clock.advance(timedelta(minutes=30))
    await stage.tick()

    assert sorted(await stage.runs(automation)) == [
        ("ada", "DONE", None),
        ("bob", "CANCELLED", "the person came back before the hold was over"),
    ]


# ---- reentry


async def visits(stage, automation_rules, pauses):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}], **automation_rules
    )
    for pause in pauses:
        await come(house, "ada")
        await stage.tick()
        await go(house, "ada")
        await stage.tick()
        house.clock.advance(pause)
    return [state for _, state in await stage.states(automation)]


async def test_every_time(stage):
    assert await visits(stage, {}, [timedelta(hours=1)] * 3) == ["DONE"] * 3


async def test_once(stage):
    states = await visits(stage, {"reentry": {"rule": "ONCE"}}, [timedelta(hours=1)] * 3)

    assert states == ["DONE", "SKIPPED", "SKIPPED"]


async def test_once_in_a_length_of_time(stage):
    states = await visits(stage, {"reentry": {"onceIn": {"hours": 2}}}, [timedelta(hours=1)] * 4)

    assert states == ["DONE", "SKIPPED", "DONE", "SKIPPED"]


async def test_all_visits_read_at_once_are_decided_alike(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A",
        trigger={"segment": segment.id},
        reentry={"rule": "ONCE"},
        only_if=CLICKED,
        actions=[{"addToGroup": group.id}],
    )
    for _ in range(3):
        await come(house, "ada")
        await house.tick()
        await go(house, "ada")
        await house.tick()
    await house.track("ada", "clicked")

    await stage.act()

    assert [state for _, state in await stage.states(automation)] == ["DONE", "SKIPPED", "SKIPPED"]


async def test_more_than_twenty_times_a_minute_is_cut_off(stage):
    states = await visits(stage, {}, [timedelta(seconds=1)] * 22)

    assert states == ["DONE"] * 20 + ["CUT_OFF"] * 2


# ---- existing members, causes and conditions


async def test_nobody_who_is_inside_already_is_acted_on(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    await come(house, "ada")
    await house.tick()

    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}]
    )
    await stage.settle()

    assert await stage.states(automation) == []


async def test_existing_members_have_one_run_each_when_asked_for(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    await come(house, "ada", "bob")
    await house.tick()
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}], existing=True
    )
    await come(house, "cleo")
    await go(house, "bob")
    await house.tick()
    await come(house, "bob")
    await house.tick()

    await stage.settle()

    assert sorted(await stage.states(automation)) == [("ada", "DONE"), ("bob", "DONE"), ("cleo", "DONE")]
    assert await stage.in_group(group) == {"ada", "bob", "cleo"}


async def test_existing_members_wait_until_they_are_known(stage):
    house = stage.house
    await come(house, "ada")
    group = await house.group("G")
    segment = await house.segment("S", LITHUANIA)
    await house.ports.database.fetch(
        "UPDATE segment_states SET filled_to = -1 WHERE segment_id = $1", segment.id
    )
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}], existing=True
    )
    await stage.act()
    assert await stage.states(automation) == []

    await house.ports.database.fetch(
        "UPDATE segment_states SET filled_to = NULL WHERE segment_id = $1", segment.id
    )
    await stage.act()

    assert await stage.states(automation) == [("ada", "DONE")]


async def test_who_enters_while_a_segment_is_filled_does_not_end_the_wait_for_its_members(stage):
    house = stage.house
    group = await house.group("G")
    segment = await house.segment("S", LITHUANIA)
    await come(house, "ada")
    await house.tick()
    await house.ports.database.fetch("DELETE FROM segment_members WHERE segment_id = $1", segment.id)
    await house.ports.database.fetch(
        "UPDATE segment_states SET filled_to = -1, fill_cause = 'DEFINITION' WHERE segment_id = $1",
        segment.id,
    )
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}], existing=True
    )
    await come(house, "bob")
    await stage.tick()
    assert await stage.states(automation) == [("bob", "DONE")]

    await house.fill()
    await stage.act()

    assert sorted(await stage.states(automation)) == [("ada", "DONE"), ("bob", "DONE")]


async def test_an_edit_of_the_segment_fires_only_if_named(stage):
    house = stage.house
    segment, group = await house.segment("S", CLICKED), await house.group("G")
    usual = await stage.automation(
        "Usual", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}]
    )
    edits = await stage.automation(
        "Edits",
        trigger={"segment": segment.id},
        causes=[FiringCause.DEFINITION],
        actions=[{"addToGroup": group.id}],
    )
    await come(house, "ada")
    await stage.tick()

    await house.edit(segment, LITHUANIA)
    await stage.act()

    assert await stage.states(usual) == []
    assert await stage.states(edits) == [("ada", "DONE")]


async def test_an_import_fires_only_if_named(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    usual = await stage.automation(
        "Usual", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}]
    )
    imports = await stage.automation(
        "Imports",
        trigger={"segment": segment.id},
        causes=[FiringCause.IMPORT],
        actions=[{"addToGroup": group.id}],
    )

    await upsert_subscribers(
        ports=house.ports,
        workspace=house.workspace,
        items=[{"externalId": "ada", "country": "LT"}, {"externalId": "bob", "country": "LT"}],
        bulk=True,
    )
    await house.upsert({"externalId": "bob", "firstName": "Bob"})  # a caller's own fact in the same tick
    await stage.tick()

    assert await stage.states(usual) == [("bob", "DONE")]
    assert await stage.states(imports) == [("ada", "DONE")]


async def test_the_clock_fires(stage):
    house = stage.house
    segment = await house.segment(
        "S", {"not": {"event": {"name": "clicked", "within": {"last": {"hours": 1}}}}}
    )
    group = await house.group("G")
    await house.upsert({"externalId": "ada"})
    await house.track("ada", "clicked")
    await house.tick()
    automation = await stage.automation(
        "A",
        trigger={"segment": segment.id},
        causes=[FiringCause.CLOCK],
        actions=[{"addToGroup": group.id}],
    )

    house.clock.advance(timedelta(hours=1))
    await stage.tick()

    assert await stage.states(automation) == [("ada", "DONE")]


async def test_the_condition_is_asked_at_the_instant_of_acting(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    inner = await house.segment("Clicked", CLICKED)
    automation = await stage.automation(
        "A",
        trigger={"segment": segment.id},
        hold_for={"hours": 1},
        only_if={"segment": {"anyOf": [str(inner.id)]}},
        actions=[{"addToGroup": group.id}],
    )
    await come(house, "ada", "bob")
    await stage.tick()
    house.clock.advance(timedelta(minutes=30))
    await house.track("ada", "clicked")
    house.clock.advance(timedelta(minutes=30))
    await stage.tick()

    assert sorted(await stage.runs(automation)) == [
        ("ada", "DONE", None),
        ("bob", "SKIPPED", "the person did not match the automation's condition"),
    ]


# ---- failures and loops


async def test_a_run_that_fails_says_why_and_leaves_nothing_half_done(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    await define_custom_field(
        ports=house.ports, workspace=house.workspace, key="visits", label="Visits", type="NUMBER"
    )
    automation = await stage.automation(
        "A",
        trigger={"segment": segment.id},
        actions=[{"addToGroup": group.id}, {"setField": {"key": "visits", "value": 1}}],
    )
    await house.ports.database.fetch(
        """UPDATE automations SET actions = jsonb_set(actions, '{1,setField,value}', '"x"') WHERE id = $1""",
        automation.id,
    )

    await come(house, "ada")
    await stage.tick()

    assert await stage.in_group(group) == set()
    ((person, state, reason),) = await stage.runs(automation)
    assert (person, state) == ("ada", "FAILED")
    assert reason is not None
    assert "visits" in reason


async def test_a_fault_in_an_action_fails_its_run_and_lets_the_others_go_on(stage, monkeypatch):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}]
    )
    await come(house, "ada", "bob", "cleo")
    await house.tick()
    bob = await house.ports.database.fetchval(
        "SELECT id FROM subscribers WHERE bucket_id = $1 AND external_id = 'bob'", house.bucket_id
    )
    honest = effects.Effects.perform

    async def perform(self, actions, people, depth):
        if bob in people:
            raise ZeroDivisionError("a bug")
        return await honest(self, actions, people, depth)

    monkeypatch.setattr(effects.Effects, "perform", perform)
    await stage.act()

    assert sorted(await stage.runs(automation)) == [
        ("ada", "DONE", None),
        ("bob", "FAILED", "an unexpected error, which the worker's log describes"),
        ("cleo", "DONE", None),
    ]
    assert await stage.in_group(group) == {"ada", "cleo"}


async def test_automations_that_follow_from_each_other_are_cut_off(stage):
    """The static check lets this chain pass, because it has no loop; it is only very long."""
    house = stage.house
    groups = [await house.group(f"G{number}") for number in range(11)]
    chain = [
        await stage.automation(
            f"A{number}",
            trigger={"group": groups[number].id},
            actions=[{"addToGroup": groups[number + 1].id}],
        )
        for number in range(10)
    ]
    await house.upsert({"externalId": "ada"})

    await add_to_group(ports=house.ports, workspace=house.workspace, group_id=groups[0].id, subscribers=[ADA])
    await stage.settle()

    states = [await stage.states(automation) for automation in chain]
    assert states == [[("ada", "DONE")]] * 8 + [[("ada", "CUT_OFF")]] + [[]]
    assert await stage.in_group(groups[8]) == {"ada"}
    assert await stage.in_group(groups[9]) == set()


# ---- the automation's own life


async def test_a_paused_automation_catches_up_or_skips(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    first = await stage.automation("A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}])
    second = await stage.automation("B", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}])
    for each in (first, second):
        await pause_automation(ports=house.ports, workspace=house.workspace, automation_id=each.id)
    await come(house, "ada")
    await stage.tick()
    assert await stage.states(first) == []

    await resume_automation(
        ports=house.ports, workspace=house.workspace, automation_id=first.id, catches_up=True
    )
    await resume_automation(
        ports=house.ports, workspace=house.workspace, automation_id=second.id, catches_up=False
    )
    await stage.act()

    assert await stage.states(first) == [("ada", "DONE")]
    assert await stage.states(second) == []


async def test_resuming_can_fire_for_those_inside(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}]
    )
    await come(house, "ada")
    await stage.tick()
    await pause_automation(ports=house.ports, workspace=house.workspace, automation_id=automation.id)
    await resume_automation(
        ports=house.ports,
        workspace=house.workspace,
        automation_id=automation.id,
        catches_up=False,
        fires_for_existing=True,
    )

    await stage.act()

    assert await stage.states(automation) == [("ada", "DONE")] * 2


async def test_another_trigger_begins_at_the_end_of_the_log(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    clicked = await house.segment("Clicked", CLICKED)
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, hold_for={"hours": 1}, actions=[{"addToGroup": group.id}]
    )
    await come(house, "ada")
    await house.track("ada", "clicked")
    await stage.tick()

    edited = await update_automation(
        ports=house.ports,
        workspace=house.workspace,
        automation_id=automation.id,
        rules=GivenRules(trigger={"segment": clicked.id}, hold_for=None),
        ids=PLAIN_IDS,
    )
    await stage.settle()

    assert (edited.revision, edited.rules["holdFor"]) == (2, None)
    assert await stage.runs(automation) == [("ada", "CANCELLED", "the automation has another trigger now")]


async def test_what_an_automation_names_is_in_use(stage):
    house = stage.house
    segment, group, other = (
        await house.segment("S", LITHUANIA),
        await house.group("G"),
        await house.group("H"),
    )
    field = await define_custom_field(
        ports=house.ports, workspace=house.workspace, key="tier", label="Tier", type="TEXT"
    )
    asked = await house.segment("Asked", CLICKED)
    automation = await stage.automation(
        "A",
        trigger={"segment": segment.id},
        only_if={"segment": {"anyOf": [str(asked.id)]}},
        actions=[
            {"addToGroup": group.id},
            {"setField": {"key": "tier", "value": "gold"}},
            {"removeFromGroup": other.id},
        ],
    )
    where = {"ports": house.ports, "workspace": house.workspace}

    for delete in (
        delete_segment(segment_id=segment.id, **where),
        delete_segment(segment_id=asked.id, **where),
        pause_segment(segment_id=asked.id, **where),
        delete_group(group_id=group.id, **where),
        delete_group(group_id=other.id, **where),
        delete_custom_field(field_id=field.id, **where),
    ):
        with pytest.raises(InUse) as caught:
            await delete
        assert caught.value.automation_ids == (automation.id,)
        assert str(caught.value) == "1 automation uses this one"

    await pause_segment(
        segment_id=segment.id, **where
    )  # an automation that its changes start has nothing against a pause
    await delete_automation(automation_id=automation.id, **where)
    await delete_segment(segment_id=asked.id, **where)
    await delete_group(group_id=group.id, **where)
    await delete_custom_field(field_id=field.id, **where)


async def test_an_erased_person_is_not_acted_on(stage):
    house = stage.house
    segment, group = await house.segment("S", LITHUANIA), await house.group("G")
    automation = await stage.automation(
        "A",
        trigger={"segment": segment.id},
        on=["ENTERED", "LEFT"],
        hold_for={"hours": 1},
        actions=[{"addToGroup": group.id}],
    )
    await come(house, "ada")
    await stage.tick()

    await erase_subscriber(ports=house.ports, workspace=house.workspace, subscriber=ADA)
    await stage.tick()
    house.clock.advance(timedelta(hours=2))
    await stage.tick()

    states = {state for _, state in await stage.states(automation)}
    assert states == {"CANCELLED", "SKIPPED"}
