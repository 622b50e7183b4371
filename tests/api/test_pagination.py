"""Pages hold together while the list changes, in every order; a cursor that is none is refused."""

from __future__ import annotations

import base64
from datetime import timedelta
from itertools import chain

import orjson
import pytest

from audience_gql.api import ids
from audience_gql.api.ids import Kind
from audience_gql.api.pagination import Listing
from audience_gql.storage.reads.slices import Slice

PEOPLE = """query ($first: Int, $after: String, $orderBy: SubscriberOrder! = CREATED_DESC) {
  subscribers(first: $first, after: $after, orderBy: $orderBy) {
    edges { cursor node { externalId } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""


async def pages(api, document: str, *way: str, first: int, **variables):
    """All pages of the list at the end of a way of fields."""
    found, after = [], None
    for _ in range(100):
        page = await api.data(document, first=first, after=after, **variables)
        for field in way:
            page = page[field]
        found.append(page["edges"])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
    raise AssertionError("the pages do not end")


def names(page) -> list[str]:
    return [edge["node"]["externalId"] for edge in page]


async def people(api, *names: str, **more) -> None:
    await api.upsert(*({"externalId": name, **more} for name in names))


@pytest.mark.parametrize("order_by", ["CREATED_DESC", "CREATED_ASC", "EMAIL_ASC"])
@pytest.mark.parametrize("size", [1, 3, 4, 12, 13])
async def test_pages_are_the_whole_list_once(api, order_by, size):
    for number in range(3):
        await people(api, *(f"{number}-{letter}" for letter in "abc"))
        api.clock.advance(timedelta(seconds=1))
    await api.upsert(*({"externalId": f"mail {n}", "email": f"{9 - n}@example.com"} for n in range(3)))

    whole = await pages(api, PEOPLE, "subscribers", first=100, orderBy=order_by)
    parts = await pages(api, PEOPLE, "subscribers", first=size, orderBy=order_by)

    assert len(whole[0]) == 12
    assert list(chain.from_iterable(parts)) == whole[0]
    assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)
    assert len(parts[-1]) <= size


async def test_the_page_says_where_it_lies(api):
    await people(api, "1", "2", "3")

    first = (await api.data(PEOPLE, first=2))["subscribers"]
    last = (await api.data(PEOPLE, first=2, after=first["pageInfo"]["endCursor"]))["subscribers"]
    empty = (await api.data(PEOPLE, first=2, after=last["pageInfo"]["endCursor"]))["subscribers"]

    assert first["pageInfo"] == {
        "hasNextPage": True, "hasPreviousPage": False,
        "startCursor": first["edges"][0]["cursor"], "endCursor": first["edges"][1]["cursor"],
    }  # fmt: skip
    assert (last["pageInfo"]["hasNextPage"], last["pageInfo"]["hasPreviousPage"]) == (False, True)
    assert empty == {
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": True, "startCursor": None, "endCursor": None},
    }


async def test_new_people_disturb_no_page_under_way(api):
    await people(api, *"abcdef")
    before = names((await api.data(PEOPLE, first=100))["subscribers"]["edges"])

    first = (await api.data(PEOPLE, first=3))["subscribers"]
    api.clock.advance(timedelta(seconds=1))
    await people(api, *"uvwxyz")
    second = (await api.data(PEOPLE, first=3, after=first["pageInfo"]["endCursor"]))["subscribers"]

    assert names(first["edges"]) + names(second["edges"]) == before
    assert second["pageInfo"]["hasNextPage"] is False


async def test_pages_cross_buckets(api):
    """Three buckets, of which each page takes what is next."""
    ports, workspace = api.services.ports, api.access.workspace
    await people(api, "a1", "a2")
    async with ports.database.transaction() as transaction:
        for number, offset in ((1, 0), (2, 1)):
            bucket_id = await ports.database.ids.one(transaction.connection)
            await transaction.connection.execute(
                "INSERT INTO buckets (id, workspace_id, last_instant, evaluated_through, is_open) VALUES ($1, $2, $3, $3, false)",
                bucket_id, workspace.id, api.clock.instant,
            )  # fmt: skip
            for step in range(3):
                await transaction.connection.execute(
                    "INSERT INTO subscribers (bucket_id, id, external_id, external_id_folded, created_at, updated_at) "
                    "VALUES ($1, $2, $3, $3, $4, $4)",
                    bucket_id, step + 1, f"b{number}-{step}", api.clock.instant + timedelta(seconds=2 * step + offset),
                )  # fmt: skip

    ascending = await pages(api, PEOPLE, "subscribers", first=3, orderBy="CREATED_ASC")
    descending = await pages(api, PEOPLE, "subscribers", first=3, orderBy="CREATED_DESC")

    whole = [name for page in ascending for name in names(page)]
    assert set(whole[:3]) == {"a1", "a2", "b1-0"}
    assert whole[3:] == ["b2-0", "b1-1", "b2-1", "b1-2", "b2-2"]
    assert [name for page in descending for name in names(page)] == whole[::-1]


async def test_groups_are_paged_in_every_order(api):
    document = """query ($first: Int, $after: String, $orderBy: ListOrder!) {
      groups(first: $first, after: $after, orderBy: $orderBy) { edges { node { externalId: name } } pageInfo { hasNextPage endCursor } }
    }"""
    for name in ("b", "A", "c", "Ä", "d"):
        await api.group(name)

    for order_by in ("NAME_ASC", "CREATED_DESC", "UPDATED_DESC", "SIZE_DESC"):
        whole = await pages(api, document, "groups", first=100, orderBy=order_by)
        parts = await pages(api, document, "groups", first=2, orderBy=order_by)
        assert list(chain.from_iterable(parts)) == whole[0]
        assert len(whole[0]) == 5
    assert names((await pages(api, document, "groups", first=100, orderBy="NAME_ASC"))[0]) == [
        "A",
        "b",
        "c",
        "d",
        "Ä",
    ]


async def test_what_hangs_off_a_person_is_paged(api):
    await people(api, "1")
    await api.track(*({"subscriber": {"externalId": "1"}, "name": f"n{number % 3}"} for number in range(7)))
    for number in range(5):
        group = await api.group(str(number))
        await api.upsert({"externalId": "1", "addToGroupIds": [group]})
        await api.segment(str(number), {"all": []})
        await api.tick()
    document = """query ($first: Int, $after: String) { subscriber(by: {externalId: "1"}) {
      %s(first: $first, after: $after) { edges { cursor node { id } } pageInfo { hasNextPage endCursor } } } }"""

    for field, count in (("events", 7), ("groups", 5), ("segments", 5), ("membershipHistory", 10)):
        parts = await pages(api, document % field, "subscriber", field, first=2)
        (whole,) = await pages(api, document % field, "subscriber", field, first=100)
        found = [edge["node"]["id"] for part in parts for edge in part]
        assert found == [edge["node"]["id"] for edge in whole]
        assert len(set(found)) == count


async def test_changes_of_a_segment_are_paged(api):
    segment = await api.segment("LT", {"country": {"is": "LT"}})
    await people(api, *"abcde", country="LT")
    await api.tick()
    api.clock.advance(timedelta(seconds=1))
    await people(api, *"ace", country="LV")
    await api.tick()
    document = """query ($id: ID!, $first: Int, $after: String) { node(id: $id) { ... on Segment {
      membershipChanges(first: $first, after: $after) { edges { node { id kind } } pageInfo { hasNextPage endCursor } } } } }"""

    whole = (await api.data(document, id=segment))["node"]["membershipChanges"]["edges"]
    found, after = [], None
    for _ in range(4):
        page = (await api.data(document, id=segment, first=2, after=after))["node"]["membershipChanges"]
        found += page["edges"]
        after = page["pageInfo"]["endCursor"]

    assert found == whole
    assert [edge["node"]["kind"] for edge in whole] == ["LEFT"] * 3 + ["ENTERED"] * 5
    assert page["pageInfo"]["hasNextPage"] is False


async def test_changes_of_a_segment_are_paged_across_buckets(api):
    """Two buckets whose changes interleave, some at the very same instant."""
    segment = await api.segment("Nobody", {"any": [{"country": {"is": "XX"}}]})
    ports, workspace = api.services.ports, api.access.workspace
    async with ports.database.transaction() as transaction:
        other_id = await ports.database.ids.one(transaction.connection)
        await transaction.connection.execute(
            "INSERT INTO buckets (id, workspace_id, last_instant, evaluated_through) VALUES ($1, $2, $3, $3)",
            other_id, workspace.id, api.clock.instant,
        )  # fmt: skip
        for bucket_id, minutes in ((api.bucket_id, (0, 1, 1, 3, 5)), (other_id, (0, 1, 2, 3, 3, 4))):
            for sequence, minute in enumerate(minutes, 1):
                await transaction.connection.execute(
                    "INSERT INTO membership_changes (bucket_id, sequence, list_kind, list_id, subscriber_id, entered, "
                    "cause, occurred_at) VALUES ($1, $2, 'SEGMENT', $3, 1, true, 'EVENT', $4)",
                    bucket_id, sequence, ids.number_of(Kind.SEGMENT, segment), api.clock.instant + timedelta(minutes=minute),
                )  # fmt: skip
    document = """query ($id: ID!, $first: Int, $after: String) { node(id: $id) { ... on Segment {
      membershipChanges(first: $first, after: $after) {
        edges { node { id occurredAt } } pageInfo { hasNextPage endCursor }
      } } } }"""

    whole = (await api.data(document, id=segment))["node"]["membershipChanges"]["edges"]
    for size in (1, 2, 3, 5):
        parts = await pages(api, document, "node", "membershipChanges", first=size, id=segment)
        found = [edge for part in parts for edge in part]
        assert found == whole

    assert len(whole) == 11
    assert [edge["node"]["occurredAt"] for edge in whole] == sorted(
        (edge["node"]["occurredAt"] for edge in whole), reverse=True
    )


@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1])
async def test_a_page_is_1_to_100(api, first):
    (error,) = await api.errors(PEOPLE, first=first)

    assert error["message"] == f"`first` must be 1 to 100, not {first}."
    assert error["path"] == ["subscribers"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "first"}


async def test_the_path_leads_to_the_list_at_fault(api):
    await people(api, "1")

    (error,) = await api.errors(
        '{ subscriber(by: {externalId: "1"}) { mine: groups(first: 0) { pageInfo { hasNextPage } } } }'
    )

    assert error["path"] == ["subscriber", "mine"]


async def test_null_is_the_usual_size(api):
    await people(api, *(str(number) for number in range(21)))

    assert len((await api.data(PEOPLE, first=None))["subscribers"]["edges"]) == 20


def cursor_of(value) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "", "x", "🦉", "\0", "=" * 1_000, "A" * 100_000,
        cursor_of(None), cursor_of(7), cursor_of({}), cursor_of("text"), cursor_of([]),
        cursor_of(["subscribers.createdAsc", 1, 2, 3]),
        cursor_of(["subscribers.createdDesc", 1, 2]),
        cursor_of(["subscribers.createdDesc", 1, 2, 3, 4]),
        cursor_of(["subscribers.createdDesc", "1", 2, 3]),
        cursor_of(["subscribers.createdDesc", True, 2, 3]),
        cursor_of(["subscribers.createdDesc", 1.5, 2, 3]),
        cursor_of(["subscribers.createdDesc", None, 2, 3]),
        cursor_of(["subscribers.createdDesc", 2**62, 2, 3]),
        cursor_of(["subscribers.createdDesc", 1, 2**63, 3]),
        cursor_of(["subscribers.createdDesc", 1, [2], 3]),
    ],
)  # fmt: skip
async def test_a_cursor_that_is_none_is_refused(api, cursor):
    (error,) = await api.errors(PEOPLE, after=cursor)

    assert error["message"] == "`after` is not a cursor of this list in this order."
    assert error["path"] == ["subscribers"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "after"}


async def test_a_cursor_of_another_order_is_refused(api):
    await people(api, "1", "2")
    page = (await api.data(PEOPLE, first=1))["subscribers"]

    (error,) = await api.errors(PEOPLE, after=page["pageInfo"]["endCursor"], orderBy="CREATED_ASC")

    assert error["extensions"]["code"] == "BAD_USER_INPUT"


def test_a_position_with_text_comes_back():
    listing = Listing("x", bool, str, int)

    assert listing.slice(5, listing.cursor((False, "ß\U0001f989", 7))) == Slice(5, (False, "ß\U0001f989", 7))


async def test_a_null_page_size_asks_for_the_default_of_the_list(api):
    """Lists have defaults of their own, and a variable may be null."""
    segment = await api.segment("All", {"externalId": {"startsWith": "p"}})
    await api.upsert(*({"externalId": f"p{number}", "firstName": f"P{number}"} for number in range(51)))
    await api.tick()
    changes = """query ($id: ID!, $first: Int) { segment(by: {id: $id}) { membershipChanges(first: $first) { edges { cursor } } } }"""
    values = 'query ($first: Int) { valueSuggestions(of: {profile: "firstName"}, first: $first) { value } }'

    page = (await api.data(changes, id=segment, first=None))["segment"]["membershipChanges"]["edges"]
    offered = (await api.data(values, first=None))["valueSuggestions"]
    usual = (await api.data(PEOPLE, first=None))["subscribers"]["edges"]

    assert (len(page), len(offered), len(usual)) == (50, 10, 20)
