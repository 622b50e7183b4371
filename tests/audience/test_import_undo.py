"""Undoing an import: what goes back, what is kept because somebody changed it since, and what nobody may see any more."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.definitions.groups import add_to_group, remove_from_group
from audience_gql.audience.failures import NotFound
from audience_gql.audience.imports import undoing, windows
from audience_gql.audience.imports.lifecycle import (
    MESSAGE_DAYS,
    cancel_import,
    import_progress,
)
from audience_gql.audience.imports.plans import ColumnPlan
from audience_gql.audience.imports.runner import ImportRunner
from audience_gql.audience.imports.undo_requests import UndoRefused, undo_import
from audience_gql.audience.people.channels import set_channel_status
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from tests.audience.test_imports import NAMED, look, people, run, start, upload

SECOND = timedelta(seconds=1)
NEWS = ColumnPlan(header="news", kind="channel", target="EMAIL")


def key(external_id):
    return SubscriberKey(kind="externalId", value=external_id)


async def imported(house, content, *columns, **more):
    house.clock.advance(SECOND)
    made = await run(house, content, *columns, **more)
    house.clock.advance(SECOND)
    return made


async def undo(house, made):
    await undo_import(ports=house.ports, workspace=house.workspace, import_id=made.id, by="Ops")
    house.clock.advance(SECOND)
    await ImportRunner(house.ports).work_off(made.id)
    house.clock.advance(SECOND)
    return await look(house, made)


def counts(made):
    return {name: number for name, number in made.undo_counts.items() if name != "records"}


async def recorded(house):
    return await house.ports.database.fetchval(
        "SELECT count(*) FROM import_effects WHERE bucket_id = $1", house.bucket_id
    )


async def statuses(house):
    rows = await house.ports.database.fetch(
        "SELECT s.external_id, c.channel, c.status FROM channel_states c "
        "JOIN subscribers s ON s.bucket_id = c.bucket_id AND s.id = c.subscriber_id WHERE c.bucket_id = $1",
        house.bucket_id,
    )
    return {(row["external_id"], row["channel"]): row["status"] for row in rows}


async def members(house, group):
    rows = await house.ports.database.fetch(
        "SELECT s.external_id, g.added_at FROM group_members g "
        "JOIN subscribers s ON s.bucket_id = g.bucket_id AND s.id = g.subscriber_id "
        "WHERE g.bucket_id = $1 AND g.group_id = $2",
        house.bucket_id,
        group.id,
    )
    return {row["external_id"]: row["added_at"] for row in rows}


async def test_new_people_are_erased_and_known_ones_are_as_before(house):
    await house.upsert({"externalId": "1", "email": "old@x.org", "city": "Oslo"}, {"externalId": "2"})
    made = await imported(house, b"id,mail,town\n1,new@x.org,Riga\n2,,\n3,c@x.org,Bergen\n")

    undone = await undo(house, made)

    assert await people(house) == [("1", "old@x.org", "Oslo"), ("2", None, None)]
    assert counts(undone) == {"people_erased": 1, "values_restored": 2}
    assert (undone.state, undone.undo_state, undone.undo_started_by) == ("DONE", "DONE", "Ops")
    assert undone.undo_ended_at == house.clock.instant - SECOND
    assert await recorded(house) == 0
    assert await house.ports.database.fetchval(
        "SELECT array_agg(value ORDER BY value) FROM identities WHERE workspace_id = $1", house.workspace.id
    ) == ["1", "2", "old@x.org"]


async def test_what_somebody_changed_since_is_kept_and_counted(house):
    await house.upsert({"externalId": "1", "city": "Oslo"})
    made = await imported(house, b"id,mail,town\n1,a@x.org,Riga\n2,b@x.org,Bergen\n3,c@x.org,Bergen\n")
    await house.upsert({"externalId": "1", "city": "Tartu"}, {"externalId": "2", "firstName": "Bob"})
    await house.track("3", "opened")

    undone = await undo(house, made)

    assert await people(house) == [
        ("1", None, "Tartu"),
        ("2", "b@x.org", "Bergen"),
        ("3", "c@x.org", "Bergen"),
    ]
    assert counts(undone) == {"values_kept": 1, "values_restored": 1, "people_kept": 2}


async def test_fields_of_every_size_are_as_before(house):
    for name, type_ in (("score", "NUMBER"), ("tags", "LIST"), ("day", "DATE")):
        await define_custom_field(
            ports=house.ports, workspace=house.workspace, key=name, label=name, type=type_
        )
    columns = [ColumnPlan(header=it, kind="field", target=it) for it in ("score", "tags", "day")]
    huge = [
        {"key": "score", "value": 10**40},
        {"key": "tags", "value": ["Å", "b;c"]},
        {"key": "day", "value": "1990-01-01"},
    ]
    await house.upsert(
        {"externalId": "1", "fields": huge, "birthday": "1990-02-03", "latitude": 54.5, "longitude": 25.25}
    )
    before = await profiles(house)
    more = (
        ColumnPlan(header="born", kind="profile", target="birthday"),
        ColumnPlan(header="lat", kind="profile", target="latitude"),
        ColumnPlan(header="lon", kind="profile", target="longitude"),
    )
    made = await imported(
        house,
        b"id,score,tags,day,born,lat,lon\n1,%d,x,1991-01-01,1991-02-03,1,2\n" % 10**41,
        NAMED[0], *columns, *more,
    )  # fmt: skip
    assert await profiles(house) != before

    undone = await undo(house, made)

    assert await profiles(house) == before
    assert counts(undone) == {"values_restored": 5}


async def profiles(house):
    """Everything in the rows of people, and their dates, except for the time of the last change."""
    rows = await house.ports.database.fetch(
        "SELECT to_jsonb(s) - 'updated_at' AS row, (SELECT array_agg((d.field_id, d.at)::text ORDER BY d.field_id) "
        "FROM subscriber_dates d WHERE d.bucket_id = s.bucket_id AND d.subscriber_id = s.id AND d.at < s.created_at) AS dates "
        "FROM subscribers s WHERE s.bucket_id = $1 ORDER BY s.id",
        house.bucket_id,
    )
    return [tuple(row) for row in rows]


async def test_memberships_that_the_import_added_end_and_others_stay(house):
    group = await house.group("Guests")
    await house.upsert(*({"externalId": str(n)} for n in range(4)))
    await add_to_group(
        ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[key("0")]
    )
    made = await imported(house, b"id,mail,town\n0,,\n1,,\n2,,\n3,,\n4,,\n", add_to_group_ids=(group.id,))
    for change in (remove_from_group, add_to_group):
        await change(ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[key("1")])
        house.clock.advance(SECOND)
    await remove_from_group(
        ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[key("2")]
    )
    await house.tick()
    before = await house.ports.database.fetchval(
        "SELECT max(sequence) FROM membership_changes WHERE bucket_id = $1", house.bucket_id
    )

    undone = await undo(house, made)
    await house.tick()

    assert (await members(house, group)).keys() == {"0", "1"}
    assert counts(undone) == {"memberships_undone": 1, "memberships_kept": 1, "people_erased": 1}
    assert await house.log(since=before) == [("3", False, "MANUAL")]


async def test_people_whom_a_column_removed_are_members_again_since_then(house):
    group = await house.group("Guests")
    guest = ColumnPlan(header="guest", kind="group", target=group.id)
    await house.upsert(
        {"externalId": "1", "addToGroupIds": [group.id]}, {"externalId": "2", "addToGroupIds": [group.id]}
    )
    since = await members(house, group)
    made = await imported(house, b"id,mail,town,guest\n1,,,no\n2,,,no\n", *NAMED, guest)
    assert await members(house, group) == {}

    undone = await undo(house, made)

    assert await members(house, group) == since
    assert counts(undone) == {"memberships_undone": 2}


async def test_a_refusal_is_never_lifted(house):
    """The person may have said it again since, which leaves no trace."""
    await house.upsert(
        {"externalId": "1", "channels": [{"channel": "EMAIL", "status": "ACTIVE"}]},
        {"externalId": "2"},
        {"externalId": "3"},
    )
    made = await imported(
        house, b"id,mail,town,news\n1,,,UNSUBSCRIBED\n2,,,ACTIVE\n3,,,ACTIVE\n", *NAMED, NEWS
    )
    await set_channel_status(
        ports=house.ports,
        workspace=house.workspace,
        subscriber=key("3"),
        channel="EMAIL",
        status="UNSUBSCRIBED",
    )

    undone = await undo(house, made)

    assert await statuses(house) == {("1", "EMAIL"): "UNSUBSCRIBED", ("3", "EMAIL"): "UNSUBSCRIBED"}
    assert counts(undone) == {"refusals_kept": 1, "values_restored": 1, "values_kept": 1}


async def test_a_bounce_returns_with_its_address_only(house):
    for number in ("1", "2"):
        await house.upsert({"externalId": number, "email": f"old{number}@x.org"})
        await house.track(number, "email_bounced", occurred_at=house.clock.instant)
    made = await imported(house, b"id,mail,town\n1,new1@x.org,\n2,new2@x.org,\n")
    assert await statuses(house) == {}
    await house.upsert({"externalId": "2", "email": "newest@x.org"})

    undone = await undo(house, made)

    assert await statuses(house) == {("1", "EMAIL"): "BOUNCED"}
    assert [mail for _, mail, _ in await people(house)] == ["old1@x.org", "newest@x.org"]
    assert counts(undone) == {"values_restored": 2, "values_kept": 2}


async def test_keys_that_changed_hands_go_back_unless_somebody_else_took_them(house):
    await house.upsert(
        {"externalId": "1", "email": "a@x.org"},
        {"externalId": "2", "email": "b@x.org"},
        {"externalId": "3", "email": "c@x.org"},
    )
    made = await imported(
        house, b"id,mail,town\n1,t@x.org,\n2,a@x.org,\n1,b@x.org,\n3,d@x.org,\n4,c@x.org,\n5,e@x.org,\n"
    )
    assert [mail for _, mail, _ in await people(house)][:4] == ["b@x.org", "a@x.org", "d@x.org", "c@x.org"]
    await house.upsert({"externalId": "4", "city": "Oslo"})

    undone = await undo(house, made)

    assert [(name, mail) for name, mail, _ in await people(house)] == [
        ("1", "a@x.org"), ("2", "b@x.org"), ("3", "d@x.org"), ("4", "c@x.org"),
    ]  # fmt: skip
    assert counts(undone) == {"values_restored": 2, "keys_kept": 1, "people_kept": 1, "people_erased": 1}


async def test_a_person_of_several_batches_is_erased_if_nobody_else_touched_them(house, monkeypatch):
    monkeypatch.setattr(windows, "BATCH_LIMIT", 1)
    rows = b"id,mail,town\n1,a@x.org,Oslo\n1,b@x.org,Riga\n2,c@x.org,Oslo\n2,d@x.org,Riga\n1,e@x.org,\n"
    made, secret = await start(house)
    await upload_slowly(house, made, secret, rows, {4: {"externalId": "2", "city": "Tartu"}})

    undone = await undo(house, made)

    assert await people(house) == [("2", "c@x.org", "Tartu")]
    assert counts(undone) == {
        "people_erased": 1, "people_kept": 1, "values_restored": 5,
    }  # fmt: skip


async def upload_slowly(house, made, secret, content, between):
    """Each batch has an instant of its own. `between` is what callers write before batches, by number."""
    await upload(house, made, secret, content)
    runner, window = ImportRunner(house.ports), windows.Window()
    number = 0
    while await runner._step(made.id, window):
        house.clock.advance(SECOND)
        number += 1
        if number in between:
            await house.upsert(between[number])
            house.clock.advance(SECOND)
    house.clock.advance(SECOND)


async def test_what_cannot_be_undone_says_why(house):
    running, _ = await start(house)
    checked = await imported(house, b"id,mail,town\n1,,\n", dry_run=True)
    old = await imported(house, b"id,mail,town\n1,,\n")
    reasons = {}
    for made, advance in ((running, 0), (checked, 0), (old, MESSAGE_DAYS)):
        house.clock.advance(timedelta(days=advance))
        with pytest.raises(UndoRefused) as caught:
            await undo_import(ports=house.ports, workspace=house.workspace, import_id=made.id)
        reasons[made.id] = caught.value.reason

    assert list(reasons.values()) == ["STILL_RUNNING", "DRY_RUN", "TOO_OLD"]
    with pytest.raises(NotFound):
        await undo_import(ports=house.ports, workspace=house.workspace, import_id=1)
    assert (
        await house.ports.database.fetchval(
            "SELECT count(*) FROM imports WHERE workspace_id = $1 AND undo_state IS NOT NULL",
            house.workspace.id,
        )
        == 0
    )


async def test_records_are_deleted_after_their_days_and_nobody_can_undo_then(house):
    made = await imported(house, b"id,mail,town\n1,,\n2,,\n")
    house.clock.advance(timedelta(days=MESSAGE_DAYS))
    await ImportRunner(house.ports).forget_messages()

    assert await recorded(house) == 0
    assert (await look(house, made)).is_recorded is False


async def test_a_cancelled_import_is_undone_as_far_as_it_came(house, monkeypatch):
    monkeypatch.setattr(windows, "BATCH_LIMIT", 1)
    made, secret = await start(house)
    await upload(house, made, secret, b"id,mail,town\n1,,\n2,,\n3,,\n")
    runner, window = ImportRunner(house.ports), windows.Window()
    for _ in range(3):
        await runner._step(made.id, window)
    await cancel_import(ports=house.ports, workspace=house.workspace, import_id=made.id)
    assert [name for name, *_ in await people(house)] == ["1", "2"]

    undone = await undo(house, made)

    assert (undone.state, counts(undone)) == ("CANCELLED", {"people_erased": 2})
    assert await people(house) == []


async def test_to_ask_twice_is_to_ask_once(house):
    made = await imported(house, b"id,mail,town\n1,,\n")
    first = await undo(house, made)
    await house.upsert({"externalId": "1"})

    assert await undo(house, made) == first
    assert [name for name, *_ in await people(house)] == ["1"]


async def test_an_erasure_deletes_the_records_of_the_person(house):
    await house.upsert({"externalId": "1", "city": "Canaryville"})
    made = await imported(
        house, b"id,mail,town\n1,canary@x.org,Oslo\n2,,Riga\n", file_name="canary@x.org.csv"
    )
    await erase_subscriber(ports=house.ports, workspace=house.workspace, subscriber=key("1"))

    rows = await house.ports.database.fetch(
        "SELECT e::text AS text FROM import_effects e WHERE e.bucket_id = $1", house.bucket_id
    )
    assert len(rows) == 1
    assert "anary" not in rows[0]["text"]
    assert (await look(house, made)).file_name is None
    assert counts(await undo(house, made)) == {"people_erased": 1}


async def test_progress_is_told_while_it_is_undone(house):
    made = await imported(house, b"id,mail,town\n1,,\n")
    await undo_import(ports=house.ports, workspace=house.workspace, import_id=made.id)
    followed = import_progress(ports=house.ports, workspace=house.workspace, import_id=made.id)
    told = [(await anext(followed)).undo_state]
    await ImportRunner(house.ports).work_off(made.id)
    told += [it.undo_state async for it in followed]

    assert told == ["RUNNING", "DONE"]


async def test_many_people_are_erased_in_several_transactions(house, monkeypatch):
    monkeypatch.setattr(undoing, "ERASED_AT_ONCE", 3)
    await house.upsert({"externalId": "0", "email": "x@x.org"})
    rows = b"".join(b"%d,m%d@x.org,Riga\n" % (n, n) for n in range(8))
    made = await imported(house, b"id,mail,town\n" + rows + b"9,x@x.org,\n")
    assert made.created == 8

    undone = await undo(house, made)

    assert await people(house) == [("0", "x@x.org", None)]
    assert counts(undone) == {"people_erased": 8, "values_restored": 2}
    assert undone.undo_counts["records"] == undone.recorded == 9


async def test_a_worker_that_is_killed_in_the_middle_loses_and_repeats_nothing(house, monkeypatch):
    """The undo is cut off in each of its first transactions, at any statement."""
    monkeypatch.setattr(windows, "BATCH_LIMIT", 2)
    group = await house.group("Guests")
    await house.upsert(*({"externalId": str(n), "city": "Oslo"} for n in range(10)))
    await house.tick()
    before = await people(house)
    content = b"id,mail,town\n" + b"".join(b"%d,p%d@x.org,Riga\n" % (n, n) for n in range(20))
    made = await imported(house, content, add_to_group_ids=(group.id,))
    await undo_import(ports=house.ports, workspace=house.workspace, import_id=made.id)
    house.clock.advance(SECOND)

    for milliseconds in (1, 3, 6, 10, 15, 20, 30):
        cut = asyncio.create_task(ImportRunner(house.ports).work_off(made.id))
        await asyncio.sleep(milliseconds / 1000)
        cut.cancel()
        await asyncio.wait([cut])
    await ImportRunner(house.ports).work_off(made.id)

    undone = await look(house, made)
    assert await people(house) == before
    assert await members(house, group) == {}
    assert counts(undone) == {"people_erased": 10, "values_restored": 20, "memberships_undone": 10}
    assert undone.undo_counts["records"] == undone.recorded == 20
