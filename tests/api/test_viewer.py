"""Who is asking."""

from __future__ import annotations

from audience_gql.api import ids
from audience_gql.api.ids import Kind

VIEWER = """
{ viewer {
    workspace { id name timezone weekStart subscriberCount }
    token { id name prefix scopes createdAt expiresAt lastUsedAt }
} }
"""


async def test_the_viewer_is_the_workspace_and_the_token(api):
    await api.upsert({"email": "ada@example.com"}, {"email": "bob@example.com"})

    viewer = (await api.data(VIEWER))["viewer"]

    assert viewer["workspace"] == {
        "id": ids.encode(Kind.WORKSPACE, api.access.workspace.id),
        "name": api.access.workspace.name,
        "timezone": "UTC",
        "weekStart": "MONDAY",
        "subscriberCount": 2,
    }
    assert viewer["token"] == {
        "id": ids.encode(Kind.API_TOKEN, api.access.token.id),
        "name": "test",
        "prefix": api.access.token.prefix,
        "scopes": ["ADMIN"],
        "createdAt": "2026-03-01T12:00:00Z",
        "expiresAt": None,
        "lastUsedAt": None,
    }
