"""Who entered and left a segment in a period, and why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audience_gql.audience.log.retention import prune
from tests.api.test_past import ERASE, HOUR, LT, at, live, utc
from tests.api.test_snapshot_and_tail import open_bucket, settle

FLOW = """
query ($id: ID!, $from: DateTime!, $to: DateTime) {
  segment(by: {id: $id}) { flow(from: $from, to: $to) {
    from to membersAtStart membersAtEnd causes { cause entered left } came cameBack left medianStaySeconds
  } }
}
"""


async def flow(api, segment: str, start: str, end: str | None = None):
    found = await api.data(FLOW, id=segment, **{"from": start, "to": end})
    return found["segment"]["flow"]


async def people(api, segment: str, start: str, end: str | None = None) -> tuple[int | None, ...]:
    """What a flow tells besides its period and causes."""
    found = await flow(api, segment, start, end)
    names = ("membersAtStart", "membersAtEnd", "came", "cameBack", "left", "medianStaySeconds")
    return tuple(found[name] for name in names)


async def causes(api, segment: str, start: str, end: str | None = None) -> dict[str, tuple[int, int]]:
    found = await flow(api, segment, start, end)
    return {it["cause"]: (it["entered"], it["left"]) for it in found["causes"]}


async def moves(api, *steps: tuple[str, str]) -> str:
    """People who move to a country one after the other, an hour each. The first does so at noon."""
    segment = await api.segment("LT", LT)
    for person, country in steps:
        await live(api, person, country)
        api.clock.advance(HOUR)
    return segment


async def test_a_period(api):
    segment = await moves(
        api, ("ada", "LT"), ("bob", "LT"), ("ada", "DE"), ("ada", "LT"), ("bob", "DE"), ("ada", "DE")
    )

    assert await flow(api, segment, at(0.5), at(4.5)) == {
        "from": "2026-03-01T12:30:00Z",
        "to": "2026-03-01T16:30:00Z",
        "membersAtStart": 1,
        "membersAtEnd": 1,
        "causes": [{"cause": "SUBSCRIBER", "entered": 2, "left": 2}],
        "came": 2,
        "cameBack": 1,
        "left": 2,
        "medianStaySeconds": 2.5 * 3600,  # two hours and three hours
    }


async def test_the_first_instant_belongs_to_a_period_and_the_last_one_does_not(api):
    segment = await moves(api, ("ada", "LT"), ("bob", "LT"), ("ada", "DE"))

    assert await people(api, segment, at(0), at(1)) == (0, 1, 1, 0, 0, None)
    assert await people(api, segment, at(1), at(2)) == (1, 2, 1, 0, 0, None)
    assert await people(api, segment, at(2), at(3)) == (2, 1, 0, 0, 1, 7200)
    assert await people(api, segment, at(2, microseconds=1), at(3)) == (1, 1, 0, 0, 0, None)
    assert await people(api, segment, at(1), at(2, microseconds=1)) == (1, 1, 1, 0, 1, 7200)


async def test_without_an_end_a_period_includes_what_happens_now(api):
    segment = await moves(api, ("ada", "LT"))
    await live(api, "ada", "DE")

    for end in (None, at(100)):
        found = await flow(api, segment, at(0), end)

        assert (found["membersAtEnd"], found["left"], found["medianStaySeconds"]) == (0, 1, 3600)
        assert found["to"] == "2026-03-01T13:00:00.000001Z"


async def test_a_period_in_which_nothing_happens(api):
    segment = await moves(api, ("ada", "LT"), ("bob", "DE"))

    assert await people(api, segment, at(0.2), at(0.8)) == (1, 1, 0, 0, 0, None)
    assert await causes(api, segment, at(0.2), at(0.8)) == {}
    assert await people(api, segment, at(-30), at(-20)) == (0, 0, 0, 0, 0, None)


async def test_somebody_who_comes_twice_in_a_period_is_one_person_who_came_back(api):
    segment = await moves(api, *[("ada", "LT"), ("ada", "DE")] * 3)

    assert await people(api, segment, at(0), None) == (0, 0, 1, 1, 1, 3600)
    assert await people(api, segment, at(0), at(2)) == (0, 0, 1, 0, 1, 3600)
    assert await people(api, segment, at(2), at(3)) == (0, 1, 1, 1, 0, None)
    assert await causes(api, segment, at(0)) == {"SUBSCRIBER": (3, 3)}


async def test_causes_are_told_apart(api):
    await live(api, "ada", "DE")
    await api.upsert({"externalId": "bob"}, {"externalId": "eve"})
    group = await api.group("Friends")
    segment = await api.segment(
        "Any", {"any": [{"event": {"name": "bought", "within": {"last": {"hours": 3}}}}, LT, {"group": {"anyOf": [group]}}]}
    )  # fmt: skip
    await live(api, "eve", "LT")
    api.clock.advance(HOUR)
    await api.track({"subscriber": {"externalId": "ada"}, "name": "bought"})
    await api.upsert({"externalId": "bob", "addToGroupIds": [group]})
    await api.tick()
    api.clock.advance(4 * HOUR)
    await api.tick()
    await api.data(ERASE, person="eve")

    assert await causes(api, segment, at(0)) == {
        "CLOCK": (0, 1),
        "EVENT": (1, 0),
        "GROUP": (1, 0),
        "MANUAL": (0, 1),
        "SUBSCRIBER": (1, 0),
    }
    assert await people(api, segment, at(0)) == (0, 1, 3, 0, 2, (4 + 5) * 3600 / 2)


async def test_several_buckets_add_up(api):
    segment = await api.segment("LT", LT)
    buckets = [api.bucket_id]
    for number in range(6):
        if number == 3:
            buckets.append(await open_bucket(api))
            await settle(api, buckets)
        await live(api, f"p{number}", "LT", buckets)
        api.clock.advance(HOUR)
    for number in range(6):
        await live(api, f"p{number}", "DE", buckets)
        api.clock.advance(number * HOUR)

    assert await people(api, segment, at(0), None) == (0, 0, 6, 0, 6, 6 * 3600)
    assert await people(api, segment, at(2.5), at(6, microseconds=1)) == (3, 4, 3, 0, 2, int(5.5 * 3600))


async def test_a_shortened_log_tells_its_beginning_and_still_knows_how_long_people_stayed(api):
    segment = await moves(
        api, ("ada", "LT"), ("bob", "LT"), ("eve", "LT"), ("eve", "DE"), ("ada", "DE"), ("eve", "LT")
    )
    before = await flow(api, segment, at(4))
    await prune(ports=api.services.ports, keep=2 * HOUR)

    (error,) = await api.errors(FLOW, id=segment, **{"from": at(3.9), "to": None})

    assert error["extensions"] == {"code": "LOG_EXPIRED", "completeSince": utc(4)}
    assert before["cameBack"] == 1
    assert await flow(api, segment, at(4)) == {**before, "cameBack": 0}  # eve's exit is no longer known
    assert await people(api, segment, at(4)) == (2, 2, 1, 0, 1, 4 * 3600)


@pytest.mark.parametrize(
    ("start", "end"),
    [(at(0), at(0)), (at(0), at(-1)), (at(3), None), (at(1), "soon"), ("soon", None)],
)
async def test_a_period_has_to_be_one_of_the_past(api, start, end):
    segment = await moves(api, ("ada", "LT"))

    found = await api.errors(FLOW, id=segment, **{"from": start, "to": end})

    assert [error["extensions"]["code"] for error in found] == ["BAD_USER_INPUT"]


async def test_other_lists_of_the_same_people_do_not_count(api):
    other = await api.segment("Not DE", {"not": {"country": {"is": "DE"}}})
    segment = await moves(api, ("ada", "FR"), ("ada", "LT"), ("ada", "DE"))
    await api.upsert({"externalId": "ada", "addToGroupIds": [await api.group("Friends")]})
    await api.tick()

    assert await people(api, segment, at(0)) == (0, 0, 1, 0, 1, 3600)
    assert await people(api, other, at(0)) == (0, 0, 1, 0, 1, 7200)
    assert api.clock.instant - timedelta(hours=3) == await noon(api)


async def noon(api):
    (row,) = await api.services.ports.database.fetch(
        "SELECT min(occurred_at) AS first FROM membership_changes WHERE bucket_id = $1", api.bucket_id
    )
    return row["first"]
