"""Creating and changing people over GraphQL: what is left out, what is null, what is refused."""

from __future__ import annotations

import pytest

UPSERT = """
mutation ($input: UpsertSubscribersInput!) {
  upsertSubscribers(input: $input) {
    __typename
    ... on UpsertSubscribersPayload {
      created updated subscribers { externalId firstName city } rejects { index code message path }
      kept { index channel status message path }
    }
    ... on InvalidInput { message path issues { code path } }
  }
}
"""


async def upsert(api, *people, **more):
    return (await api.data(UPSERT, input={"subscribers": list(people), **more}))["upsertSubscribers"]


async def test_left_out_keeps_and_null_clears(api):
    await upsert(api, {"externalId": "1", "firstName": "Ada", "city": "London"})

    changed = await upsert(api, {"externalId": "1", "city": None})

    assert changed == {
        "__typename": "UpsertSubscribersPayload",
        "created": 0,
        "updated": 1,
        "subscribers": [{"externalId": "1", "firstName": "Ada", "city": None}],
        "rejects": [],
        "kept": [],
    }


async def test_a_batch_keeps_what_is_good_and_says_what_is_not(api):
    found = await upsert(
        api,
        {"externalId": "1"},
        {"externalId": "2", "email": "not an address"},
        {"firstName": "Nobody"},
        {"id": "sub_AQI"},
        {"externalId": "3", "fields": [{"key": "unknown", "value": 1}]},
        {"externalId": "4", "addToGroupIds": ["grp_AQ"]},
        {"externalId": "5", "city": "\0"},
    )

    assert found["created"] == 1
    assert [person and person["externalId"] for person in found["subscribers"]] == ["1", *[None] * 6]
    assert [(reject["index"], reject["code"], reject["path"]) for reject in found["rejects"]] == [
        (1, "MALFORMED", ["input", "subscribers", "1", "email"]),
        (2, "REQUIRED", ["input", "subscribers", "2"]),
        (3, "UNKNOWN", ["input", "subscribers", "3", "id"]),
        (4, "UNKNOWN", ["input", "subscribers", "4", "fields", "0", "key"]),
        (5, "UNKNOWN", ["input", "subscribers", "5", "addToGroupIds", "0"]),
        (6, "MALFORMED", ["input", "subscribers", "6", "city"]),
    ]


async def test_a_conflict_names_the_keys_and_the_people(api):
    await upsert(api, {"externalId": "1"}, {"email": "bob@example.com"})
    ids = [
        (await api.data("query ($by: SubscriberKey!) { subscriber(by: $by) { id } }", by=by))["subscriber"][
            "id"
        ]
        for by in ({"externalId": "1"}, {"email": "bob@example.com"})
    ]

    found = await upsert(
        api, {"externalId": "1", "email": "bob@example.com"}, {"id": ids[0], "email": "bob@example.com"}
    )

    assert [reject["message"] for reject in found["rejects"]] == [
        f"externalId belongs to {ids[0]}, email belongs to {ids[1]}",
        f"id is {ids[0]}, email belongs to {ids[1]}",
    ]


async def test_people_are_put_into_groups_and_taken_out(api):
    friends, foes = await api.group("Friends"), await api.group("Foes")

    async def counts() -> list[int]:
        found = await api.data("{ groups { edges { node { memberCount } } } }")
        return [edge["node"]["memberCount"] for edge in found["groups"]["edges"]]

    await upsert(
        api, {"externalId": "1", "addToGroupIds": [foes]}, {"externalId": "2"}, addToGroupIds=[friends]
    )
    assert await counts() == [1, 2]

    await upsert(api, {"externalId": "1", "removeFromGroupIds": [foes]})
    assert await counts() == [0, 2]


async def test_an_unknown_group_for_all_refuses_all(api):
    found = await upsert(api, {"externalId": "1"}, addToGroupIds=["grp_AQ", "x"])

    assert found["__typename"] == "InvalidInput"
    assert found["issues"] == [
        {"code": "UNKNOWN", "path": ["input", "addToGroupIds", "0"]},
        {"code": "UNKNOWN", "path": ["input", "addToGroupIds", "1"]},
    ]
    assert (await api.data("{ viewer { workspace { subscriberCount } } }"))["viewer"]["workspace"][
        "subscriberCount"
    ] == 0


async def test_at_most_a_thousand(api):
    found = await upsert(api, *({"externalId": str(number)} for number in range(1_001)))

    assert (found["__typename"], found["path"]) == ("InvalidInput", ["input", "subscribers"])
    assert found["issues"] == [{"code": "TOO_MANY", "path": ["input", "subscribers"]}]


async def test_a_thousand_are_one_answer(api):
    found = await upsert(api, *({"externalId": str(number)} for number in range(1_000)))

    assert found["created"] == 1_000
    assert [person["externalId"] for person in found["subscribers"]] == [
        str(number) for number in range(1_000)
    ]


async def test_consent_is_not_brought_back_and_the_rest_of_the_item_counts(api):
    await upsert(api, {"externalId": "1", "channels": [{"channel": "EMAIL", "status": "UNSUBSCRIBED"}]})

    found = await upsert(
        api, {"externalId": "1", "city": "Vilnius", "channels": [{"channel": "EMAIL", "status": "ACTIVE"}]}
    )

    assert (found["updated"], found["subscribers"][0]["city"], found["rejects"]) == (1, "Vilnius", [])
    assert found["kept"] == [
        {
            "index": 0,
            "channel": "EMAIL",
            "status": "UNSUBSCRIBED",
            "message": "EMAIL stays UNSUBSCRIBED: only setChannelStatus may change that",
            "path": ["input", "subscribers", "0", "channels", "0"],
        }
    ]


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ({"externalId": "1", "birthday": 19900301}, "birthday: expected a date as text"),
        ({"externalId": 1.5}, "externalId: expected text"),
        (
            {"externalId": "1", "channels": [{"channel": "PIGEON", "status": "ACTIVE"}]},
            "channel: expected one of EMAIL, ",
        ),
        ({"externalId": "1", "nickname": "x"}, "nickname"),
    ],
)
async def test_what_the_types_refuse_is_a_request_error(api, person, words):
    (error,) = await api.errors(UPSERT, input={"subscribers": [person]})

    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert words in error["message"]
    assert "path" not in error
