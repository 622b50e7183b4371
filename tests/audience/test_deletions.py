"""A deleted group or custom field is gone at once, and what it leaves behind goes bucket by bucket, whenever that is interrupted."""

from __future__ import annotations

import asyncio

import pytest

from audience_gql.audience.definitions.clearing import Clearing
from audience_gql.audience.definitions.deletions import delete_custom_field, delete_group
from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.definitions.groups import add_to_group, remove_from_group
from audience_gql.audience.definitions.segments import InUse
from audience_gql.audience.failures import NotFound
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.storage import clearing as queue
from audience_gql.storage.people import facts
from audience_gql.storage.people.facts import PersonRow
from audience_gql.storage.postgres.database import Unavailable

PEOPLE = [f"p{number}" for number in range(7)]


@pytest.fixture
def clearing(house, tick_pool) -> Clearing:
    """Three people a slice."""
    return Clearing(house.ports, tick_pool, people=3)


async def delete(house, group) -> None:
    await delete_group(ports=house.ports, workspace=house.workspace, group_id=group.id)


async def change(house, group, *people: str, joins: bool = True):
    keys = [SubscriberKey(kind="externalId", value=person) for person in people]
    use_case = add_to_group if joins else remove_from_group
    return await use_case(ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=keys)


async def field(house, key: str, type_: str):
    return await define_custom_field(
        ports=house.ports, workspace=house.workspace, key=key, label=key, type=type_
    )


async def group_log(house) -> list[tuple[str, bool]]:
    rows = await house.ports.database.fetch(
        "SELECT s.external_id, c.entered FROM membership_changes c "
        "JOIN subscribers s ON s.bucket_id = c.bucket_id AND s.id = c.subscriber_id "
        "WHERE c.bucket_id = $1 AND c.list_kind = 'GROUP' ORDER BY c.sequence",
        house.bucket_id,
    )
    return [(row["external_id"], row["entered"]) for row in rows]


async def left_over(house) -> int:
    """Rows about groups that are still there."""
    count: int = await house.ports.database.fetchval(
        "SELECT (SELECT count(*) FROM group_members m WHERE m.bucket_id = $1) "
        "+ (SELECT count(*) FROM group_states g WHERE g.bucket_id = $1) "
        "+ (SELECT count(*) FROM dirty d WHERE d.bucket_id = $1 AND d.kind LIKE 'group%')",
        house.bucket_id,
    )
    return count


async def test_its_members_leave_and_the_log_says_so_of_each_once(house, clearing):
    group = await house.group("Friends")
    await house.upsert(*({"externalId": person} for person in PEOPLE))
    await change(house, group, *PEOPLE)
    await house.tick()
    entered = await group_log(house)

    await delete(house, group)
    assert house.jobs.clearings == [house.workspace.id]
    await clearing.clear(house.workspace.id)
    await house.tick()

    log = await group_log(house)
    assert log[: len(entered)] == entered
    assert sorted(log[len(entered) :]) == [(person, False) for person in PEOPLE]
    assert await left_over(house) == 0


async def test_who_was_never_logged_is_not_left_and_who_left_is_left_once(house, clearing):
    group = await house.group("Friends")
    await house.upsert(*({"externalId": person} for person in PEOPLE))
    await change(house, group, "p0", "p1")
    await house.tick()
    await change(house, group, "p1", joins=False)  # gone, and the log does not know
    await change(house, group, "p2")  # in, and the log does not know
    await change(house, group, "p0", joins=False)
    await change(house, group, "p0")  # out and in again

    await delete(house, group)
    await clearing.clear(house.workspace.id)
    await house.tick()

    assert sorted(await group_log(house)) == [("p0", False), ("p0", True), ("p1", False), ("p1", True)]
    assert await left_over(house) == 0


async def test_a_clearing_that_was_interrupted_goes_on(house, clearing, monkeypatch):
    group = await house.group("Friends")
    await house.upsert(*({"externalId": person} for person in PEOPLE))
    await change(house, group, *PEOPLE)
    await house.tick()
    await delete(house, group)
    take_members, calls = queue.take_members, []

    async def break_off(*given):
        calls.append(given)
        if len(calls) == 2:
            raise Unavailable("gone")
        return await take_members(*given)

    monkeypatch.setattr(queue, "take_members", break_off)
    await clearing.clear(house.workspace.id)
    assert len([entered for _, entered in await group_log(house) if not entered]) == 3
    house.jobs.clearings.clear()

    await clearing.sweep()
    assert house.workspace.id in house.jobs.clearings
    await clearing.clear(house.workspace.id)

    assert sorted(who for who, entered in await group_log(house) if not entered) == PEOPLE
    assert await left_over(house) == 0
    house.jobs.clearings.clear()
    await clearing.sweep()
    assert house.workspace.id not in house.jobs.clearings


async def delete_and_clear(house, clearing, deletion) -> None:
    await deletion
    await clearing.clear(house.workspace.id)


async def test_nobody_gets_into_a_group_that_is_being_deleted(house, clearing, monkeypatch):
    group = await house.group("Friends")
    add_members, tasks = facts.add_members, []

    async def late(*given):
        """The group is deleted and cleared between the writer's look and its write, if nothing keeps it."""
        task = asyncio.create_task(delete_and_clear(house, clearing, delete(house, group)))
        tasks.append(task)
        await asyncio.wait([task], timeout=0.3)
        return await add_members(*given)

    monkeypatch.setattr(facts, "add_members", late)
    await house.upsert({"externalId": "ada", "addToGroupIds": [group.id]})
    await asyncio.gather(*tasks)
    await house.tick()

    assert await left_over(house) == 0
    assert sum(1 if entered else -1 for _, entered in await group_log(house)) == 0


async def test_a_deleted_group_is_unknown_to_writers(house):
    group = await house.group("Friends")
    await delete(house, group)

    upserted = await house.upsert({"externalId": "ada", "addToGroupIds": [group.id]})

    assert [(it.code, it.path[-2:]) for it in upserted.rejects] == [("UNKNOWN", ("addToGroupIds", 0))]
    with pytest.raises(NotFound):
        await change(house, group, "ada")
    with pytest.raises(NotFound):
        await delete(house, group)


async def test_what_a_segment_reads_stays(house):
    group = await house.group("Friends")
    plan = await field(house, "plan", "TEXT")
    by_group = await house.segment("In", {"not": {"group": {"anyOf": [str(group.id)]}}})
    by_field = await house.segment("Paid", {"field": {"key": "plan", "text": {"is": "paid"}}})

    with pytest.raises(InUse) as of_group:
        await delete(house, group)
    with pytest.raises(InUse) as of_field:
        await delete_custom_field(ports=house.ports, workspace=house.workspace, field_id=plan.id)

    assert (of_group.value.used_by, of_field.value.used_by) == ((by_group.id,), (by_field.id,))
    assert (await house.group("Others")).id
    assert house.jobs.clearings == []


async def rows_of(house) -> list[PersonRow]:
    rows = await house.ports.database.fetch(
        "SELECT s.external_id, s.fields::text AS fields, s.fields_folded::text AS folded, s.updated_at, "
        "(SELECT count(*) FROM subscriber_dates d WHERE d.bucket_id = s.bucket_id AND d.subscriber_id = s.id "
        "AND abs(d.field_id) > 100) AS dates FROM subscribers s WHERE s.bucket_id = $1 ORDER BY s.external_id",
        house.bucket_id,
    )
    return [dict(row) for row in rows]


async def test_a_field_s_values_go_and_nothing_else_does(house, clearing):
    plan, since = await field(house, "plan", "TEXT"), await field(house, "since", "DATE")
    kept = await field(house, "kept", "TEXT")
    values = [("plan", "PAID"), ("since", "2026-01-01"), ("kept", "Yes")]
    await house.upsert(
        *(
            {"externalId": person, "fields": [{"key": key, "value": value} for key, value in values]}
            for person in PEOPLE
        )
    )
    before = await rows_of(house)
    assert [row["dates"] for row in before] == [2] * len(PEOPLE)

    for it in (plan, since):
        await delete_custom_field(ports=house.ports, workspace=house.workspace, field_id=it.id)
    await clearing.clear(house.workspace.id)

    for row, old in zip(await rows_of(house), before, strict=True):
        assert (row["fields"], row["folded"]) == (f'{{"{kept.id}": "Yes"}}', f'{{"{kept.id}": "yes"}}')
        assert (row["dates"], row["updated_at"]) == (0, old["updated_at"])


async def test_a_key_is_free_for_another_field_at_once(house, clearing):
    first = await field(house, "plan", "TEXT")
    await house.upsert({"externalId": "ada", "fields": [{"key": "plan", "value": "paid"}]})
    await delete_custom_field(ports=house.ports, workspace=house.workspace, field_id=first.id)

    second = await field(house, "plan", "NUMBER")
    await house.upsert({"externalId": "ada", "fields": [{"key": "plan", "value": 7}]})
    await clearing.clear(house.workspace.id)

    (row,) = await rows_of(house)
    assert row["fields"] == f'{{"{second.id}": 7}}'


async def test_nobody_writes_a_value_of_a_field_that_is_being_deleted(house, clearing, monkeypatch):
    plan = await field(house, "plan", "TEXT")
    write_people, tasks = facts.write_people, []

    async def late(*given, **options):
        deletion = delete_custom_field(ports=house.ports, workspace=house.workspace, field_id=plan.id)
        task = asyncio.create_task(delete_and_clear(house, clearing, deletion))
        tasks.append(task)
        await asyncio.wait([task], timeout=0.3)
        return await write_people(*given, **options)

    monkeypatch.setattr(facts, "write_people", late)
    await house.upsert({"externalId": "ada", "fields": [{"key": "plan", "value": "x"}]})
    await asyncio.gather(*tasks)

    assert [row["fields"] for row in await rows_of(house)] == ["{}"]
