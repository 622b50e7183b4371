"""Whose turn it is: live before bulk, every workspace in its turn, and nobody starves."""

from __future__ import annotations

from audience_gql.audience.engine.alarms import Alarms
from audience_gql.audience.engine.schedule import Schedule, Urgency
from audience_gql.audience.engine.sharing import Share

LIVE, BULK = Urgency.LIVE, Urgency.BULK


def started(schedule: Schedule) -> list[int]:
    found = []
    while (bucket_id := schedule.start()) is not None:
        found.append(bucket_id)
    return found


def one_after_the_other(schedule: Schedule, turns: int) -> list[int]:
    order = []
    for _ in range(turns):
        bucket_id = schedule.start()
        assert bucket_id is not None
        order.append(bucket_id)
        schedule.finish(bucket_id)
    return order


def test_a_giant_import_does_not_starve_a_small_customer():
    schedule = Schedule(1)
    for bucket_id in range(100, 200):
        schedule.want(bucket_id, 1, BULK)
    schedule.want(7, 2, BULK)

    assert 7 in one_after_the_other(schedule, 2)


def test_live_changes_go_before_bulk_ones():
    schedule = Schedule(1)
    for bucket_id in range(100, 103):
        schedule.want(bucket_id, 1, BULK)
    schedule.want(7, 2, LIVE)
    schedule.want(101, 1, LIVE)

    assert one_after_the_other(schedule, 4) == [7, 101, 100, 102]


def test_a_slot_is_kept_for_live_changes_while_imports_run():
    schedule = Schedule(3)
    for bucket_id in range(100, 110):
        schedule.want(bucket_id, bucket_id, BULK)
    assert len(started(schedule)) == 2

    schedule.want(7, 7, LIVE)

    assert started(schedule) == [7]


def test_a_slot_is_kept_for_an_import_while_live_changes_pour_in():
    schedule = Schedule(3)
    schedule.want(100, 100, BULK)
    for bucket_id in range(10):
        schedule.want(bucket_id, bucket_id, LIVE)

    assert sorted(started(schedule)) == [0, 1, 100]


def test_without_an_import_live_changes_have_all_slots():
    schedule = Schedule(3)
    for bucket_id in range(10):
        schedule.want(bucket_id, bucket_id, LIVE)

    assert started(schedule) == [0, 1, 2]


def test_a_bucket_is_never_ticked_twice_at_once_and_once_more_after():
    schedule = Schedule(4)
    schedule.want(7, 1, LIVE)
    assert started(schedule) == [7]
    schedule.want(7, 1, BULK)
    schedule.want(7, 1, LIVE)
    assert started(schedule) == []

    schedule.finish(7)

    assert started(schedule) == [7]
    schedule.finish(7)
    assert started(schedule) == []


def test_alarms_ring_in_their_order_and_the_last_setting_counts():
    alarms = Alarms()
    alarms.set(1, 30.0)
    alarms.set(2, 10.0)
    alarms.set(3, 20.0)
    alarms.set(2, 40.0)
    alarms.clear(3)

    assert alarms.next_at() == 30.0
    assert alarms.ring(29.9) == []
    assert alarms.ring(50.0) == [1, 2]
    assert (alarms.next_at(), len(alarms)) == (None, 0)


def test_every_bucket_has_one_worker_and_a_death_moves_only_its_own():
    workers = [11, 22, 33]
    buckets = range(1000)
    owner = {
        bucket_id: [worker for worker in workers if Share(worker, workers).has(bucket_id)]
        for bucket_id in buckets
    }
    assert all(len(owners) == 1 for owners in owner.values())
    sizes = [sum(owners == [worker] for owners in owner.values()) for worker in workers]
    assert min(sizes) > 250

    after = {
        bucket_id: [worker for worker in (11, 33) if Share(worker, [11, 33]).has(bucket_id)]
        for bucket_id in buckets
    }
    assert all(after[bucket_id] == owner[bucket_id] for bucket_id in buckets if owner[bucket_id] != [22])


def test_a_worker_that_knows_of_nobody_does_everything():
    assert all(Share(5).has(bucket_id) for bucket_id in range(100))
