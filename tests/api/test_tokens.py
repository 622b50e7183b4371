"""Tokens are made and revoked over the API, by an ADMIN token only."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest

from audience_gql.api import ids
from audience_gql.api.ids import Kind
from audience_gql.audience.access import Doorkeeper, Unauthenticated, create_token, rotate_token
from audience_gql.audience.callers import Caller

CREATE = """
mutation ($input: CreateApiTokenInput!) {
  createApiToken(input: $input) {
    __typename
    ... on CreateApiTokenPayload { secret token { id name prefix scopes createdAt expiresAt lastUsedAt } }
    ... on InvalidInput { issues { code path } }
  }
}
"""
LIST = "{ apiTokens { id name prefix } }"
REVOKE = """
mutation ($id: ID!) {
  revokeApiToken(input: {id: $id}) { __typename ... on DeletePayload { deletedId } ... on UserError { path } }
}
"""


async def create(api, **given):
    found = await api.data(CREATE, input={"name": "CRM", "scopes": ["READ"], **given})
    return found["createApiToken"]


async def test_a_token_is_made_and_opens_the_workspace_within_its_scopes(api):
    found = await create(api, scopes=["TRACK", "READ", "TRACK"], expiresAt="2026-03-01T14:00:00+01:00")

    token = found["token"]
    assert found["secret"].startswith(f"agq_{token['prefix']}_")
    assert token.pop("id").startswith("tok_")
    assert token.pop("prefix")
    assert token == {
        "name": "CRM", "scopes": ["TRACK", "READ"], "createdAt": "2026-03-01T12:00:00Z",
        "expiresAt": "2026-03-01T13:00:00Z", "lastUsedAt": None,
    }  # fmt: skip
    access = await Doorkeeper(api.services.ports).authenticate(found["secret"])
    assert (access.workspace.id, access.allows("WRITE")) == (api.access.workspace.id, False)


async def test_two_live_at_once_until_one_is_revoked(api):
    old, new = await create(api), await create(api)

    found = (await api.data(REVOKE, id=old["token"]["id"]))["revokeApiToken"]

    assert found == {"__typename": "DeletePayload", "deletedId": old["token"]["id"]}
    with pytest.raises(Unauthenticated):
        await Doorkeeper(api.services.ports).authenticate(old["secret"])
    assert await Doorkeeper(api.services.ports).authenticate(new["secret"])
    again = (await api.data(REVOKE, id=old["token"]["id"]))["revokeApiToken"]
    assert again == {"__typename": "NotFound", "path": ["input", "id"]}


@pytest.mark.parametrize(
    ("given", "issue"),
    [
        ({"name": " "}, {"code": "REQUIRED", "path": ["input", "name"]}),
        ({"scopes": []}, {"code": "REQUIRED", "path": ["input", "scopes"]}),
        ({"expiresAt": "2026-03-01T12:00:00Z"}, {"code": "OUT_OF_RANGE", "path": ["input", "expiresAt"]}),
    ],
)
async def test_a_token_that_would_open_nothing_is_refused(api, given, issue):
    assert await create(api, **given) == {"__typename": "InvalidInput", "issues": [issue]}


async def test_another_workspace_s_token_is_unknown(api, stranger):
    theirs = await create(stranger)

    found = (await api.data(REVOKE, id=theirs["token"]["id"]))["revokeApiToken"]

    assert found["__typename"] == "NotFound"
    assert await Doorkeeper(stranger.services.ports).authenticate(theirs["secret"])


@pytest.mark.parametrize("scopes", [["READ"], ["READ", "WRITE", "TRACK"]])
async def test_only_admins_make_and_revoke_tokens(api, scopes):
    secret = await api.token(*scopes)
    access = await api.services.doorkeeper.authenticate(secret)

    for document, variables in (
        (CREATE, {"input": {"name": "x", "scopes": ["ADMIN"]}}),
        (REVOKE, {"id": "tok_x"}),
        (LIST, {}),
    ):
        result = await replace(api, access=access).execute(document, variables)
        assert [error.extensions["code"] for error in result.errors] == ["FORBIDDEN"]


async def test_an_admin_finds_every_token_by_its_id_until_it_is_revoked(api, stranger):
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on ApiToken { name expiresAt } } }"
    theirs, ours = await create(stranger), await create(api, expiresAt="2026-03-01T12:00:01Z")
    api.clock.advance(timedelta(hours=1))  # an expired token can be revoked, so it is there
    revoked = await create(api, name="gone")
    await api.data(REVOKE, id=revoked["token"]["id"])
    wanted = [it["token"]["id"] for it in (ours, theirs, revoked)]

    with api.counting() as statements:
        found = (await api.data(query, ids=wanted))["nodes"]

    assert found == [
        {"__typename": "ApiToken", "name": "CRM", "expiresAt": "2026-03-01T12:00:01Z"}, None, None,
    ]  # fmt: skip
    assert len(statements) == 1


@pytest.mark.parametrize("scopes", [["READ"], ["READ", "WRITE", "TRACK"]])
async def test_others_find_themselves_only(api, scopes):
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    other = await create(api)
    access = await api.services.doorkeeper.authenticate(await api.token(*scopes))
    own = ids.encode(Kind.API_TOKEN, access.token.id)

    result = await replace(api, access=access).execute(query, {"ids": [other["token"]["id"], own]})

    assert (result.errors, result.data) == (None, {"nodes": [None, {"id": own}]})


async def test_tokens_are_listed_until_they_are_revoked(api, stranger):
    await create(stranger, name="theirs")
    first, second = await create(api, name="first"), await create(api, name="second")
    assert [it["name"] for it in (await api.data(LIST))["apiTokens"]] == ["second", "first", "test"]

    await api.data(REVOKE, id=first["token"]["id"])

    found = (await api.data(LIST))["apiTokens"]
    assert [it["id"] for it in found] == [second["token"]["id"], found[1]["id"]]
    assert [it["name"] for it in found] == ["second", "test"]


async def test_a_token_without_a_date_ends_after_ninety_days_and_with_null_never(api):
    usual, lasting = await create(api), await create(api, expiresAt=None)

    assert usual["token"]["expiresAt"] == "2026-05-30T12:00:00Z"
    assert lasting["token"]["expiresAt"] is None


async def test_networks_are_kept_in_their_usual_form_or_refused(api):
    document = """mutation ($networks: [String!]) { createApiToken(input: {name: "n", scopes: [READ], networks: $networks}) {
      ... on CreateApiTokenPayload { token { networks } } ... on InvalidInput { issues { code path } } } }"""

    async def asked(networks):
        return (await api.data(document, networks=networks))["createApiToken"]

    kept = ["10.0.0.0/8", "2001:db8::/32", "203.0.113.9/32"]
    assert await asked([" 10.0.0.0/8", "2001:DB8:0::/32", "203.0.113.9", "10.0.0.0/8"]) == {
        "token": {"networks": kept}
    }
    assert await asked(None) == {"token": {"networks": None}}
    assert await asked([]) == {"issues": [{"code": "REQUIRED", "path": ["input", "networks"]}]}
    assert await asked(["10.0.0.0/8"] * 21) == {
        "issues": [{"code": "TOO_MANY", "path": ["input", "networks"]}]
    }
    assert await asked(["10.0.0.0/8", "10.0.0.1/8", "here"]) == {
        "issues": [
            {"code": "MALFORMED", "path": ["input", "networks", "1"]},
            {"code": "MALFORMED", "path": ["input", "networks", "2"]},
        ]
    }


@pytest.mark.parametrize(("life", "overlap"), [(timedelta(days=10), 24), (None, 0)])
async def test_a_rotated_token_has_a_successor_and_ends(api, life, overlap):
    workspace, ports = api.access.workspace, api.services.ports
    expires_at = None if life is None else api.clock.instant + life
    old, old_secret = await create_token(
        ports=ports,
        workspace=workspace,
        name="CRM",
        scopes=["READ", "TRACK"],
        expires_at=expires_at,
        networks=["::1/128"],
    )
    api.clock.advance(timedelta(days=1))

    new, secret = await rotate_token(
        ports=ports, workspace=workspace, token_id=old.id, overlap=timedelta(hours=overlap)
    )

    now, here = api.clock.instant, lambda: Caller(address=ip_address("::1"), agent=None)
    assert (new.name, new.scopes, new.networks) == ("CRM", ["READ", "TRACK"], ["::1/128"])
    assert new.expires_at == (None if life is None else now + life)
    assert (await Doorkeeper(ports).authenticate(secret, here)).token.id == new.id
    if overlap:
        assert (await Doorkeeper(ports).authenticate(old_secret, here)).token.id == old.id
        api.clock.advance(timedelta(hours=overlap))
    with pytest.raises(Unauthenticated):
        await Doorkeeper(ports).authenticate(old_secret, here)
    entries = (await api.data("{ auditTrail(first: 2) { edges { node { kind objectId } } } }"))["auditTrail"][
        "edges"
    ]
    assert {edge["node"]["kind"]: edge["node"]["objectId"] for edge in entries} == {
        "API_TOKEN_ROTATED": ids.id_of(old), "API_TOKEN_CREATED": ids.id_of(new),
    }  # fmt: skip
