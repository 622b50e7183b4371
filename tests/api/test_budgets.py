"""Each operation costs its token points: what it costs, how a client learns of it, and what happens when none are left."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from audience_gql.api.documents import batch_items
from audience_gql.api.documents.limits import COST
from audience_gql.api.errors import code_of
from audience_gql.api.operations.operating import OperationQueue
from audience_gql.api.operations.operation_requests import OperationRefused, OperationRequest
from audience_gql.api.transport import paying
from audience_gql.audience.budgets import LEAST_CREDIT, Budgets
from audience_gql.audience.people import events, subscribers
from audience_gql.config import LEAST_POINTS, MalformedSetting, settings_from_environment
from tests.api.conftest import TRACK, Api, web_client

MOST = 10_000
PAGE = "query ($n: Int) { subscribers(first: $n) { edges { node { id } } } }"
UPSERT = """mutation ($input: UpsertSubscribersInput!) { upsertSubscribers(input: $input) {
  ... on UpsertSubscribersPayload { created subscribers { id } } } }"""
SERVERS = {"DATABASE_URL": "postgres://x", "REDIS_URL": "redis://x"}


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limited(api: Api, clock: Clock) -> Api:
    """The workspace in a process whose budgets have 10,000 points and get 100 a second."""
    budgets = Budgets(most=MOST, per_second=100, now=clock)
    return replace(api, services=replace(api.services, budgets=budgets))


@pytest_asyncio.fixture(loop_scope="session")
async def client(limited: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with web_client(limited) as client:
        yield client


async def ask(
    client: httpx.AsyncClient, query: str, accept: str = "application/json", **variables: Any
) -> httpx.Response:
    body = {"query": query, "variables": variables, "extensions": {"cost": True}}
    return await client.post("/graphql", json=body, headers={"accept": accept})


def charge(api: Api, query: str, **variables: Any) -> int:
    request = OperationRequest(query=query, variables=variables, operation_name=None)
    return api.schema.candidate(request).charge


@pytest.mark.parametrize(
    ("query", "variables", "points"),
    [
        ("{ __typename }", {}, 1),
        (PAGE, {"n": 50}, 50),
        (UPSERT, {"input": {"subscribers": [{"email": "a@example.com"}]}}, 1 + 1 + 1),
        (UPSERT, {"input": {"subscribers": [{}] * 300, "addToGroupIds": ["x", "y"]}}, 302 + 1 + 302),
        (UPSERT, {"input": {"subscribers": [{}] * 5_000}}, 1_000 + 1 + 1_000),
        (TRACK, {"input": {"events": [{}] * 70}}, 70 + 1 + 10),
        ("mutation ($e: [EventInput!]!) { trackEvents(input: {events: $e}) { __typename } }", {"e": [{}] * 9}, 10),
        ("mutation { ...T } fragment T on Mutation { trackEvents(input: {events: [{}, {}]}) { __typename } }", {}, 1),
        ("subscription { membershipChanges { cursor } }", {}, 1),
        ("subscription { membershipChanges { changes { kind subscriber { id } } } }", {}, 10),
        ("{ nonsense }" + " " * 988, {}, 11),
        ("{ subscribers(first: 100) { edges { node { groups(first: 100) { edges { node { id } } } } } } }", {}, 1),
    ],
)  # fmt: skip
def test_what_an_operation_costs(api, query, variables, points):
    assert charge(api, query, **variables) == points


def test_no_operation_costs_more_than_the_smallest_budget_holds(api):
    many = {f"l{n}": [1] * 1_000 for n in range(400)}

    assert charge(api, UPSERT, input=many) == LEAST_POINTS
    assert charge(api, "x" * 2_000_000) == LEAST_POINTS
    assert COST + batch_items.MOST <= LEAST_POINTS
    assert COST <= LEAST_CREDIT, "an operation does not wait for Redis because of its own cost"
    assert batch_items.MOST == subscribers.BATCH_LIMIT == events.BATCH_LIMIT
    for value in ("1", str(LEAST_POINTS - 1)):
        with pytest.raises(MalformedSetting, match=f"AUDIENCE_POINTS is '{value}'; expected 0 for no limit"):
            settings_from_environment({**SERVERS, "AUDIENCE_POINTS": value})
    with pytest.raises(MalformedSetting, match="AUDIENCE_POINTS_PER_SECOND is '0'; expected"):
        settings_from_environment({**SERVERS, "AUDIENCE_POINTS_PER_SECOND": "0"})
    given = {"AUDIENCE_POINTS": "0", "AUDIENCE_POINTS_PER_SECOND": "7"}
    settings = settings_from_environment({**SERVERS, **given})
    assert (settings.points, settings.points_per_second) == (0, 7)


async def test_a_client_that_asks_is_told_what_it_spent_and_has(client, clock):
    first = await ask(client, PAGE, n=100)
    second = await ask(client, PAGE, n=30)
    clock.seconds += 0.5
    third = await ask(client, PAGE, n=1)

    cost = {"requested": 100, "remaining": 9_900, "restoreRate": 100}
    assert first.json()["extensions"] == {"cost": cost}
    assert second.json()["extensions"]["cost"]["remaining"] == 9_870
    assert third.json()["extensions"]["cost"]["remaining"] == 9_919
    assert first.headers["ratelimit-policy"] == '"points";q=10000;qu="points";w=100'
    assert first.headers["ratelimit"] == '"points";r=9900'
    assert "extensions" not in (await client.post("/graphql", json={"query": "{ __typename }"})).json()


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_without_points_an_operation_is_refused_and_nothing_runs(client, limited, clock, accept):
    await drain(client, MOST - 200)
    input_ = {"subscribers": [{"externalId": f"p{n}"} for n in range(150)]}

    refused = await ask(client, UPSERT, accept=accept, input=input_)

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "2"
    assert refused.headers["ratelimit"] == '"points";r=200;t=2'
    (error,) = refused.json()["errors"]
    assert error["message"] == (
        "The operation costs 301 points, and the token has 200 left. It gets 100 a second, up to 10,000. "
        "Nothing was changed. Try again in 2 s."
    )
    assert error["extensions"] == {
        "code": "RATE_LIMITED",
        "retryAfter": 2,
        "cost": {"requested": 301, "remaining": 200, "restoreRate": 100},
    }
    assert await limited.data("{ subscribers { edges { node { id } } } }") == {"subscribers": {"edges": []}}
    clock.seconds += 2
    assert (await ask(client, UPSERT, input=input_)).json()["data"]["upsertSubscribers"]["created"] == 150


async def test_a_refusal_is_held_back_without_a_place(limited, monkeypatch):
    monkeypatch.setattr(paying, "REFUSAL_SECONDS", 600)
    narrow = OperationQueue(replace(limited.services.settings, operations_at_once=2, operations_per_token=1))
    async with web_client(replace(limited, services=replace(limited.services, operations=narrow))) as client:
        await drain(client, MOST - 200)

        refused = asyncio.create_task(ask(client, UPSERT, input={"subscribers": [{}] * 150}))
        await asyncio.sleep(0.1)
        answer = await ask(client, PAGE, n=50)

        assert answer.json()["extensions"]["cost"]["remaining"] == 150
        assert not refused.done()
        refused.cancel()


async def test_another_token_has_a_budget_of_its_own(client, limited):
    await drain(client, MOST)
    assert (await ask(client, PAGE, n=1)).status_code == 429

    async with web_client(limited) as other:
        assert (await ask(other, PAGE, n=1)).json()["extensions"]["cost"]["remaining"] == MOST - 1


async def test_streams_and_sockets_spend_points_too(client, limited):
    changes = "subscription { membershipChanges { cursor } }"
    await drain(client, MOST)

    stream = await ask(client, PAGE, accept="text/event-stream", n=1)

    assert stream.text.startswith("event: next\n")
    assert '"code":"RATE_LIMITED"' in stream.text
    await limited.services.budgets.spend(limited.access.token.id, MOST - 3)
    assert [it async for it in limited.subscribe(PAGE, n=2)] == [{"data": {"subscribers": {"edges": []}}}]
    for document, variables in ((PAGE, {"n": 2}), (UPSERT, {"input": {"subscribers": [{}]}})):
        with pytest.raises(OperationRefused) as refused:
            await anext(limited.subscribe(document, **variables))
        assert code_of(refused.value.errors[0]) == "RATE_LIMITED"
    waiting = limited.subscribe(changes)
    await waiting.aclose()
    await limited.services.budgets.spend(limited.access.token.id, 1)
    with pytest.raises(OperationRefused):
        await anext(limited.subscribe(changes))


async def test_budgets_can_be_turned_off(api):
    off = replace(api, services=replace(api.services, budgets=Budgets(most=0, per_second=1)))
    async with web_client(off) as client:
        answer = await ask(client, PAGE, n=7)

    assert answer.json()["extensions"]["cost"] == {"requested": 7, "remaining": None, "restoreRate": None}
    assert "ratelimit" not in answer.headers


async def drain(client: httpx.AsyncClient, points: int) -> None:
    for _ in range(math.ceil(points / 100)):
        await ask(client, PAGE, n=100)
