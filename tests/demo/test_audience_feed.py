"""The demo's client against the whole product: it is told of changes, sizes and the automation's runs."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx
import pytest

from audience_gql.demo.audience_feed import Acting, Heard, Listener, State, listen
from audience_gql.demo.loading import WIN_BACK
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.xdist_group("product")

GROUP: Final = "mutation ($name: String!) { createGroup(input: {name: $name}) { ... on Group { id } } }"
CREATE: Final = """mutation ($name: String!, $from: ID!, $to: ID!) {
  createAutomation(input: {name: $name, trigger: {group: $from}, actions: [{addToGroup: $to}]}) { ... on Automation { id } }
}"""
UPSERT: Final = """mutation ($id: String!, $group: ID!) {
  upsertSubscribers(input: {subscribers: [{externalId: $id, addToGroupIds: [$group]}]}) {
    ... on UpsertSubscribersPayload { created }
  }
}"""


async def test_the_automation_s_runs_and_its_group_are_told(product):
    headers = {"authorization": f"Bearer {product.token}"}
    heard: asyncio.Queue[Heard] = asyncio.Queue()
    states: asyncio.Queue[State] = asyncio.Queue()
    listener = Listener(on_change=heard.put_nowait, on_state=states.put_nowait)
    socket = product.origin.replace("http", "ws") + "/graphql"

    async with httpx.AsyncClient(
        base_url=product.origin, headers=headers, timeout=PATIENCE_SECONDS
    ) as client:

        async def ask(query: str, **variables: object) -> dict[str, dict[str, str]]:
            answer = await client.post("/graphql", json={"query": query, "variables": variables})
            return answer.json()["data"]

        source = (await ask(GROUP, name="Lapsing buyers"))["createGroup"]["id"]
        target = (await ask(GROUP, name=WIN_BACK))["createGroup"]["id"]
        await ask(CREATE, **{"name": WIN_BACK, "from": source, "to": target})
        listening = asyncio.create_task(listen(socket, product.token, listener))
        async with asyncio.timeout(PATIENCE_SECONDS):
            before = await states.get()
            await ask(UPSERT, id="feed-1", group=source)
            while (change := await heard.get()).name != WIN_BACK:
                continue
            while (after := await states.get()).sizes[WIN_BACK] == 0 or after.automations[0].runs == 0:
                continue  # a state is read by several queries, between which a run may be committed
        listening.cancel()

    summary = 'When somebody enters "Lapsing buyers": add them to "Win back".'
    assert before.sizes[WIN_BACK] == 0
    assert before.automations == (Acting(name=WIN_BACK, summary=summary, runs=0),)
    assert change == Heard(name=WIN_BACK, has_entered=True, cause="MANUAL", external_id="feed-1")
    assert after.automations == (Acting(name=WIN_BACK, summary=summary, runs=1),)
