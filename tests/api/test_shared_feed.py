"""The shared feed tells each client what the schema alone would tell it, from any cursor, and does the work once."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import warnings
from contextlib import AsyncExitStack, aclosing
from unittest.mock import patch

import pytest
from graphql.execution import execute_subscription_event

from audience_gql.api.context import Context
from audience_gql.api.documents.documents import Prepared
from audience_gql.api.lists.feed import FeedSelection
from audience_gql.api.operations.operation_requests import OperationRefused, OperationRequest
from audience_gql.api.schema import Schema
from audience_gql.api.transport.streaming import feed_subscriptions
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from audience_gql.audience.log.broadcast import LeftBehind
from tests.patience import PATIENCE_SECONDS

CHANGES = """
subscription ($segments: [ID!], $after: String) {
  membershipChanges(segmentIds: $segments, after: $after) {
    after cursor
    changes {
      id kind cause occurredAt revision segmentId subscriberId
      segment { name memberCount } group { name } subscriber { externalId email }
    }
  }
}
"""
NAMED = """
subscription A($since: String) { feed: membershipChanges(after: $since) { ...Batch } }
subscription B { membershipChanges { cursor } }
fragment Batch on MembershipChangeBatch { c: cursor a: after changes { __typename ...Change } }
fragment Change on MembershipChange { kind subscriber { externalId __typename } }
"""


@pytest.fixture
def subscriptions(api) -> Subscriptions:
    return Subscriptions(api.schema, api.services)


def run(subscriptions: Subscriptions, api, query: str = CHANGES, name: str | None = None, **variables):
    request = OperationRequest(query=query, variables=variables, operation_name=name)
    return subscriptions.run(request, Context(api.services, api.access))


async def heard(results) -> dict:
    async with asyncio.timeout(PATIENCE_SECONDS):
        result = await anext(results)
    body = json.loads(result.text)
    assert "errors" not in body
    (batch,) = body["data"].values()
    assert result.cursor == batch.get("cursor", batch.get("c"))
    return batch


async def by_the_library(api, query: str, name: str | None, **variables) -> dict[str, dict]:
    """The first result of the library's own subscription, which reads the log for one client."""

    context = Context(api.services, api.access)

    def alone(selection: FeedSelection):
        return context.feed.follow(after=selection.after, wanted=selection.wanted)

    with patch.object(FeedSelection, "__aiter__", alone):
        results = await api.schema._declared.stream(
            query, variable_values=variables, context_value=context, operation_name=name
        )
        async with aclosing(results):
            async with asyncio.timeout(PATIENCE_SECONDS):
                result = await anext(results)
            assert result.errors is None
            return json.loads(json.dumps(result.data))


def tails(api) -> int:
    """How many readers of the workspace's log wait for its signals."""
    return len(api.services.ports.signals._changes.get(api.access.workspace.id, ()))


async def people(api, *external_ids: str, country: str = "LT") -> None:
    await api.upsert(*({"externalId": it, "country": country} for it in external_ids))
    await api.tick()


async def test_ten_clients_are_told_the_same_by_one_execution(api, subscriptions):
    await api.segment("LT", {"country": {"is": "LT"}})
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(aclosing(run(subscriptions, api))) for _ in range(10)]
        starts = [await heard(stream) for stream in streams]
        with api.counting() as sent:
            await people(api, "ada")
            batches = [await heard(stream) for stream in streams]

        texts = {json.dumps(batch) for batch in batches}
        assert len(texts) == 1
        assert {start["cursor"] for start in starts} == {batches[0]["after"]}
        assert tails(api) == 1
        assert sum("membership_changes" in statement for statement in sent) == 1
        assert sum("FROM segments" in statement for statement in sent) <= 2

    assert tails(api) == 0


@pytest.mark.parametrize(("query", "name", "variable"), [(CHANGES, None, "after"), (NAMED, "A", "since")])
async def test_what_is_told_is_what_the_library_would_tell(api, subscriptions, query, name, variable):
    await api.segment("LT", {"country": {"is": "LT"}})
    async with aclosing(run(subscriptions, api, query, name)) as stream:
        start = await heard(stream)
        for external_id in "abc":
            await people(api, external_id)
            batch = await heard(stream)
            after, cursor = (
                batch.get("after") or batch["a"],
                batch.get("cursor") or batch["c"],
            )

            plain = await by_the_library(api, query, name, **{variable: after})

            assert after == (start.get("cursor") or start["c"])
            assert list(plain.values()) == [batch]
            start = {"cursor": cursor}


async def test_who_was_away_hears_what_he_missed_and_then_what_all_hear(api, subscriptions):
    await api.segment("LT", {"country": {"is": "LT"}})
    async with aclosing(run(subscriptions, api)) as present:
        start = await heard(present)
        for external_id in "abc":
            await people(api, external_id)
            await heard(present)
        async with aclosing(run(subscriptions, api, after=start["cursor"])) as returned:
            missed = await heard(returned)
            await people(api, "d")
            common, same = await heard(present), await heard(returned)

    assert [change["subscriber"]["externalId"] for change in missed["changes"]] == ["a", "b", "c"]
    assert (missed["after"], missed["cursor"]) == (start["cursor"], common["after"])
    assert same == common


async def test_who_comes_back_at_the_very_end_is_told_at_once(api, subscriptions):
    async with aclosing(run(subscriptions, api)) as present:
        start = await heard(present)
        async with aclosing(run(subscriptions, api, after=start["cursor"])) as returned:
            first = await heard(returned)

    assert first == {"after": start["cursor"], "cursor": start["cursor"], "changes": []}


async def test_who_was_told_more_by_another_process_is_told_nothing_twice(api, subscriptions):
    await api.segment("LT", {"country": {"is": "LT"}})
    changed = api.services.ports.signals.changed
    async with aclosing(run(subscriptions, api)) as present:
        await heard(present)
        api.services.ports.signals.changed = lambda _: None  # this process does not hear of it
        await people(api, "ada")
        api.services.ports.signals.changed = changed
        elsewhere = next(iter((await by_the_library(api, CHANGES, None)).values()))
        async with aclosing(run(subscriptions, api, after=elsewhere["cursor"])) as returned:
            first = await heard(returned)
            await people(api, "bob")
            cursor = first["cursor"]
            told: list[dict] = []
            while not told:
                batch = await heard(returned)
                assert batch["after"] == cursor
                cursor, told = batch["cursor"], batch["changes"]

    assert (first["changes"], first["after"]) == ([], elsewhere["cursor"])
    assert [change["subscriber"]["externalId"] for change in told] == ["bob"]


async def test_filters_and_ways_of_asking_are_kept_apart(api, subscriptions):
    lt = await api.segment("LT", {"country": {"is": "LT"}})
    await api.segment("All", {"all": []})
    async with AsyncExitStack() as stack:
        everything = await stack.enter_async_context(aclosing(run(subscriptions, api)))
        one = await stack.enter_async_context(aclosing(run(subscriptions, api, segments=[lt])))
        named = await stack.enter_async_context(aclosing(run(subscriptions, api, NAMED, "A")))
        for stream in (everything, one, named):
            await heard(stream)
        assert tails(api) == 2
        await people(api, "ada")

        batches = [await heard(stream) for stream in (everything, one, named)]

    assert [len(batch["changes"]) for batch in batches] == [2, 1, 2]
    assert set(batches[2]) == {"a", "c", "changes"}


async def test_many_who_come_and_go_each_hear_an_unbroken_chain(api, subscriptions):
    await api.segment("LT", {"country": {"is": "LT"}})
    chance = random.Random(11)
    async with aclosing(run(subscriptions, api)) as stream:
        start = (await heard(stream))["cursor"]

    async def listen() -> list[str]:
        cursor = start
        told: list[str] = []
        while len(told) < 40:
            async with aclosing(run(subscriptions, api, after=cursor)) as stream:
                for _ in range(chance.randrange(1, 5)):
                    batch = await heard(stream)
                    assert batch["after"] == cursor
                    cursor = batch["cursor"]
                    told += [change["subscriber"]["externalId"] for change in batch["changes"]]
                    if len(told) >= 40:
                        break
            await asyncio.sleep(chance.random() / 10)  # some changes pass meanwhile
        return told

    listeners = [asyncio.create_task(listen()) for _ in range(6)]
    for number in range(40):
        await people(api, str(number))

    for told in await asyncio.wait_for(asyncio.gather(*listeners), 30):
        assert told == [str(number) for number in range(40)]
    assert tails(api) == 0


@pytest.mark.slow
async def test_an_execution_ends_by_itself_when_its_last_client_leaves(api, subscriptions, monkeypatch):
    await api.segment("LT", {"country": {"is": "LT"}})
    begun = asyncio.Event()
    honest = execute_subscription_event

    def execute(executor):
        begun.set()
        return honest(executor)

    monkeypatch.setattr(feed_subscriptions, "execute_subscription_event", execute)
    gc.freeze()  # each collection below looks only at what this test makes
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for rounds in range(10):
            async with aclosing(run(subscriptions, api)) as stream:
                await heard(stream)
                begun.clear()
                listening = asyncio.create_task(anext(stream))
                await asyncio.sleep(0)
                changing = asyncio.create_task(people(api, f"{rounds}a", f"{rounds}b"))
                await begun.wait()
                for _ in range(rounds):
                    await asyncio.sleep(0)
                listening.cancel()
                await asyncio.wait([listening])
            await changing
            gc.collect()

    assert [str(it.message) for it in caught if "never awaited" in str(it.message)] == []


async def test_who_does_not_take_what_he_is_told_is_left_behind_and_comes_again(
    api, subscriptions, monkeypatch
):
    monkeypatch.setattr(subscriptions._deliveries._executions._running, "_most", 3)
    await api.segment("LT", {"country": {"is": "LT"}})
    async with aclosing(run(subscriptions, api)) as slow, aclosing(run(subscriptions, api)) as quick:
        cursor = (await heard(slow))["cursor"]
        await heard(quick)
        for number in range(6):
            await people(api, str(number))
            await heard(quick)

        with pytest.raises(LeftBehind):
            await anext(slow)
    async with aclosing(run(subscriptions, api, after=cursor)) as again:
        missed = await heard(again)

    assert [change["subscriber"]["externalId"] for change in missed["changes"]] == list("012345")


async def test_those_who_wait_for_a_person_and_those_who_ask_when_they_are_there_hear_the_same(
    api, subscriptions
):
    query = 'subscription { membershipChanges(subscriber: {externalId: "ada"}) { cursor changes { kind } } }'
    await api.segment("LT", {"country": {"is": "LT"}})
    async with aclosing(run(subscriptions, api, query)) as before:
        await heard(before)
        await people(api, "bob", "ada")
        entered = await heard(before)
        async with aclosing(run(subscriptions, api, query)) as after:
            await heard(after)
            await people(api, "ada", country="EE")
            left = [await heard(before), await heard(after)]

    assert entered["changes"] == [{"kind": "ENTERED"}]
    assert [batch["changes"] for batch in left] == [[{"kind": "LEFT"}]] * 2


async def test_a_forged_cursor_fails_as_it_does_for_one(api, subscriptions):
    async with aclosing(run(subscriptions, api, after="forged")) as stream:
        told = await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    assert json.loads(told.text)["errors"][0]["extensions"] == {"code": "CURSOR_INVALID"}
    assert tails(api) == 0


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("subscription { membershipChanges { nothing } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        (CHANGES, {"after": 1}, "BAD_USER_INPUT"),
        ("subscription ($s: [ID!]!) { membershipChanges(segmentIds: $s) { cursor } }", {}, "BAD_USER_INPUT"),
        (
            'subscription { membershipChanges(subscriber: {id: "x", email: "y"}) { cursor } }',
            {},
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ],
)
async def test_what_cannot_run_is_refused(api, subscriptions, query, variables, code):
    with pytest.raises(OperationRefused) as refused:
        await anext(run(subscriptions, api, query, **variables))

    assert [(error.extensions or {})["code"] for error in refused.value.errors] == [code]


def test_the_variable_of_the_beginning_is_told_from_others(schema: Schema):
    def beginning(text: str) -> str | None:
        prepared = schema.documents.prepare(text)
        assert isinstance(prepared, Prepared)
        (operation,) = prepared.operations.values()
        return operation.beginning

    nested = "changes { segment { members(after: $a) { pageInfo { hasNextPage } } } }"
    assert beginning("subscription ($a: String) { membershipChanges(after: $a) { cursor } }") == "a"
    assert beginning(f"subscription ($a: String) {{ membershipChanges(after: $a) {{ {nested} }} }}") is None
    assert beginning("subscription { membershipChanges { cursor } }") is None
