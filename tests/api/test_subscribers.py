"""People: their profile, what hangs off them, and the list of them."""

from __future__ import annotations

import pytest

SUBSCRIBER = """
query ($by: SubscriberKey!) {
  subscriber(by: $by) {
    id email phone externalId firstName lastName language timezone birthday latitude longitude country region city postalCode
    createdAt updatedAt
  }
}
"""
ID_BY = "query ($by: SubscriberKey!) { subscriber(by: $by) { id } }"
LIST = """
query ($where: ConditionInput, $search: String, $orderBy: SubscriberOrder! = CREATED_ASC) {
  subscribers(where: $where, search: $search, orderBy: $orderBy) { edges { node { externalId } } }
}
"""
PROFILE = {
    "email": "Ada@Example.com",
    "phone": "+37060000000",
    "externalId": "Ada-1",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "language": "en-GB",
    "timezone": "Europe/London",
    "birthday": "1815-12-10",
    "latitude": 51.5074,
    "longitude": -0.1278,
    "country": "GB",
    "region": "Greater London",
    "city": "London",
    "postalCode": "SW1Y 4JH",
}


def external_ids(found) -> list[str]:
    return [edge["node"]["externalId"] for edge in found["subscribers"]["edges"]]


async def test_a_profile_comes_back_as_written(api):
    profile = {**PROFILE, "birthday": "1915-12-10"}
    (ada,) = await api.upsert(profile)

    found = await api.data(SUBSCRIBER, by={"id": ada})

    assert found["subscriber"] == {
        "id": ada,
        **profile,
        "createdAt": "2026-03-01T12:00:00Z",
        "updatedAt": "2026-03-01T12:00:00Z",
    }


@pytest.mark.parametrize(
    "by", [{"email": "ADA@example.COM"}, {"phone": "+37060000000"}, {"externalId": "Ada-1"}]
)
async def test_a_person_is_found_by_any_key(api, by):
    (ada,) = await api.upsert({**PROFILE, "birthday": None})

    assert await api.data(ID_BY, by=by) == {"subscriber": {"id": ada}}


@pytest.mark.parametrize(
    "by",
    [
        {"email": "nobody@example.com"},
        {"externalId": "ada-1"},
        {"phone": "37060000000"},
        {"id": "nothing"},
        {"id": ""},
        {"email": ""},
        {"email": "\0"},
        {"externalId": "x" * 100_000},
    ],
)
async def test_nobody_is_null(api, by):
    await api.upsert({**PROFILE, "birthday": None})

    assert await api.data(ID_BY, by=by) == {"subscriber": None}


@pytest.mark.parametrize("by", [{}, {"id": "a", "email": "b"}, {"email": None}])
async def test_a_key_is_exactly_one(api, by):
    (error,) = await api.errors(ID_BY, by=by)

    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_channels_are_those_that_something_is_known_of(api):
    await api.upsert(
        {"externalId": "1", "channels": [
            {"channel": "SMS", "status": "UNCONFIRMED", "reason": "asked"}, {"channel": "EMAIL", "status": "ACTIVE"},
        ]},
    )  # fmt: skip

    found = await api.data(
        '{ subscriber(by: {externalId: "1"}) { channels { channel status changedAt reason } } }'
    )

    at = "2026-03-01T12:00:00Z"
    assert found["subscriber"]["channels"] == [
        {"channel": "EMAIL", "status": "ACTIVE", "changedAt": at, "reason": None},
        {"channel": "SMS", "status": "UNCONFIRMED", "changedAt": at, "reason": "asked"},
    ]


async def test_custom_fields_come_by_key_with_their_definition(api):
    define = "mutation ($k: String!, $t: CustomFieldType!) { defineCustomField(input: {key: $k, label: $k, type: $t}) { __typename } }"
    for key, type_ in (("size", "NUMBER"), ("plan", "TEXT"), ("tags", "LIST"), ("unused", "TEXT")):
        await api.data(define, k=key, t=type_)
    values = [
        {"key": "size", "value": 0.1},
        {"key": "tags", "value": ["a", "b"]},
        {"key": "plan", "value": "Straße"},
    ]
    await api.upsert({"externalId": "1", "fields": values})

    found = await api.data(
        '{ subscriber(by: {externalId: "1"}) { fields { key value definition { key type } } '
        'plan: field(key: "plan") unused: field(key: "unused") unknown: field(key: "unknown") } }'
    )

    assert found["subscriber"]["fields"] == [
        {"key": "plan", "value": "Straße", "definition": {"key": "plan", "type": "TEXT"}},
        {"key": "size", "value": 0.1, "definition": {"key": "size", "type": "NUMBER"}},
        {"key": "tags", "value": ["a", "b"], "definition": {"key": "tags", "type": "LIST"}},
    ]
    assert found["subscriber"]["plan"] == "Straße"
    assert found["subscriber"]["unused"] is None
    assert found["subscriber"]["unknown"] is None


async def test_what_hangs_off_a_person(api):
    (ada,) = await api.upsert({"externalId": "1", "country": "LT"})
    group = await api.group("Friends")
    segment = await api.segment("Lithuanians", {"country": {"is": "LT"}})
    await api.data(
        "mutation ($input: GroupMembersInput!) { addToGroup(input: $input) { __typename } }",
        input={"groupId": group, "subscribers": [{"id": ada}]},
    )
    await api.track(
        {"subscriber": {"id": ada}, "name": "opened", "occurredAt": "2026-02-01T00:00:00Z"},
        {"subscriber": {"id": ada}, "name": "bought", "occurredAt": "2026-02-02T00:00:00.000001Z", "value": 9.99,
         "properties": {"items": [1, {"a": None}]}},
    )  # fmt: skip
    await api.tick()

    found = await api.data(
        """query ($id: ID!) { node(id: $id) { ... on Subscriber {
          groups { edges { addedAt node { id name } } }
          segments { edges { enteredAt node { id name } } }
          events { edges { node { name occurredAt value properties subscriber { id } } } }
          opened: events(name: "opened") { edges { node { name } } }
          never: events(name: "never") { edges { node { name } } }
          membershipHistory { edges { node { kind cause segmentId groupId revision subscriberId occurredAt } } }
        } } }""",
        id=ada,
    )

    at = "2026-03-01T12:00:00Z"
    assert found["node"] == {
        "groups": {"edges": [{"addedAt": at, "node": {"id": group, "name": "Friends"}}]},
        "segments": {"edges": [{"enteredAt": at, "node": {"id": segment, "name": "Lithuanians"}}]},
        "events": {"edges": [
            {"node": {"name": "bought", "occurredAt": "2026-02-02T00:00:00.000001Z", "value": 9.99,
                      "properties": {"items": [1, {"a": None}]}, "subscriber": {"id": ada}}},
            {"node": {"name": "opened", "occurredAt": "2026-02-01T00:00:00Z", "value": None,
                      "properties": {}, "subscriber": {"id": ada}}},
        ]},
        "opened": {"edges": [{"node": {"name": "opened"}}]},
        "never": {"edges": []},
        "membershipHistory": {"edges": [
            {"node": {"kind": "ENTERED", "cause": "MANUAL", "segmentId": None, "groupId": group, "revision": None,
                      "subscriberId": ada, "occurredAt": at}},
            {"node": {"kind": "ENTERED", "cause": "DEFINITION", "segmentId": segment, "groupId": None, "revision": 1,
                      "subscriberId": ada, "occurredAt": at}},
        ]},
    }  # fmt: skip


async def test_the_list_is_filtered_by_any_condition(api):
    await api.upsert(
        {"externalId": "1", "country": "LT"}, {"externalId": "2", "country": "LV"}, {"externalId": "3"}
    )
    baltic = await api.segment("Baltic", {"country": {"in": ["LT", "LV"]}})
    await api.track({"subscriber": {"externalId": "2"}, "name": "bought"})

    async def matching(where) -> list[str]:
        return sorted(external_ids(await api.data(LIST, where=where)))

    assert await matching({"country": {"is": "LT"}}) == ["1"]
    assert await matching({"not": {"country": {"is": "LT"}}}) == ["2", "3"]
    assert await matching({"segment": {"anyOf": [baltic]}}) == ["1", "2"]
    assert await matching({"event": {"name": "bought", "within": {"last": {"days": 1}}}}) == ["2"]
    assert await matching({"all": []}) == ["1", "2", "3"]
    assert await matching({"any": []}) == []


async def test_a_condition_that_says_nothing_is_refused_with_the_path(api):
    where = {
        "all": [
            {"country": {"is": "LT"}},
            {"field": {"key": "nope", "text": {"is": "x"}}},
            {"group": {"anyOf": ["grp_AQ"]}},
        ]
    }

    (error,) = await api.errors(LIST, where=where)

    assert error["path"] == ["subscribers"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert [(issue["code"], issue["path"]) for issue in error["extensions"]["issues"]] == [
        ("UNKNOWN", ["where", "all", "1", "field", "key"]),
        ("UNKNOWN", ["where", "all", "2", "group", "anyOf", "0"]),
    ]


async def test_the_list_is_searched_by_part_of_a_name_or_key(api):
    await api.upsert(
        {"externalId": "A-1", "firstName": "İstanbul"},
        {"externalId": "B-2", "email": "straße@example.com"},
        {"externalId": "C-3", "lastName": "100%"},
    )

    async def found(search: str) -> list[str]:
        return external_ids(await api.data(LIST, search=search))

    assert await found("STRAẞE") == ["B-2"]
    assert await found("STRASSE") == []
    assert await found("i̇STAN") == ["A-1"]
    assert await found("%") == ["C-3"]
    assert await found("_") == []
    for blank in ("", " ", "\t\u00a0\u2003\n"):
        assert sorted(await found(blank)) == ["A-1", "B-2", "C-3"]


async def test_each_word_of_a_search_is_found_in_some_name_or_key(api):
    await api.upsert(
        {"externalId": "shop-1", "firstName": "María José", "lastName": "López", "email": "mj@example.com"},
        {"externalId": "shop-2", "firstName": "María", "email": "lópez@example.com", "phone": "+37060000000"},
        {"externalId": "shop-3", "lastName": "López", "city": "María"},
    )

    async def found(search: str) -> list[str]:
        return external_ids(await api.data(LIST, search=search))

    assert sorted(await found("maría lópez")) == ["shop-1", "shop-2"]
    assert sorted(await found("LÓPEZ  María")) == ["shop-1", "shop-2"]
    assert sorted(await found("maría ")) == ["shop-1", "shop-2"]
    assert await found("maría\u00a0370600 shop") == ["shop-2"]
    assert await found("maría lópez shop-3") == []
    assert await found("jos shop-1 mj@ maría é") == ["shop-1"]


async def test_a_search_is_a_text(api):
    (error,) = await api.errors(LIST, search="\0")

    assert error["path"] == ["subscribers"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "search"}


async def test_a_search_has_ten_different_words_at_most(api):
    await api.upsert({"externalId": "a b c d e f g h i j"})

    assert external_ids(await api.data(LIST, search="a b c d e f g h i j A B C")) == ["a b c d e f g h i j"]
    (error,) = await api.errors(LIST, search="a b c d e f g h i j k")

    assert error["message"] == "`search`: at most 10 words, not 11."
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "search"}


async def test_the_list_is_ordered_by_email_with_those_without_last(api):
    await api.upsert(
        {"externalId": "1"}, {"externalId": "2", "email": "b@x.org"}, {"externalId": "3", "email": "A@x.org"}
    )

    assert external_ids(await api.data(LIST, orderBy="EMAIL_ASC")) == ["3", "2", "1"]
