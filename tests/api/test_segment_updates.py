"""Watched segments as they look from GraphQL; when they are told of is tested where it is made."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from tests.patience import PATIENCE_SECONDS

UPDATES = """
subscription ($ids: [ID!]!) {
  segmentUpdates(ids: $ids) { id name memberCount state summary members { edges { node { externalId } } } }
}
"""


def stream(api, ids):
    return aclosing(api.subscribe(UPDATES, ids=ids))


async def upcoming(results):
    async with asyncio.timeout(PATIENCE_SECONDS):
        body = await anext(results)
    assert "errors" not in body, body
    return body["data"]["segmentUpdates"]


async def test_a_segment_comes_with_what_is_true_by_then(api):
    segment = await api.segment("LT", {"country": {"is": "LT"}})

    async with stream(api, [segment]) as results:
        first = await upcoming(results)
        await api.upsert({"externalId": "1", "country": "LT"})
        await api.tick()
        second = await upcoming(results)

    assert first == {
        "id": segment, "name": "LT", "memberCount": 0, "state": "READY", "summary": 'People whose country is "LT".', "members": {"edges": []},
    }  # fmt: skip
    assert second == first | {"memberCount": 1, "members": {"edges": [{"node": {"externalId": "1"}}]}}


@pytest.mark.parametrize(
    ("ids", "code"), [([], "BAD_USER_INPUT"), (["x"] * 101, "BAD_USER_INPUT"), (["seg_AQ"], "NOT_FOUND")]
)
async def test_what_cannot_be_watched_is_refused(api, ids, code):
    async with stream(api, ids) as results:
        result = await anext(results)

    assert [error["extensions"]["code"] for error in result["errors"]] == [code]


async def test_a_stranger_s_segment_is_not_there(api, stranger):
    theirs = await stranger.segment("LT", {"country": {"is": "LT"}})

    async with stream(api, [theirs]) as results:
        strange = await anext(results)
    async with stream(api, ["seg_AQ"]) as results:
        unknown = await anext(results)

    assert strange == unknown
