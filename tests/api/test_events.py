"""Taking in events over GraphQL."""

from __future__ import annotations

import pytest

TRACK = """
mutation ($input: TrackEventsInput!) {
  trackEvents(input: $input) {
    __typename
    ... on TrackEventsPayload { accepted duplicates rejects { index code path } }
    ... on InvalidInput { path issues { code path } }
  }
}
"""


async def track(api, *events, **more):
    return (await api.data(TRACK, input={"events": list(events), **more}))["trackEvents"]


async def test_events_are_accepted_once_by_their_key(api):
    await api.upsert({"externalId": "1"})
    event = {"subscriber": {"externalId": "1"}, "name": "bought", "key": "order-1"}

    first = await track(api, event, event)
    again = await track(api, event)

    assert first == {"__typename": "TrackEventsPayload", "accepted": 1, "duplicates": 1, "rejects": []}
    assert (again["accepted"], again["duplicates"]) == (0, 1)


async def test_a_batch_keeps_what_is_good_and_says_what_is_not(api):
    (ada,) = await api.upsert({"externalId": "1"})

    found = await track(
        api,
        {"subscriber": {"id": ada}, "name": "fine"},
        {"subscriber": {"email": "nobody@example.com"}, "name": "bought"},
        {"subscriber": {"id": "sub_AQI"}, "name": "bought"},
        {"subscriber": {"id": ada}, "name": " "},
        {"subscriber": {"id": ada}, "name": "bought", "occurredAt": "2026-03-03T00:00:00Z"},
        {"subscriber": {"id": ada}, "name": "bought", "properties": [1]},
        {"subscriber": {"id": ada}, "name": "bought", "properties": {"a": "\0"}},
    )

    assert found["accepted"] == 1
    assert [(reject["index"], reject["code"], reject["path"]) for reject in found["rejects"]] == [
        (1, "UNKNOWN", ["input", "events", "1", "subscriber"]),
        (2, "UNKNOWN", ["input", "events", "2", "subscriber"]),
        (3, "REQUIRED", ["input", "events", "3", "name"]),
        (4, "OUT_OF_RANGE", ["input", "events", "4", "occurredAt"]),
        (5, "WRONG_TYPE", ["input", "events", "5", "properties"]),
        (6, "MALFORMED", ["input", "events", "6", "properties", "a"]),
    ]


async def test_unknown_people_are_made_when_asked_for(api):
    event = {"subscriber": {"email": "new@example.com"}, "name": "signed_up"}

    found = await track(api, event, createMissing=True)

    assert found["accepted"] == 1
    new = await api.data(
        '{ subscriber(by: {email: "new@example.com"}) { events { edges { node { name } } } } }'
    )
    assert new["subscriber"]["events"]["edges"] == [{"node": {"name": "signed_up"}}]


async def test_at_most_a_thousand(api):
    found = await track(api, *[{"subscriber": {"externalId": "1"}, "name": "x"}] * 1_001)

    assert found["__typename"] == "InvalidInput"
    assert found["issues"] == [{"code": "TOO_MANY", "path": ["input", "events"]}]


async def test_an_integer_beyond_64_bits_comes_back(api):
    await api.upsert({"externalId": "1"})
    await api.data(
        'mutation { trackEvents(input: {events: [{subscriber: {externalId: "1"}, name: "counted", '
        "properties: {n: 123456789012345678901234567890}}]}) { __typename } }"
    )

    found = await api.data(
        '{ subscriber(by: {externalId: "1"}) { events { edges { node { properties } } } } }'
    )

    assert found["subscriber"]["events"]["edges"][0]["node"]["properties"] == {
        "n": 123456789012345678901234567890
    }


@pytest.mark.parametrize("occurred_at", [1, True, 1.5, [], {}])
async def test_an_instant_is_a_text(api, occurred_at):
    event = {"subscriber": {"externalId": "1"}, "name": "x", "occurredAt": occurred_at}

    (error,) = await api.errors(TRACK, input={"events": [event]})

    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "path" not in error
