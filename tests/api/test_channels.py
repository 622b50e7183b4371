"""setChannelStatus: what one person agreed to, set by hand."""

from __future__ import annotations

import pytest

SET = """
mutation ($input: SetChannelStatusInput!) {
  setChannelStatus(input: $input) {
    __typename
    ... on Subscriber { externalId channels { channel status changedAt reason } }
    ... on UserError { message path }
    ... on InvalidInput { issues { code path } }
  }
}
"""
ADA = {"externalId": "ada"}


async def set_status(api, status: str, **more):
    given = {"subscriber": ADA, "channel": "EMAIL", "status": status, **more}
    return (await api.data(SET, input=given))["setChannelStatus"]


async def test_a_status_is_set_and_given_back(api):
    await api.upsert(ADA)

    found = await set_status(api, "ACTIVE", reason="she asked")

    assert found == {
        "__typename": "Subscriber", "externalId": "ada",
        "channels": [{"channel": "EMAIL", "status": "ACTIVE", "changedAt": "2026-03-01T12:00:00Z", "reason": "she asked"}],
    }  # fmt: skip


@pytest.mark.parametrize("reason", [{}, {"reason": None}, {"reason": " "}])
async def test_who_left_comes_back_only_with_a_reason(api, reason):
    await api.upsert(ADA)
    await api.track({"subscriber": ADA, "name": "email_unsubscribed"})

    refused = await set_status(api, "ACTIVE", **reason)
    brought_back = await set_status(api, "ACTIVE", reason="by phone, 1 March")

    assert refused["__typename"] == "InvalidInput"
    assert refused["issues"] == [{"code": "CONSENT", "path": ["input", "reason"]}]
    assert [state["status"] for state in brought_back["channels"]] == ["ACTIVE"]


async def test_a_person_of_another_workspace_is_not_found(api, stranger):
    (foreign,) = await stranger.upsert(ADA)

    for key in (ADA, {"id": foreign}, {"id": "nonsense"}):
        found = await set_status(api, "ACTIVE", subscriber=key)
        assert (found["__typename"], found["path"]) == ("NotFound", ["input", "subscriber"])
