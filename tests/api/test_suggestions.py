"""What a condition editor draws itself from: kinds, event names, values."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from audience_gql.conditions.registry import kinds
from audience_gql.storage.reads import suggestions

KINDS = "{ conditionKinds { name label description category filter oneOf operators { name label description type } } }"
NAMES = "{ eventNames { name lastSeenAt properties } }"
VALUES = """
query ($of: ValueSource!, $search: String, $first: Int) {
  valueSuggestions(of: $of, search: $search, first: $first) { value people }
}
"""
FIELDS = """
mutation {
  plan: defineCustomField(input: {key: "plan", label: "Plan", type: TEXT}) { __typename }
  likes: defineCustomField(input: {key: "likes", label: "Likes", type: LIST}) { __typename }
  seats: defineCustomField(input: {key: "seats", label: "Seats", type: NUMBER}) { __typename }
}
"""


async def values(api, of, **more) -> list[tuple[object, int]]:
    found = await api.data(VALUES, of=of, **more)
    return [(it["value"], it["people"]) for it in found["valueSuggestions"]]


async def test_every_kind_is_there_as_the_schema_has_it(api):
    found = {it["name"]: it for it in (await api.data(KINDS))["conditionKinds"]}

    assert list(found) == list(kinds())
    for kind in found.values():
        named = await api.data(
            "query ($name: String!) { __type(name: $name) { inputFields { name } } }",
            name=kind["filter"].strip("[]!"),
        )
        if kind["operators"]:
            names = [field["name"] for field in named["__type"]["inputFields"]]
            assert [it["name"] for it in kind["operators"]] == names
    assert found["all"]["filter"] == "[ConditionInput!]"
    assert (found["firstName"]["label"], found["firstName"]["category"]) == ("first name", "DEMOGRAPHIC")
    operators = {it["name"]: (it["label"], it["type"]) for it in found["firstName"]["operators"]}
    assert (operators["notIn"], operators["isSet"]) == (("not in", "[String!]"), ("is set", "Boolean"))
    assert (found["firstName"]["oneOf"], found["event"]["oneOf"]) == (True, False)


async def test_names_that_have_happened_with_their_properties(api, stranger):
    ada, now = {"externalId": "ada"}, api.clock.instant
    await api.upsert(ada)
    await api.segment("Never", {"event": {"name": "never"}})
    await api.track(
        {"subscriber": ada, "name": "paid", "occurredAt": "2026-02-01T00:00:00Z", "properties": {"total": 1}},
        {
            "subscriber": ada,
            "name": "paid",
            "occurredAt": "2026-02-02T00:00:00Z",
            "properties": {"coupon": "x"},
        },
        {"subscriber": ada, "name": "opened"},
        {"subscriber": ada, "name": "ahead", "occurredAt": (now + timedelta(hours=3)).isoformat()},
    )
    await stranger.upsert(ada)
    await stranger.track({"subscriber": ada, "name": "secret"})

    assert (await api.data(NAMES))["eventNames"] == [
        {"name": "opened", "lastSeenAt": "2026-03-01T12:00:00Z", "properties": []},
        {"name": "paid", "lastSeenAt": "2026-02-02T00:00:00Z", "properties": ["coupon", "total"]},
    ]


async def people(api) -> None:
    await api.data(FIELDS)
    await api.upsert(
        {"externalId": "a", "city": "Berlin", "fields": [
            {"key": "plan", "value": "Pro"}, {"key": "likes", "value": ["Tea", "tea", "Jam"]}, {"key": "seats", "value": 3}]},
        {"externalId": "b", "city": "berlin", "fields": [{"key": "plan", "value": "pro"}, {"key": "likes", "value": ["TEA"]}]},
        {"externalId": "c", "city": "Berlin", "fields": [{"key": "plan", "value": "free"}, {"key": "seats", "value": 3}]},
        {"externalId": "d", "city": "Kaunas"}, {"externalId": "e"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ({"profile": "city"}, [("Berlin", 3), ("Kaunas", 1)]),
        ({"profile": "country"}, []),
        ({"field": "seats"}, [(3, 2)]),
        ({"field": "nobodys"}, []),
    ],
)
async def test_values_come_by_how_many_have_them(api, of, expected):
    await people(api)

    assert await values(api, of) == expected


async def test_a_list_gives_what_its_values_hold_once_a_person(api):
    await people(api)

    found = await values(api, {"field": "likes"})

    assert [(str(value).lower(), count) for value, count in found] == [("tea", 2), ("jam", 1)]


async def test_a_search_narrows_and_first_cuts_off(api):
    await people(api)

    assert [count for _, count in await values(api, {"field": "plan"}, search="RO")] == [2]
    assert await values(api, {"profile": "city"}, search="zz") == []
    assert [count for _, count in await values(api, {"field": "plan"}, search="o P ")] == [2]
    assert await values(api, {"profile": "city"}, first=1) == [("Berlin", 3)]


@pytest.mark.parametrize(
    "blank", ["", " ", "\t\r\n", "\u00a0\u2003", "\x1c\u3000", "\u200b\ufeff"], ids=ascii
)
async def test_blanks_are_not_suggested(api, blank):
    """Older versions kept them."""
    await people(api)
    await api.track(*(
        {"subscriber": {"externalId": "a"}, "name": "paid", "properties": {"coupon": coupon}} for coupon in ("x", "y")
    ))  # fmt: skip
    await keep_blanks(api, blank)

    assert await values(api, {"profile": "city"}) == [("Berlin", 2)]
    assert await values(api, {"field": "plan"}) == [("pro", 1)]
    assert sorted(await values(api, {"field": "likes"})) == [("Jam", 1), ("TEA", 1)]
    assert await values(api, {"property": {"event": "paid", "key": "coupon"}}) == [("y", 1)]


async def keep_blanks(api, blank: str) -> None:
    """In a city, a TEXT and a LIST field, and a property of an event."""
    rows = await api.services.ports.database.fetch(
        "SELECT key, id FROM custom_fields WHERE workspace_id = $1", api.access.workspace.id
    )
    ids = {row["key"]: str(row["id"]) for row in rows}
    for person, fields in (
        ("a", {ids["plan"]: blank, ids["likes"]: [blank, "Jam"]}),
        ("c", {ids["plan"]: blank}),
        ("d", {}),
    ):
        await api.services.ports.database.fetch(
            "UPDATE subscribers SET city = $3::text, city_folded = lower($3::text), fields = $4::jsonb, fields_folded = '{}' "
            "WHERE bucket_id = $1 AND external_id = $2 RETURNING id",
            api.bucket_id,
            person,
            "Berlin" if person == "c" else blank,
            json.dumps(fields),
        )
    await api.services.ports.database.fetch(
        "UPDATE events SET properties = jsonb_build_object('coupon', $2::text) "
        "WHERE bucket_id = $1 AND properties ->> 'coupon' = 'x' RETURNING id",
        api.bucket_id,
        blank,
    )


async def test_properties_of_events(api):
    for person, coupon in (
        ("a", "SPRING"),
        ("b", "spring"),
        ("a", "SPRING"),
        ("c", 7),
        ("d", ["x"]),
        ("e", None),
    ):
        await api.upsert({"externalId": person})
        await api.track(
            {"subscriber": {"externalId": person}, "name": "paid", "properties": {"coupon": coupon}}
        )

    of = {"property": {"event": "paid", "key": "coupon"}}
    assert await values(api, of) == [("SPRING", 2), (7, 1)]
    assert await values(api, {"property": {"event": "nothing", "key": "coupon"}}) == []
    assert await values(api, {"property": {"event": "\0", "key": "coupon"}}) == []


async def test_a_large_audience_is_sampled(api, monkeypatch):
    monkeypatch.setattr(suggestions, "PEOPLE", 100)
    await api.upsert(*({"externalId": f"p{n}", "city": "Berlin"} for n in range(600)))

    ((value, count),) = await values(api, {"profile": "city"})

    assert value == "Berlin"
    assert 300 < count < 1200


async def test_only_some_buckets_of_very_many_are_asked(monkeypatch):
    monkeypatch.setattr(suggestions, "MOST_BUCKETS", 3)

    assert suggestions._spread(list(range(9))) == [0, 3, 6]
    assert suggestions._spread([4, 5]) == [4, 5]


async def test_a_profile_has_no_such_text(api):
    (error,) = await api.errors(VALUES, of={"profile": "birthday"})

    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "of"}
