"""Audits and recomputes: what is wrong is found without a lock, repaired under it, logged with evidence; what is right costs a look."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from audience_gql.audience.definitions.recomputes import request_recompute
from audience_gql.audience.engine.auditor import audit_slices, metrics
from audience_gql.audience.engine.fill_queue import FillQueue
from audience_gql.audience.engine.membership import EVERYBODY
from audience_gql.storage import segment_definitions
from audience_gql.storage.engine import fills, membership
from audience_gql.storage.people import facts
from tests.filling import fill_bucket

LITHUANIA = {"country": {"is": "LT"}}
LAST_MINUTE = {"event": {"name": "opened", "within": {"last": {"minutes": 1}}}}


async def three_people(house):
    await house.upsert(
        {"externalId": "ada", "country": "LT"},
        {"externalId": "bob", "country": "LT"},
        {"externalId": "cyd", "country": "LV"},
    )
    await house.tick()


async def corrupt(house, segment) -> None:
    """Behind the engine's back: ada is lost, cyd slips in."""
    database = house.ports.database
    await database.fetch(
        "DELETE FROM segment_members m USING subscribers s WHERE s.bucket_id = m.bucket_id AND s.id = m.subscriber_id "
        "AND m.segment_id = $1 AND s.external_id = 'ada'",
        segment.id,
    )
    await database.fetch(
        "INSERT INTO segment_members (bucket_id, segment_id, subscriber_id, entered_at) "
        "SELECT s.bucket_id, $1, s.id, s.created_at FROM subscribers s WHERE s.bucket_id = $2 AND s.external_id = 'cyd'",
        segment.id,
        house.bucket_id,
    )


async def recompute(house, segment) -> None:
    await request_recompute(ports=house.ports, workspace=house.workspace, segment_id=segment.id)
    await work_off(house)


async def work_off(house) -> None:
    await FillQueue(house.ports, house.membership, house.bucket_id.__eq__).work_off()


async def progress(house, segment) -> fills.FillProgress:
    async with house.ports.database.acquire() as connection:
        found = await fills.progress(connection, segment.id)
    assert found is not None
    return found


async def test_a_recompute_repairs_and_tells_what_it_found(house, caplog):
    await three_people(house)
    segment = await house.segment("S", LITHUANIA)
    await corrupt(house, segment)
    known = len(await house.log())

    await recompute(house, segment)

    assert await house.members(segment) == {"ada", "bob"}
    assert sorted((await house.log())[known:]) == [("ada", True, "REPAIR"), ("cyd", False, "REPAIR")]
    found = await progress(house, segment)
    assert (found.fraction, found.entered, found.left) == (1.0, 1, 1)
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert f"repaired segment {segment.id} (revision 1)" in told.getMessage()


async def test_a_recompute_of_what_is_right_writes_nothing_and_locks_nothing(house, caplog):
    await three_people(house)
    segment = await house.segment("S", LITHUANIA)
    await house.tick()
    known = len(await house.log())
    await request_recompute(ports=house.ports, workspace=house.workspace, segment_id=segment.id)

    async with house.ports.database.transaction() as transaction:
        await membership.lock_bucket(transaction.connection, house.bucket_id)
        async with asyncio.timeout(10):
            await house.membership.fill(house.bucket_id, segment.id)

    assert (await progress(house, segment)).fraction == 1.0
    assert len(await house.log()) == known
    assert not caplog.records


async def test_people_with_marks_are_left_to_their_tick(house, caplog):
    await three_people(house)
    segment = await house.segment("S", LITHUANIA)
    await house.tick()
    await house.upsert({"externalId": "cyd", "country": "LT"})

    assert await house.membership.audit(house.bucket_id, segment.id) is not None

    assert await house.members(segment) == {"ada", "bob"}
    await house.tick()
    assert (await house.log())[-1] == ("cyd", True, "SUBSCRIBER")
    assert not caplog.records


async def test_what_became_due_since_the_last_tick_is_no_difference(house, caplog):
    await three_people(house)
    segment = await house.segment("S", LAST_MINUTE)
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()
    house.clock.advance(timedelta(minutes=1))

    repaired = await house.membership.audit(house.bucket_id, segment.id)

    assert (repaired.entered, repaired.left) == (0, 0)
    assert await house.members(segment) == {"ada"}
    await house.tick()
    assert (await house.log())[-1] == ("ada", False, "CLOCK")
    assert not caplog.records


async def test_listeners_hear_of_a_repair(house):
    await three_people(house)
    segment = await house.segment("S", LITHUANIA)
    await corrupt(house, segment)

    async with house.ports.signals.changes(house.workspace.id) as wakeups:
        await wakeups.wait(1)
        await house.membership.audit(house.bucket_id, segment.id)

        assert await wakeups.wait(1) == {house.workspace.id}


async def test_only_the_slice_is_looked_at(house):
    await three_people(house)
    segment = await house.segment("S", LITHUANIA)
    await corrupt(house, segment)
    (ada,) = await house.ports.database.fetch(
        "SELECT id FROM subscribers WHERE bucket_id = $1 AND external_id = 'ada'", house.bucket_id
    )

    await house.membership.audit(house.bucket_id, segment.id, after=ada["id"], upto=EVERYBODY)
    assert "ada" not in await house.members(segment)

    await house.membership.audit(house.bucket_id, segment.id, after=ada["id"] - 1, upto=ada["id"])
    assert "ada" in await house.members(segment)


async def test_a_segment_that_is_being_filled_is_not_audited(house):
    await three_people(house)
    segment = await house.segment("S", LITHUANIA)
    await house.ports.database.fetch(
        "UPDATE segment_states SET filled_to = -1, fill_cause = 'DEFINITION' WHERE segment_id = $1",
        segment.id,
    )
    await corrupt(house, segment)

    assert await house.membership.audit(house.bucket_id, segment.id) is None
    assert await house.members(segment) == {"bob", "cyd"}


async def test_a_second_caller_joins_and_a_result_stands_for_a_minute(house):
    await three_people(house)
    segment = await house.segment("S", LITHUANIA)
    await corrupt(house, segment)
    await request_recompute(ports=house.ports, workspace=house.workspace, segment_id=segment.id)
    await request_recompute(ports=house.ports, workspace=house.workspace, segment_id=segment.id)
    await work_off(house)

    house.clock.advance(timedelta(seconds=59))
    await recompute(house, segment)
    kept = await progress(house, segment)
    house.clock.advance(timedelta(seconds=2))
    await recompute(house, segment)
    fresh = await progress(house, segment)

    assert (kept.entered, kept.left) == (1, 1)
    assert (fresh.entered, fresh.left) == (0, 0)


async def test_a_request_that_comes_while_another_is_worked_off_is_not_lost(house, monkeypatch):
    await three_people(house)
    segment = await house.segment("S", LITHUANIA)
    honest = fills.settle

    async def settle(connection, segments):
        monkeypatch.setattr(fills, "settle", honest)
        (waiting,) = (it for it in segments if it.segment_id == segment.id)
        await house.ports.database.fetch(
            "UPDATE segments SET generation = generation + 1 WHERE id = $1", segment.id
        )
        async with house.ports.database.transaction() as transaction:
            await fills.want(transaction.connection, [segment.id], ticket=waiting.ticket + 1, lane=facts.LIVE)
        await fill_bucket(house.ports.database, house.membership, house.bucket_id)
        return await honest(connection, [waiting])

    monkeypatch.setattr(fills, "settle", settle)
    await work_off(house)

    async with house.ports.database.acquire() as connection:
        assert segment.id in await fills.segments_to_fill(connection)
    await work_off(house)
    async with house.ports.database.acquire() as connection:
        assert segment.id not in await fills.segments_to_fill(connection)


async def test_the_auditor_finds_a_wrong_membership_and_counts_it(lone_house):
    house = lone_house  # where a random slice is of the one segment that there is
    await three_people(house)
    segment = await house.segment("S", LITHUANIA)
    await corrupt(house, segment)

    first = await audit_slices(ports=house.ports, membership=house.membership, slices=5)
    second = await audit_slices(ports=house.ports, membership=house.membership, slices=1)

    assert await house.members(segment) == {"ada", "bob"}
    assert (first.slices, first.people, first.differences) == (5, 15, 2)
    assert (second.slices, second.differences) == (1, 0)
    told = await metrics(ports=house.ports)
    assert told["audience_wrong_memberships_total"] == 2
    assert told["audience_audited_slices_total"] == 6


@pytest.mark.parametrize("state", ["deleted", "failed"])
async def test_a_segment_that_is_gone_or_failed_is_not_audited(house, state):
    await three_people(house)
    segment = await house.segment("S", LITHUANIA)
    if state == "deleted":
        await segment.delete()
    else:
        async with house.ports.database.transaction() as transaction:
            await segment_definitions.fail_segment(transaction.connection, segment.id, "no")

    assert await house.membership.audit(house.bucket_id, segment.id) is None


async def test_an_audit_between_two_slices_of_a_crowd_waits_for_the_last(house, monkeypatch, caplog):
    """People whom no slice has reached yet are not a difference and are not repaired."""
    for bound in ("LEAST_A_TICK", "PEOPLE_A_TICK"):
        monkeypatch.setattr(f"audience_gql.audience.engine.membership.{bound}", 1)
    for bound in ("LEAST_SLICE", "LARGEST_SLICE"):
        monkeypatch.setattr(f"audience_gql.audience.engine.clockwork.{bound}", 1)
    house.membership._people_a_tick = house.membership._clockwork._slice = 1
    await three_people(house)
    segment = await house.segment("S", LAST_MINUTE)
    for person in ("ada", "bob", "cyd"):
        await house.track(person, "opened", occurred_at=house.clock.instant)
    while not (await house.tick()).is_drained:
        continue
    house.clock.advance(timedelta(minutes=1))
    assert (await house.tick()).times.crowd_through == house.clock.instant
    suspects = [row["id"] for row in await house.ports.database.fetch("SELECT id FROM subscribers")]

    assert await house.membership._auditing._repair(house.bucket_id, segment.id, suspects) is not None
    assert await house.membership.audit(house.bucket_id, segment.id) is not None

    while not (await house.tick()).is_drained:
        continue
    assert await house.members(segment) == set()
    assert not caplog.records
    assert {change for change in await house.log() if not change[1]} == {
        (person, False, "CLOCK") for person in ("ada", "bob", "cyd")
    }
