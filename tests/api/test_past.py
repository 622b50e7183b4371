"""Who was a member at an instant of the past, as the log has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audience_gql.api.insights import past
from audience_gql.audience.log.retention import prune
from tests.api.conftest import NOON
from tests.api.test_snapshot_and_tail import open_bucket, settle
from tests.api.test_statement_counts import shapes

MEMBERS = """
query ($id: ID!, $asOf: DateTime, $first: Int, $after: String) {
  segment(by: {id: $id}) {
    members(asOf: $asOf, first: $first, after: $after) {
      feedCursor pageInfo { hasNextPage hasPreviousPage endCursor }
      edges { enteredAt node { externalId country } }
    }
  }
}
"""
WAS = """
query ($person: String!, $segment: ID!, $at: DateTime!) {
  subscriber(by: {externalId: $person}) { wasMember(segmentId: $segment, at: $at) }
}
"""
LATER = """
query ($id: ID!, $after: String!) {
  membershipChanges(segmentIds: [$id], after: $after) { changes { kind occurredAt subscriber { externalId } } }
}
"""
ERASE = """
mutation ($person: String!) { eraseSubscriber(input: {subscriber: {externalId: $person}}) { __typename } }
"""
LT = {"country": {"is": "LT"}}
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


def at(hours: float, *, microseconds: int = 0) -> str:
    """The instant so long after noon."""
    return (NOON + hours * HOUR + microseconds * MICROSECOND).isoformat()


def utc(hours: int) -> str:
    return (NOON + hours * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")


async def page(api, segment: str, as_of: str | None, first: int = 20, after: str | None = None):
    found = await api.data(MEMBERS, id=segment, asOf=as_of, first=first, after=after)
    return found["segment"]["members"]


async def members(api, segment: str, as_of: str) -> list[tuple[str, str]]:
    """(external id, when they had entered) of the members at an instant, in the order of the pages, one person a page."""
    found, after, has_more = [], None, True
    while has_more:
        one = await page(api, segment, as_of, 1, after)
        found += [(edge["node"]["externalId"], edge["enteredAt"]) for edge in one["edges"]]
        assert len(found) == len(set(found))
        assert one["pageInfo"]["hasPreviousPage"] == (after is not None)
        has_more, after = one["pageInfo"]["hasNextPage"], one["pageInfo"]["endCursor"]
    return found


async def was_member(api, person: str, segment: str, instant: str) -> bool | None:
    found = await api.data(WAS, person=person, segment=segment, at=instant)
    return found["subscriber"]["wasMember"]


async def live(api, person: str, country: str, buckets: list[int] | None = None) -> None:
    await api.upsert({"externalId": person, "country": country})
    await settle(api, buckets or [api.bucket_id])


async def comings_and_goings(api) -> str:
    """At noon ada enters, an hour later bob; then ada leaves, and an hour after that she enters again. It is four hours after noon."""
    segment = await api.segment("LT", LT)
    for person, country in (("ada", "LT"), ("bob", "LT"), ("ada", "DE"), ("ada", "LT")):
        await live(api, person, country)
        api.clock.advance(HOUR)
    return segment


async def test_members_at_an_instant_those_who_had_entered_last_come_first(api):
    segment = await comings_and_goings(api)

    assert await members(api, segment, at(0, microseconds=-1)) == []
    assert await members(api, segment, at(0)) == [("ada", utc(0))]
    assert await members(api, segment, at(1.5)) == [("bob", utc(1)), ("ada", utc(0))]
    assert await members(api, segment, at(2, microseconds=-1)) == [("bob", utc(1)), ("ada", utc(0))]
    assert await members(api, segment, at(2)) == [("bob", utc(1))]
    assert await members(api, segment, at(3)) == [("ada", utc(3)), ("bob", utc(1))]
    assert await members(api, segment, at(4)) == [("ada", utc(3)), ("bob", utc(1))]


async def test_whether_one_person_was_a_member(api):
    segment = await comings_and_goings(api)

    instants = [at(0, microseconds=-1), at(0), at(1.5), at(2), at(3), at(4)]
    assert [await was_member(api, "ada", segment, it) for it in instants] == [
        False, True, True, False, True, True
    ]  # fmt: skip
    assert [await was_member(api, "bob", segment, it) for it in instants] == [
        False, False, True, True, True, True
    ]  # fmt: skip


async def test_now_and_without_an_instant_are_the_same_people(api):
    segment = await comings_and_goings(api)

    now, present = await page(api, segment, at(4)), await page(api, segment, None)

    assert now["edges"] == present["edges"]
    assert now["feedCursor"] == present["feedCursor"]


async def test_the_feed_continues_from_that_instant(api):
    segment = await comings_and_goings(api)

    cursor = (await page(api, segment, at(1)))["feedCursor"]

    found = await api.data(LATER, id=segment, after=cursor)
    assert [tuple(it.values()) for it in found["membershipChanges"]["changes"]] == [
        ("LEFT", utc(2), {"externalId": "ada"}),
        ("ENTERED", utc(3), {"externalId": "ada"}),
    ]


async def test_people_are_shown_as_they_are_now_and_erased_people_are_missing(api):
    segment = await comings_and_goings(api)
    await live(api, "ada", "FR")
    await api.data(ERASE, person="bob")

    found = await page(api, segment, at(1.5))

    assert found["edges"] == [{"enteredAt": utc(0), "node": {"externalId": "ada", "country": "FR"}}]


async def test_before_the_segment_existed_it_is_empty(api):
    await comings_and_goings(api)
    later = await api.segment("Not DE", {"not": {"country": {"is": "DE"}}})

    assert await members(api, later, at(3.5)) == []
    assert [person for person, _ in await members(api, later, at(4))] in (["ada", "bob"], ["bob", "ada"])
    assert await was_member(api, "ada", later, at(3.5)) is False


async def test_changes_of_one_instant_count_together(api):
    segment = await api.segment("LT", LT)
    await live(api, "ada", "LT")
    await live(api, "ada", "DE")
    await live(api, "bob", "DE")
    await live(api, "bob", "LT")
    api.clock.advance(HOUR)

    assert await members(api, segment, at(0)) == [("bob", utc(0))]
    assert await was_member(api, "ada", segment, at(0)) is False
    assert await members(api, segment, at(0, microseconds=-1)) == []


async def test_pages_go_through_several_buckets(api):
    segment = await api.segment("LT", LT)
    buckets = [api.bucket_id]
    for number in range(9):
        if number in (3, 6):
            buckets.append(await open_bucket(api))
            await settle(api, buckets)  # fills the segment there
        await live(api, f"p{number}", "LT", buckets)
        api.clock.advance(HOUR if number % 2 else timedelta(0))
    gone = ("p1", "p4", "p7")
    for person in gone:
        await live(api, person, "DE", buckets)

    everybody = await members(api, segment, at(4, microseconds=-1))
    left = await members(api, segment, at(4))

    assert sorted(person for person, _ in everybody) == [f"p{number}" for number in range(8)]
    assert [instant for _, instant in everybody] == sorted((it for _, it in everybody), reverse=True)
    assert sorted(person for person, _ in left) == ["p0", "p2", "p3", "p5", "p6", "p8"]


async def test_a_shortened_log_tells_its_beginning(api):
    segment = await comings_and_goings(api)
    await prune(ports=api.services.ports, keep=2 * HOUR)

    (error,) = await api.errors(MEMBERS, id=segment, asOf=at(2, microseconds=-1))

    assert error["extensions"] == {"code": "LOG_EXPIRED", "completeSince": utc(2)}
    assert await was_member(api, "ada", segment, at(2, microseconds=-1)) is None
    assert await members(api, segment, at(2)) == [("bob", utc(1))]
    assert await was_member(api, "bob", segment, at(2)) is True
    assert await members(api, segment, at(3)) == [("ada", utc(3)), ("bob", utc(1))]


async def test_a_log_that_was_shortened_before_its_beginning_was_stored(api):
    segment = await comings_and_goings(api)
    database = api.services.ports.database
    forget = "UPDATE buckets SET complete_since = NULL WHERE id = $1"

    await prune(ports=api.services.ports, keep=2 * HOUR)
    async with database.acquire() as connection:
        await connection.execute(forget, api.bucket_id)
    (with_rows,) = await api.errors(MEMBERS, id=segment, asOf=at(2))
    there = await members(api, segment, at(2, microseconds=1))
    await prune(ports=api.services.ports, keep=timedelta(0))
    async with database.acquire() as connection:
        await connection.execute(forget, api.bucket_id)
    (without,) = await api.errors(MEMBERS, id=segment, asOf=at(3))

    assert with_rows["extensions"]["completeSince"] == "2026-03-01T14:00:00.000001Z"
    assert there == [("bob", utc(1))]
    assert without["extensions"]["completeSince"] == "2026-03-01T15:00:00.000001Z"
    assert await members(api, segment, at(4)) == [("ada", utc(3)), ("bob", utc(1))]


@pytest.mark.parametrize("instant", [at(5), "2026-02-30T00:00:00Z"])
async def test_an_instant_in_the_future_or_none_at_all_is_refused(api, instant):
    segment = await comings_and_goings(api)

    for found in (
        await api.errors(MEMBERS, id=segment, asOf=instant),
        await api.errors(WAS, person="ada", segment=segment, at=instant),
    ):
        assert [error["extensions"]["code"] for error in found] == ["BAD_USER_INPUT"]


async def test_a_cursor_of_the_present_list_is_refused(api):
    segment = await comings_and_goings(api)
    cursor = (await page(api, segment, None))["pageInfo"]["endCursor"]

    (error,) = await api.errors(MEMBERS, id=segment, asOf=at(1), after=cursor)

    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "after"}


@pytest.mark.parametrize(
    ("instant", "sequence", "expected"),
    [
        (datetime.max.replace(tzinfo=UTC), 2**63 - 1, ["bob", "ada"]),
        (datetime.min.replace(tzinfo=UTC), -(2**63) + 1, []),
        (NOON + 0.5 * HOUR, 2**63 - 1, ["ada"]),
    ],
)
async def test_a_forged_cursor_only_begins_elsewhere(api, instant, sequence, expected):
    segment = await comings_and_goings(api)
    cursor = past._PAST_MEMBERS.cursor((instant, 2**63 - 1, sequence))

    found = await page(api, segment, at(1.5), after=cursor)

    assert [edge["node"]["externalId"] for edge in found["edges"]] == expected


async def test_a_deleted_segment_has_no_past_and_another_of_its_name_has_its_own(api):
    segment = await comings_and_goings(api)
    await api.data("mutation ($id: ID!) { deleteSegment(input: {id: $id}) { __typename } }", id=segment)
    await api.fill()
    other = await api.segment("LT", LT)

    (error,) = await api.errors(WAS, person="ada", segment=segment, at=at(1))

    assert error["extensions"]["code"] == "NOT_FOUND"
    assert await members(api, other, at(3)) == []
    assert len(await members(api, other, at(4))) == 2


async def test_an_unknown_segment(api, stranger):
    await comings_and_goings(api)
    foreign = await stranger.segment("LT", LT)

    for segment in ("seg_AQ", "x", foreign):
        (error,) = await api.errors(WAS, person="ada", segment=segment, at=at(1))

        assert error["extensions"] == {"code": "NOT_FOUND", "argument": "segmentId"}


@pytest.mark.one_server("counts statements, and a cluster is asked once for each parent or bucket")
async def test_one_person_or_fifty_and_one_segment_or_many_need_the_same_statements(api):
    segments = await api.segments({f"segment {number}": LT for number in range(10)})
    await api.upsert(*({"externalId": str(number), "country": "LT"} for number in range(50)))
    await api.tick()
    pages = """query ($first: Int, $at: DateTime!) { segments(first: $first) { edges { node {
      members(first: 2, asOf: $at) { edges { node { id } } } } } } }"""
    people = """query ($first: Int, $at: DateTime!, $segment: ID!) { subscribers(first: $first) { edges { node {
      wasMember(segmentId: $segment, at: $at) } } } }"""

    for document, variables in ((pages, {}), (people, {"segment": segments[0]})):
        with api.counting() as for_one:
            await api.data(document, first=1, at=at(0), **variables)
        with api.counting() as for_many:
            found = await api.data(document, first=50, at=at(0), **variables)

        assert shapes(for_many) == shapes(for_one)
        assert len(next(iter(found.values()))["edges"]) >= 10
