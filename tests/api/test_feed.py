"""The feed through GraphQL. Other tests show that it loses nothing."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from datetime import timedelta

import pytest

from audience_gql.api import ids
from audience_gql.api.context import Context
from audience_gql.api.ids import Kind
from audience_gql.api.operations.operation_requests import OperationRequest
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from audience_gql.audience.log.retention import prune
from tests.patience import PATIENCE_SECONDS

CHANGES = """
subscription ($segments: [ID!], $groups: [ID!], $subscriber: SubscriberKey, $after: String) {
  membershipChanges(segmentIds: $segments, groupIds: $groups, subscriber: $subscriber, after: $after) {
    after cursor
    changes { kind cause segment { name memberCount } group { name } subscriber { externalId } }
  }
}
"""
PAGE = """
query ($segments: [ID!], $groups: [ID!], $subscriber: SubscriberKey, $after: String, $first: Int) {
  membershipChanges(segmentIds: $segments, groupIds: $groups, subscriber: $subscriber, after: $after, first: $first) {
    after cursor hasMore changes { kind segment { name } group { name } subscriber { externalId } }
  }
}
"""
PEOPLE = """
subscription ($subscriber: SubscriberKey) {
  membershipChanges(subscriber: $subscriber) { after cursor changes { kind subscriberId subscriber { id } } }
}
"""
RECOMPUTE = "subscription ($id: ID!) { recomputeSegment(id: $id) { segment { name } phase fraction members entered left failure } }"


def stream(api, document: str, **variables):
    request = OperationRequest(query=document, variables=variables, operation_name=None)
    return Subscriptions(api.schema, api.services).run(request, Context(api.services, api.access))


async def result_of(results):
    async with asyncio.timeout(PATIENCE_SECONDS):
        return json.loads((await anext(results)).text)


async def upcoming(results, field: str = "membershipChanges"):
    result = await result_of(results)
    assert "errors" not in result, result["errors"]
    return result["data"][field]


async def page(api, **variables):
    return (await api.data(PAGE, **variables))["membershipChanges"]


async def test_a_change_is_told_with_what_is_true_by_then(api):
    await api.segment("LT", {"country": {"is": "LT"}})
    async with aclosing(stream(api, CHANGES)) as results:
        first = await upcoming(results)
        for number, external_id in enumerate("ab", 1):
            await api.upsert({"externalId": external_id, "country": "LT"})
            await api.tick()
            batch = await upcoming(results)

            assert batch["after"] == first["cursor"]
            assert batch["changes"] == [
                {"kind": "ENTERED", "cause": "SUBSCRIBER", "segment": {"name": "LT", "memberCount": number},
                 "group": None, "subscriber": {"externalId": external_id}},
            ]  # fmt: skip
            first = batch


async def test_the_first_batch_comes_at_once_and_empty(api):
    async with aclosing(stream(api, CHANGES)) as results:
        first = await upcoming(results)

    assert first["changes"] == []
    assert first["after"] == first["cursor"]


async def test_a_page_and_a_stream_share_their_cursors(api):
    start = (await page(api))["cursor"]
    group = await api.group("Friends")
    await api.upsert(
        {"externalId": "1", "addToGroupIds": [group]}, {"externalId": "2", "addToGroupIds": [group]}
    )
    await api.tick()

    one = await page(api, after=start, first=1)
    async with aclosing(stream(api, CHANGES, after=one["cursor"])) as results:
        rest = await upcoming(results)
    end = await page(api, after=rest["cursor"])

    assert (one["after"], one["hasMore"], len(one["changes"])) == (start, True, 1)
    assert (rest["after"], len(rest["changes"])) == (one["cursor"], 1)
    assert (end["hasMore"], end["changes"], end["cursor"]) == (False, [], rest["cursor"])


async def test_lists_and_people_are_filtered(api):
    start = (await page(api))["cursor"]
    group = await api.group("Friends")
    segment = await api.segment("LT", {"country": {"is": "LT"}})
    (one, _) = await api.upsert(
        {"externalId": "1", "country": "LT", "addToGroupIds": [group]}, {"externalId": "2", "country": "LT"}
    )
    await api.tick()

    async def told(**wanted) -> list[tuple[str, str]]:
        found = await page(api, after=start, **wanted)
        assert found["hasMore"] is False
        return sorted(
            ((change["segment"] or change["group"])["name"], change["subscriber"]["externalId"])
            for change in found["changes"]
        )

    assert await told() == [("Friends", "1"), ("LT", "1"), ("LT", "2")]
    assert await told(segments=[segment]) == [("LT", "1"), ("LT", "2")]
    assert await told(groups=[group]) == [("Friends", "1")]
    assert await told(segments=[segment], groups=[group]) == [("Friends", "1"), ("LT", "1"), ("LT", "2")]
    assert await told(subscriber={"id": one}) == [("Friends", "1"), ("LT", "1")]
    assert await told(subscriber={"externalId": "2"}) == [("LT", "2")]
    assert await told(segments=[segment], subscriber={"id": one}) == [("LT", "1")]
    assert await told(groups=[group], subscriber={"externalId": "2"}) == []
    assert await told(segments=[segment], groups=[group], subscriber={"id": one}) == [
        ("Friends", "1"),
        ("LT", "1"),
    ]


@pytest.mark.parametrize(
    "wanted",
    [
        {"segments": []},
        {"segments": ["nothing"]},
        {"segments": [ids.encode(Kind.SEGMENT, 1)], "groups": ["x"]},
        {"subscriber": {"externalId": "nobody"}},
        {"subscriber": {"id": "nothing"}},
    ],
)
async def test_a_filter_for_nothing_lets_nothing_through(api, wanted):
    start = (await page(api))["cursor"]
    group = await api.group("Friends")
    await api.upsert({"externalId": "1", "addToGroupIds": [group]})
    await api.tick()

    assert (await page(api, after=start, **wanted))["changes"] == []


KEYS = [{"externalId": "ada"}, {"email": "Ada@Example.com"}, {"phone": "+37060000001"}]
ADA = {"externalId": "ada", "email": "ada@example.com", "phone": "+37060000001", "country": "LT"}


@pytest.mark.parametrize("key", KEYS)
async def test_somebody_who_comes_later_is_heard_of_from_the_first_change_on(api, key):
    await api.segment("LT", {"country": {"is": "LT"}})
    asked = await page(api, subscriber=key)
    async with aclosing(stream(api, CHANGES, subscriber=key)) as results:
        first = await upcoming(results)
        await api.upsert({"externalId": "bob", "country": "LT"})
        await api.tick()
        await api.upsert(ADA)
        await api.tick()
        entered = await upcoming(results)
        await api.upsert(ADA | {"country": "EE"})
        await api.tick()
        left = await upcoming(results)
    later = await page(api, subscriber=key, after=asked["cursor"])
    async with aclosing(stream(api, CHANGES, subscriber=key, after=first["cursor"])) as results:
        again = await upcoming(results)

    assert (asked["changes"], first["changes"]) == ([], [])
    assert (entered["after"], left["after"]) == (first["cursor"], entered["cursor"])
    for changes in (entered["changes"] + left["changes"], later["changes"], again["changes"]):
        assert [(it["kind"], it["subscriber"]["externalId"]) for it in changes] == [
            ("ENTERED", "ada"), ("LEFT", "ada"),
        ]  # fmt: skip


async def test_somebody_who_is_erased_is_heard_to_leave_and_whoever_comes_with_the_key_after_them_to_enter(
    api,
):
    erase = "mutation ($key: SubscriberKey!) { eraseSubscriber(input: {subscriber: $key}) { __typename } }"
    key = {"externalId": "ada"}
    await api.segment("LT", {"country": {"is": "LT"}})
    (old,) = await api.upsert(ADA)
    await api.tick()
    async with aclosing(stream(api, PEOPLE, subscriber=key)) as results:
        start = (await upcoming(results))["cursor"]
        await api.data(erase, key=key)
        left = await upcoming(results)
        (new,) = await api.upsert(ADA)
        await api.tick()
        entered = await upcoming(results)
    by_key = await page(api, subscriber=key, after=start)
    by_id = await page(api, subscriber={"id": old}, after=start)

    assert left["changes"] == [{"kind": "LEFT", "subscriberId": old, "subscriber": None}]
    assert entered["changes"] == [{"kind": "ENTERED", "subscriberId": new, "subscriber": {"id": new}}]
    assert [it["kind"] for it in by_key["changes"]] == ["ENTERED"]
    assert [it["kind"] for it in by_id["changes"]] == ["LEFT"]


async def test_a_key_that_changes_hands_is_followed_to_both(api):
    await api.segment("LT", {"country": {"is": "LT"}})
    await api.upsert({"externalId": "ada", "email": "x@example.com"}, {"externalId": "bob"})
    async with aclosing(stream(api, CHANGES, subscriber={"email": "x@example.com"})) as results:
        await upcoming(results)
        await api.upsert({"externalId": "ada", "email": None})
        await api.upsert({"externalId": "bob", "email": "x@example.com", "country": "LT"})
        await api.tick()
        first = await upcoming(results)
        await api.upsert({"externalId": "ada", "country": "LT"})
        await api.tick()
        second = await upcoming(results)

    assert [it["subscriber"]["externalId"] for it in first["changes"] + second["changes"]] == ["bob", "ada"]


async def test_a_forged_cursor_ends_the_stream_with_its_code(api):
    async with aclosing(stream(api, CHANGES, after="forged")) as results:
        result = await result_of(results)

        assert [error["extensions"] for error in result["errors"]] == [{"code": "CURSOR_INVALID"}]
        with pytest.raises(StopAsyncIteration):
            await anext(results)


async def test_an_expired_cursor_comes_with_the_oldest_usable_one(api):
    start = (await page(api))["cursor"]
    group = await api.group("Friends")
    for name in ("1", "2"):
        await api.upsert({"externalId": name, "addToGroupIds": [group]})
        await api.tick()
        api.clock.advance(timedelta(hours=1))
    await prune(ports=api.services.ports, keep=timedelta(hours=1))

    (by_query,) = await api.errors(PAGE, after=start)
    async with aclosing(stream(api, CHANGES, after=start)) as results:
        (by_stream,) = (await result_of(results))["errors"]
        with pytest.raises(StopAsyncIteration):
            await anext(results)
    rest = await page(api, after=by_query["extensions"]["oldestCursor"])

    assert by_query["extensions"]["code"] == "CURSOR_EXPIRED"
    assert by_stream["extensions"] == by_query["extensions"]
    assert [change["subscriber"]["externalId"] for change in rest["changes"]] == ["2"]


async def test_a_stream_that_is_left_listens_no_more(api):
    results = stream(api, CHANGES)
    await upcoming(results)
    listeners = api.services.ports.signals._changes[api.access.workspace.id]
    assert len(listeners) == 1

    await results.aclose()

    assert len(listeners) == 0


async def test_a_recompute_reports_to_its_end(api):
    await api.upsert({"externalId": "1", "country": "LT"})
    segment = await api.segment("LT", {"country": {"is": "LT"}})

    async with aclosing(stream(api, RECOMPUTE, id=segment)) as results:
        queued = await upcoming(results, "recomputeSegment")
        await api.fill()
        done = await upcoming(results, "recomputeSegment")
        with pytest.raises(StopAsyncIteration):
            await anext(results)

    assert (queued["phase"], queued["fraction"]) == ("QUEUED", 0.0)
    assert done == {
        "segment": {"name": "LT"}, "phase": "DONE", "fraction": 1.0, "members": 1, "entered": 0, "left": 0, "failure": None,
    }  # fmt: skip


async def test_a_recompute_that_was_just_done_is_told_from_the_request_to_the_end_all_the_same(api):
    segment = await api.segment("LT", {"country": {"is": "LT"}})
    async with aclosing(stream(api, RECOMPUTE, id=segment)) as results:
        await upcoming(results, "recomputeSegment")
        await api.fill()
        await upcoming(results, "recomputeSegment")

    async with aclosing(stream(api, RECOMPUTE, id=segment)) as results:
        told = [json.loads(result.text)["data"]["recomputeSegment"] async for result in results]

    assert [(step["phase"], step["fraction"]) for step in told] == [("QUEUED", 0.0), ("DONE", 1.0)]


async def test_a_recompute_of_nothing_is_not_found(api):
    async with aclosing(stream(api, RECOMPUTE, id="seg_AQ")) as results:
        result = await result_of(results)

    assert [error["extensions"] for error in result["errors"]] == [{"code": "NOT_FOUND", "argument": "id"}]
