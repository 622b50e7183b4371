"""What the members of a segment did while they were members, next to what everybody did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audience_gql.audience.log.retention import prune
from tests.api.conftest import NOON
from tests.api.test_past import ERASE, HOUR, LT, at, live, utc
from tests.api.test_snapshot_and_tail import open_bucket, settle

PERFORMANCE = """
query ($id: ID!, $events: [String!]!, $from: DateTime!, $to: DateTime, $comparedTo: ID) {
  segment(by: {id: $id}) { performance(events: $events, from: $from, to: $to, comparedTo: $comparedTo) {
    event members { ...figures } everybody { ...figures } compared { ...figures }
  } }
}
fragment figures on Performance { people audience events sum mean rate }
"""


async def performance(api, segment: str, *events: str, start=None, end=None, compared: str | None = None):
    """(people, audience, events, sum, mean, rate) of the members, of everybody and of those compared to, for each event."""
    found = await api.data(
        PERFORMANCE,
        id=segment,
        events=list(events),
        comparedTo=compared,
        **{"from": start or at(0), "to": end},
    )
    told = found["segment"]["performance"]
    assert [it["event"] for it in told] == list(events)
    return [
        tuple(it[who] and tuple(it[who].values()) for who in ("members", "everybody", "compared"))
        for it in told
    ]


async def track(api, person: str, name: str, hours: float, value: float | None = None) -> None:
    """An event so long after noon."""
    tracked = await api.track(
        {
            "subscriber": {"externalId": person},
            "name": name,
            "value": value,
            "occurredAt": (NOON + hours * HOUR).isoformat(),
        }
    )
    assert tracked["accepted"] == 1


async def shop(api) -> str:
    """Ada is in the segment from noon on, bob until two hours later, and eve never. It is four hours after noon."""
    segment = await api.segment("LT", LT)
    for hours, moving in enumerate([("ada", "LT"), ("eve", "FR"), ("bob", "DE"), ("tim", "FR")]):
        if hours == 0:
            await api.upsert({"externalId": "bob", "country": "LT"})
        await live(api, *moving)
        api.clock.advance(HOUR)
    return segment


async def test_an_event_counts_for_a_segment_while_its_person_is_a_member(api):
    segment = await shop(api)
    for person, hours, value in (
        ("ada", 1, 10), ("ada", 3, 20), ("bob", 1, 2.5), ("bob", 3, 100), ("eve", 1, 7), ("ada", -1, 50)
    ):  # fmt: skip
        await track(api, person, "bought", hours, value)

    assert await performance(api, segment, "bought") == [
        ((2, 2, 3, 32.5, 32.5 / 3, 1.0), (3, 4, 5, 139.5, 27.9, 0.75), None)
    ]
    assert await performance(api, segment, "bought", start=at(2), end=at(3.5)) == [
        ((1, 1, 1, 20, 20, 1.0), (2, 4, 2, 120, 60, 0.5), None)
    ]


async def test_the_instants_of_entering_belong_to_a_stay_and_those_of_leaving_do_not(api):
    segment = await shop(api)
    microsecond = timedelta(microseconds=1) / HOUR
    await track(api, "bob", "came", 0)
    await track(api, "bob", "before", -microsecond)
    await track(api, "bob", "went", 2)
    await track(api, "bob", "stayed", 2 - microsecond)

    found = await performance(api, segment, "came", "before", "went", "stayed", start=at(-1))

    assert [(members[0], everybody[0]) for members, everybody, _ in found] == [(1, 1), (0, 1), (0, 1), (1, 1)]


async def test_the_first_instant_belongs_to_a_period_and_the_last_one_does_not(api):
    segment = await shop(api)
    await track(api, "ada", "bought", 1)
    await track(api, "ada", "bought", 2)

    for start, end, events in ((1, 2, 1), (1, 2.1, 2), (1.1, 2.1, 1), (1.1, 2, 0)):
        ((members, everybody, _),) = await performance(api, segment, "bought", start=at(start), end=at(end))

        assert (members[2], everybody[2]) == (events, events)


async def test_the_audience_is_whoever_was_a_member_at_some_instant_of_the_period(api):
    segment = await shop(api)

    for start, end, audience in ((-2, 0, 0), (0, 1, 2), (1.9, 2.1, 2), (2, 3, 1), (3, 4, 1)):
        ((members, everybody, _),) = await performance(api, segment, "x", start=at(start), end=at(end))

        assert (members[1], everybody[1]) == (audience, 4)
        assert members[-1] == (0 if audience else None)


async def test_a_stay_of_no_length_is_none(api):
    segment = await api.segment("LT", LT)
    await live(api, "ada", "LT")
    await live(api, "ada", "DE")
    await track(api, "ada", "bought", 0)

    for start in (at(0), at(-1)):
        assert await performance(api, segment, "bought", start=start) == [
            ((0, 0, 0, None, None, None), (1, 1, 1, None, None, 1.0), None)
        ]


async def test_somebody_who_comes_twice_is_one_person(api):
    segment = await api.segment("LT", LT)
    for country in ("LT", "DE", "LT"):
        await live(api, "ada", country)
        api.clock.advance(HOUR)
    for hours in (0.5, 1.5, 2.5):
        await track(api, "ada", "bought", hours, 1)

    assert await performance(api, segment, "bought") == [((1, 1, 2, 2, 1, 1.0), (1, 1, 3, 3, 1, 1.0), None)]


async def test_compared_to_another_segment(api):
    segment = await shop(api)
    others = await api.segment("Not LT", {"not": LT})
    api.clock.advance(2 * HOUR)
    await live(api, "eve", "LT")
    api.clock.advance(HOUR)
    for person, hours, value in (("ada", 4.5, 1), ("eve", 4.5, 2), ("eve", 6.5, 4), ("tim", 5, 8)):
        await track(api, person, "bought", hours, value)

    found = await performance(api, segment, "bought", start=at(4), compared=others)
    same = await performance(api, segment, "bought", start=at(4), compared=segment)

    members, everybody = (2, 2, 2, 5, 2.5, 1.0), (3, 4, 4, 15, 3.75, 0.75)
    assert found == [(members, everybody, (2, 3, 2, 10, 5, 2 / 3))]
    assert same == [(members, everybody, members)]


async def test_an_unknown_event_counts_as_zero_and_events_without_values_have_no_sum(api):
    segment = await shop(api)
    await track(api, "ada", "opened", 1)
    await track(api, "ada", "bought", 1, 0)

    assert await performance(api, segment, "nothing", "opened", "bought", "opened") == [
        ((0, 2, 0, None, None, 0.0), (0, 4, 0, None, None, 0.0), None),
        ((1, 2, 1, None, None, 0.5), (1, 4, 1, None, None, 0.25), None),
        ((1, 2, 1, 0, 0, 0.5), (1, 4, 1, 0, 0, 0.25), None),
        ((1, 2, 1, None, None, 0.5), (1, 4, 1, None, None, 0.25), None),
    ]


async def test_a_name_that_no_event_can_have_counts_as_zero(api):
    segment = await shop(api)

    found = await performance(api, segment, "\0", "\ud800", "x" * 10_000, "")

    assert [(members[2], everybody[2]) for members, everybody, _ in found] == [(0, 0)] * 4


async def test_the_mean_is_of_the_events_that_have_a_value(api):
    segment = await shop(api)
    await track(api, "ada", "bought", 1, 10)
    await track(api, "ada", "bought", 2)
    await track(api, "ada", "bought", 3, 5)

    ((members, _, _),) = await performance(api, segment, "bought")

    assert members == (1, 2, 3, 15, 7.5, 0.5)


async def test_erased_people_do_not_count(api):
    segment = await shop(api)
    await track(api, "ada", "bought", 1, 10)
    await track(api, "bob", "bought", 1, 10)
    await api.data(ERASE, person="ada")

    assert await performance(api, segment, "bought") == [
        ((1, 1, 1, 10, 10, 1.0), (1, 3, 1, 10, 10, 1 / 3), None)
    ]


async def test_events_of_the_future_do_not_count(api):
    segment = await shop(api)
    await track(api, "ada", "bought", 4)
    await track(api, "ada", "bought", 5)

    for end in (None, at(6)):
        ((members, everybody, _),) = await performance(api, segment, "bought", end=end)

        assert (members[2], everybody[2]) == (1, 1)


async def test_several_buckets_add_up(api):
    segment = await api.segment("LT", LT)
    buckets = [api.bucket_id]
    for number in range(4):
        if number == 2:
            buckets.append(await open_bucket(api))
            await settle(api, buckets)
        await live(api, f"p{number}", "LT" if number else "DE", buckets)
        await track(api, f"p{number}", "bought", number + 0.5, number)
        api.clock.advance(HOUR)

    assert await performance(api, segment, "bought") == [((3, 3, 3, 6, 2, 1.0), (4, 4, 4, 6, 1.5, 1.0), None)]


async def test_members_of_a_shortened_log_count_from_where_it_is_complete(api):
    segment = await shop(api)
    await track(api, "ada", "bought", 2.5, 10)
    await track(api, "bob", "bought", 2.5, 10)
    before = await performance(api, segment, "bought", start=at(2))
    await prune(ports=api.services.ports, keep=2 * HOUR)

    (error,) = await api.errors(PERFORMANCE, id=segment, events=["bought"], **{"from": at(1.9)})

    assert error["extensions"] == {"code": "LOG_EXPIRED", "completeSince": utc(2)}
    assert before == [((1, 1, 1, 10, 10, 1.0), (2, 4, 2, 20, 10, 0.5), None)]
    assert await performance(api, segment, "bought", start=at(2)) == before


@pytest.mark.parametrize("names", [[], ["x"] * 11])
async def test_one_to_ten_names(api, names):
    segment = await api.segment("LT", LT)
    api.clock.advance(HOUR)

    (error,) = await api.errors(PERFORMANCE, id=segment, events=names, **{"from": at(0)})

    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "events"}


async def test_an_unknown_segment_to_compare_with(api, stranger):
    segment = await shop(api)
    foreign = await stranger.segment("LT", LT)

    for compared in ("seg_AQ", "x", foreign):
        (error,) = await api.errors(
            PERFORMANCE, id=segment, events=["bought"], comparedTo=compared, **{"from": at(0)}
        )

        assert error["extensions"] == {"code": "NOT_FOUND", "argument": "comparedTo"}


async def test_events_and_people_of_another_workspace_do_not_count(api, stranger):
    segment = await shop(api)
    await shop(stranger)
    await track(stranger, "ada", "bought", 1, 10)

    assert await performance(api, segment, "bought") == [
        ((0, 2, 0, None, None, 0.0), (0, 4, 0, None, None, 0.0), None)
    ]
