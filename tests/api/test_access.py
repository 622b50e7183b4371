"""What a token may do is decided before anything of an operation runs."""

from __future__ import annotations

import pytest

from audience_gql.api.context import Context
from audience_gql.audience.access import Access, create_token

READ = "{ viewer { token { scopes } } }"
WRITE = 'mutation { createGroup(input: {name: "New"}) { __typename } }'
TRACK = "mutation { trackEvents(input: {events: []}) { __typename } }"
BOTH = 'mutation { createGroup(input: {name: "New"}) { __typename } trackEvents(input: {events: []}) { __typename } }'
HIDDEN = 'mutation { ...Rest } fragment Rest on Mutation { ... { createGroup(input: {name: "New"}) { __typename } } }'


async def codes(api, document: str, *scopes: str) -> list[str]:
    token, _ = await create_token(
        ports=api.services.ports, workspace=api.access.workspace, name="test", scopes=scopes
    )
    access = Access(workspace=api.access.workspace, token=token)
    result = await api.schema.execute(document, context_value=Context(api.services, access))
    return [error.extensions["code"] for error in result.errors or ()]


@pytest.mark.parametrize(
    ("document", "scopes", "allowed"),
    [
        (READ, ["READ"], True),
        (READ, ["WRITE"], False),
        (READ, ["TRACK"], False),
        (READ, ["ADMIN"], True),
        ("{ __typename }", ["TRACK"], True),
        (WRITE, ["WRITE"], True),
        (WRITE, ["READ", "TRACK"], False),
        (WRITE, ["ADMIN"], True),
        (TRACK, ["TRACK"], True),
        (TRACK, ["READ", "WRITE"], False),
        (TRACK, ["ADMIN"], True),
        (BOTH, ["WRITE"], False),
        (BOTH, ["TRACK"], False),
        (BOTH, ["WRITE", "TRACK"], True),
        (HIDDEN, ["READ"], False),
    ],
)
async def test_a_scope_is_needed(api, document, scopes, allowed):
    assert await codes(api, document, *scopes) == ([] if allowed else ["FORBIDDEN"])


async def test_nothing_of_a_forbidden_operation_is_done(api):
    assert await codes(api, BOTH, "WRITE") == ["FORBIDDEN"]

    assert (await api.data("{ groups { edges { node { id } } } }"))["groups"]["edges"] == []


async def test_the_error_says_what_is_missing(api):
    token, _ = await create_token(
        ports=api.services.ports, workspace=api.access.workspace, name="test", scopes=["READ"]
    )
    access = Access(workspace=api.access.workspace, token=token)

    result = await api.schema.execute(BOTH, context_value=Context(api.services, access))

    (error,) = result.errors
    assert error.message == "The token is not allowed to do this; it needs WRITE and TRACK."
