"""A token that expires opens nothing from then on, by whichever door, and what is open ends soon."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from audience_gql.audience.access import create_token
from tests.api import test_sse
from tests.api.test_socket import CHANGES, closing_code, entered, received, send, subscribe
from tests.patience import PATIENCE_SECONDS, SLACK_SECONDS

LIVES = 2.5
pytestmark = pytest.mark.faults


async def brief_token(api) -> tuple[str, datetime]:
    end = datetime.now(UTC) + timedelta(seconds=LIVES)
    _, secret = await create_token(
        ports=api.services.ports,
        workspace=api.access.workspace,
        name="brief",
        scopes=["READ"],
        expires_at=end,
    )
    return secret, end


def since(end: datetime) -> float:
    return (datetime.now(UTC) - end).total_seconds()


async def test_http_refuses_it_from_that_instant_on(server, api):
    secret, end = await brief_token(api)
    accepted: list[float] = []
    refused: list[float] = []
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=PATIENCE_SECONDS) as client:
        while not refused:
            begun = since(end)
            answer = await client.post("/graphql", json={"query": "{ __typename }"})
            (accepted if answer.status_code == 200 else refused).append(begun)
            await asyncio.sleep(0.02)

    assert accepted
    assert accepted[-1] <= 0.02  # the database's clock and ours are one, but for a reading


async def test_a_stream_ends_within_two_seconds(server, api):
    secret, end = await brief_token(api)
    async with test_sse.opened(server, secret) as stream:
        first, last = await stream.next(), await stream.next()

    assert (first.batch["changes"], last.code) == ([], "UNAUTHENTICATED")
    assert -0.1 <= since(end) < 2 + SLACK_SECONDS


async def test_a_socket_closes_within_two_seconds(server, api):
    secret, end = await brief_token(api)
    async with entered(server, secret) as socket:
        await send(socket, subscribe(CHANGES))
        assert (await received(socket))["type"] == "next"

        assert await closing_code(socket) == 4403
    assert -0.1 <= since(end) < 2 + SLACK_SECONDS
