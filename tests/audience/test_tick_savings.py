"""What a tick does not do, because nothing has called for it; and that it does it when something has."""

from __future__ import annotations

import gc
from datetime import timedelta

import pytest

from audience_gql.audience.definitions.pausing import pause_segment, resume_segment
from audience_gql.audience.definitions.segments import delete_segment, update_segment
from audience_gql.audience.engine import plans
from audience_gql.audience.engine.affected import Plan
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import segment_definitions
from audience_gql.storage.engine import edges, membership
from audience_gql.storage.engine.evaluation import Evaluation

LAST_MINUTE = {"event": {"name": "opened", "within": {"last": {"minutes": 1}}}}
EVER = {"event": {"name": "opened"}}


@pytest.fixture
def counted(monkeypatch):
    """How often ticks, fills and audits read which segments there are."""
    reads = []
    honest = membership.tick_segments

    async def tick_segments(connection, bucket):
        reads.append(bucket.id)
        return await honest(connection, bucket)

    monkeypatch.setattr(membership, "tick_segments", tick_segments)
    return reads


@pytest.fixture
def crossed(monkeypatch):
    """Whom the ticks found on edges."""
    found: list[set[int]] = []
    honest = edges.people_on_edges

    async def people_on_edges(*arguments, **named):
        people = await honest(*arguments, **named)
        found.append(set(people or ()))
        return people

    monkeypatch.setattr(edges, "people_on_edges", people_on_edges)
    return found


async def test_segments_are_read_once(house, counted):
    await house.upsert({"externalId": "ada"})
    await house.segment("S", EVER)
    await house.tick()
    counted.clear()

    for _ in range(5):
        await house.track("ada", "opened")
        await house.tick()

    assert counted == []


async def fill(house, segment) -> None:
    await update_segment(
        ports=house.ports,
        workspace=house.workspace,
        segment_id=segment.id,
        condition=LAST_MINUTE,
        ids=PLAIN_IDS,
    )
    await house.tick()
    await house.membership.fill(house.bucket_id, segment.id)


async def rename(house, segment) -> None:
    await update_segment(
        ports=house.ports, workspace=house.workspace, segment_id=segment.id, name="Another", ids=PLAIN_IDS
    )


async def pause(house, segment) -> None:
    await pause_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)


async def resume(house, segment) -> None:
    await pause(house, segment)
    await house.tick()
    await resume_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)


async def delete(house, segment) -> None:
    await delete_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)


async def fail(house, segment) -> None:
    async with house.ports.database.transaction() as transaction:
        await segment_definitions.fail_segment(transaction.connection, segment.id, "no")


@pytest.mark.parametrize("change", [fill, rename, pause, resume, delete, fail])
async def test_whatever_is_defined_anew_is_read_again(house, change):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("S", EVER)
    await house.tick()

    await change(house, segment)
    await house.track("ada", "opened")
    await house.tick()

    async with house.membership._pool.transaction() as connection:
        bucket = await membership.lock_bucket(connection, house.bucket_id)
        assert bucket
        now = await membership.tick_segments(connection, bucket)
    assert house.membership._verdicts._plans._segments[house.bucket_id][1] == now


async def test_a_fill_that_is_rolled_back_leaves_no_plan_behind(house, monkeypatch):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("S", EVER)
    await house.tick()
    await update_segment(
        ports=house.ports,
        workspace=house.workspace,
        segment_id=segment.id,
        condition=LAST_MINUTE,
        ids=PLAIN_IDS,
    )

    async def away(*_, **__):
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(membership, "leave_fill", away)
        with pytest.raises(Exception, match="away"):
            await house.fill()
    await house.track("ada", "opened")
    await house.tick()
    await house.fill()
    await house.tick()

    assert await house.members(segment) == {"ada"}


async def test_what_happened_just_now_is_not_looked_at_again_by_the_clock(house, crossed):
    await house.upsert({"externalId": "ada"}, {"externalId": "bob"})
    await house.segment("S", LAST_MINUTE)
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()
    house.clock.advance(timedelta(seconds=60))
    await house.track("bob", "opened", occurred_at=house.clock.instant)
    crossed.clear()

    await house.tick()

    (ada,) = await house.ports.database.fetch(
        "SELECT id FROM subscribers WHERE bucket_id = $1 AND external_id = 'ada'", house.bucket_id
    )
    assert crossed == [{ada["id"]}]


@pytest.fixture
def probed(monkeypatch):
    """The places of the edges of which ticks ask who crosses them next: the second is their offset."""
    asked: list[set[tuple[str, float]]] = []
    honest = edges.due_by_edge

    async def due_by_edge(connection, bucket_id, wanted, after):
        asked.append({(edge.table, edge.offset.total_seconds()) for edge in wanted})
        return await honest(connection, bucket_id, wanted, after)

    monkeypatch.setattr(edges, "due_by_edge", due_by_edge)
    return asked


async def test_the_clock_passes_over_what_something_newer_has_made_good(house, crossed):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("S", LAST_MINUTE)
    for _ in range(3):
        await house.track("ada", "opened", occurred_at=house.clock.instant)
        await house.tick()
        house.clock.advance(timedelta(seconds=40))
    last = house.clock.instant - timedelta(seconds=40)
    house.clock.instant = last + timedelta(seconds=60) - timedelta(microseconds=1)
    await house.tick()
    assert not any(crossed)
    assert await house.members(segment) == {"ada"}

    house.clock.advance(timedelta(microseconds=1))
    await house.tick()

    assert len(crossed[-1]) == 1
    assert await house.members(segment) == set()


async def test_a_tick_asks_nothing_about_an_event_of_which_it_is_told_when_it_happened(house, probed):
    await house.upsert({"externalId": "ada"})
    await house.segment("S", LAST_MINUTE)
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()
    house.clock.advance(timedelta(seconds=60))
    await house.tick()
    probed.clear()

    await house.track("ada", "opened", occurred_at=house.clock.instant - timedelta(seconds=20))
    due = (await house.tick()).next_due_at

    assert probed == [set()]
    assert due == house.clock.instant + timedelta(seconds=40)


async def test_a_tick_looks_only_at_the_edges_that_have_come(house, probed):
    await house.upsert({"externalId": "ada"})
    for minutes in (1, 5, 9):
        await house.segment(
            f"{minutes}", {"event": {"name": "opened", "within": {"last": {"minutes": minutes}}}}
        )
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()
    house.clock.advance(timedelta(seconds=60))
    await house.tick()  # the first with these segments that looks at all edges
    probed.clear()

    house.clock.advance(timedelta(seconds=240))
    await house.tick()
    house.clock.advance(timedelta(seconds=60))
    await house.tick()

    assert probed == [{("events", 300.0)}, set()]


async def test_an_event_ahead_that_nobody_read_counts_for_a_segment_that_comes_before_it(house):
    await house.upsert({"externalId": "ada"})
    await house.segment("Other", {"event": {"name": "clicked"}})
    await house.tick()
    await house.track("ada", "opened", occurred_at=house.clock.instant + timedelta(seconds=5))
    await house.tick()
    segment = await house.segment("S", LAST_MINUTE)
    house.clock.advance(timedelta(seconds=6))

    await house.tick()

    assert await house.members(segment) == {"ada"}


async def test_an_event_ahead_counts_although_others_came_of_age_before(house):
    await house.upsert({"externalId": "ada"}, {"externalId": "bob"})
    segment = await house.segment("S", LAST_MINUTE)
    await house.track("ada", "opened", occurred_at=house.clock.instant + timedelta(seconds=5))
    await house.track("bob", "opened", occurred_at=house.clock.instant + timedelta(seconds=9))
    await house.tick()
    for _ in range(2):
        house.clock.advance(timedelta(seconds=5))
        await house.tick()

    assert await house.members(segment) == {"ada", "bob"}


@pytest.fixture
def looks(monkeypatch):
    """Which segments were asked about how many people, look by look."""
    made: list[tuple[set[int], int]] = []
    honest = Evaluation.differences_of_people

    async def differences_of_people(evaluation, connection, bucket_id, evaluable, people, now):
        made.append((set(evaluable.conditions), len(people)))
        return await honest(evaluation, connection, bucket_id, evaluable, people, now)

    monkeypatch.setattr(Evaluation, "differences_of_people", differences_of_people)
    return made


async def test_people_are_looked_at_only_for_the_segments_that_their_facts_can_change(house, looks):
    await house.upsert({"externalId": "ada"}, {"externalId": "bob"})
    reading = await house.segment("S", LAST_MINUTE)
    await house.segment("Other", {"event": {"name": "clicked"}})
    country = await house.segment("Country", {"country": {"is": "LT"}})
    await house.tick()
    looks.clear()

    for person in ("ada", "bob"):
        await house.track(person, "opened", occurred_at=house.clock.instant)
    await house.tick()
    assert looks.pop() == ({reading.id}, 2)

    house.clock.advance(timedelta(seconds=60))
    await house.tick()
    assert looks.pop() == ({reading.id}, 2)

    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.upsert({"externalId": "bob", "country": "LT"})
    await house.tick()
    assert sorted(looks) == sorted([({reading.id}, 1), ({country.id}, 1)])


async def test_people_of_many_kinds_of_facts_are_looked_at_together(house, looks):
    await house.upsert({"externalId": "ada"})
    names = [f"event {number}" for number in range(8)]
    segments = {(await house.segment(name, {"event": {"name": name}})).id for name in names}
    await house.tick()
    looks.clear()

    for name in names:
        await house.track("ada", name)
    await house.tick()

    assert looks == [(segments, 1)]


async def test_many_people_of_one_kind_of_fact_stay_apart_from_few_of_many_kinds(house, looks):
    people = [f"p{number}" for number in range(20)]
    await house.upsert(*({"externalId": person} for person in people))
    reading = await house.segment("S", LAST_MINUTE)
    names = [f"event {number}" for number in range(8)]
    for name in names:
        await house.segment(name, {"event": {"name": name}})
    await house.tick()
    looks.clear()

    for person in people:
        await house.track(person, "opened", occurred_at=house.clock.instant)
    for name in names:
        await house.track("p0", name)
    await house.tick()

    assert ({reading.id}, 20) in looks
    assert sum(count for segment_ids, count in looks if reading.id in segment_ids) == 21


async def test_a_plan_that_is_not_kept_is_gone(house, monkeypatch):
    """However many workspaces a worker remembers the next instants of, their plans are only those used lately."""
    monkeypatch.setattr(plans, "_PLANS_KEPT", 0)
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("S", LAST_MINUTE)
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()
    assert house.membership._clockwork._remembered.keys() == {house.bucket_id}

    gc.collect()

    assert not [one for one in gc.get_objects() if type(one) is Plan and segment.id in one.revisions]
