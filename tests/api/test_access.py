"""What a token may do is decided before anything of an operation runs."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    build_schema,
    get_named_type,
    is_composite_type,
    is_interface_type,
    is_object_type,
    is_required_argument,
)

from audience_gql.api.operations.operation_requests import OperationRefused, OperationRequest
from audience_gql.api.schema import Schema
from audience_gql.audience.access import Access, create_token
from audience_gql.storage.orm import models

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
    result = await replace(api, access=access).execute(document)
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

    result = await replace(api, access=access).execute(BOTH)

    (error,) = result.errors
    assert error.message == "The token is not allowed to do this. It needs WRITE and TRACK."


def fields_of(type_) -> dict[str, GraphQLField]:
    return type_.fields if is_object_type(type_) or is_interface_type(type_) else {}


def argument(type_) -> object:
    """Some value of an input type, as GraphQL's text has it: what is forbidden is not looked at."""
    if isinstance(type_, GraphQLNonNull):
        return argument(type_.of_type)
    if isinstance(type_, GraphQLList):
        return "[]"
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        needed = {name: it.type for name, it in type_.fields.items() if isinstance(it.type, GraphQLNonNull)}
        if type_.is_one_of:
            name, first = next(iter(type_.fields.items()))
            needed = {name: first.type}
        return "{" + ", ".join(f"{name}: {argument(it)}" for name, it in needed.items()) + "}"
    known = {"Int": "1", "Float": "1.5", "Boolean": "true", "DateTime": '"2026-01-01T00:00:00Z"'}
    return known.get(type_.name, '"x"')


def given(field) -> str:
    needed = [f"{name}: {argument(it.type)}" for name, it in field.args.items() if is_required_argument(it)]
    return f"({', '.join(needed)})" if needed else ""


def payload_selections(schema) -> Iterator[tuple[str, str, str, bool]]:
    """Every field that a mutation's result leads to, by the shortest way: its mutation, the document, its name, and whether it is stored."""
    for mutation, root in schema.mutation_type.fields.items():
        seen: set[str] = set()
        waiting = [(get_named_type(root.type), "%s", False)]
        while waiting:
            type_, around, is_below = waiting.pop(0)
            if type_.name in seen:
                continue
            seen.add(type_.name)
            members = getattr(type_, "types", ())
            waiting += [(it, around % f"... on {it.name} {{ %s }}", is_below) for it in members]
            is_node = type_.name == "Node" or "Node" in {it.name for it in getattr(type_, "interfaces", ())}
            for name, field in fields_of(type_).items():
                inner = get_named_type(field.type)
                text = name + given(field)
                is_leaf = not is_composite_type(inner)
                chosen = text if is_leaf else f"{text} {{ __typename }}"
                is_stored = is_below or (is_node and name != "id")
                document = f"mutation {{ {mutation}{given(root)} {{ {around % chosen} }} }}"
                yield mutation, document, f"{type_.name}.{name}", is_stored
                if not is_leaf:
                    waiting.append((inner, around % f"{text} {{ %s }}", is_stored))


SELECTIONS = list(payload_selections(build_schema(Schema().as_text())))


def test_the_walk_reaches_people_from_every_mutation_that_leads_to_any():
    reached = {mutation for mutation, _, name, _ in SELECTIONS if name == "Subscriber.email"}

    assert {"updateSegment", "upsertSubscribers", "setChannelStatus", "createGroup", "deleteGroup"} <= reached
    assert "trackEvents" not in reached
    assert len(SELECTIONS) > 1_000


def refused(schema, document: str, access: Access) -> set[str]:
    """The codes of the errors for which an operation must not run."""
    try:
        request = OperationRequest(query=document, variables=None, operation_name=None)
        schema.permit(schema.candidate(request), access)
    except OperationRefused as refusal:
        return {(error.extensions or {})["code"] for error in refusal.errors}
    return set()


def chosen_selections() -> list[tuple[str, str, str, bool]]:
    """With AUDIENCE_FUZZ_LONG, all selections. Otherwise each field below the first mutation that leads to it, and each mutation with some fields by chance."""
    if os.environ.get("AUDIENCE_FUZZ_LONG"):
        return SELECTIONS
    chance = random.Random(1)
    first_of_field = {name: selection for selection in reversed(SELECTIONS) for name in [selection[2]]}
    by_mutation: dict[str, list[tuple[str, str, str, bool]]] = {}
    for selection in SELECTIONS:
        by_mutation.setdefault(selection[0], []).append(selection)
    some = [it for all_ in by_mutation.values() for it in chance.sample(all_, min(len(all_), 8))]
    return list(dict.fromkeys([*first_of_field.values(), *some]))


@pytest.mark.slow
def test_what_is_stored_is_read_below_a_payload_with_the_scope_read_only(api):
    wrong = []
    for mutation, document, name, is_stored in chosen_selections():
        # One document after the other, because a document that was validated once is remembered for the next token.
        for scopes in (("WRITE", "TRACK"), ("WRITE", "TRACK", "READ")):
            access = Access(workspace=api.access.workspace, token=models.ApiToken(scopes=list(scopes)))
            codes = refused(api.schema, document, access) - {"COST_LIMIT"}
            needs_admin = mutation.endswith(("ApiToken", "Documents")) or "Webhook" in mutation
            needs_admin = needs_admin or mutation == "exportSubscriber"
            needs_read = is_stored or mutation in ("exportList", "expireExport")
            is_forbidden = (needs_read and "READ" not in scopes) or needs_admin
            if codes != ({"FORBIDDEN"} if is_forbidden else set()):
                wrong.append((scopes, name, document, codes))

    assert wrong == []


@pytest.mark.parametrize(
    "selection",
    [
        "... on Segment { members { edges { node { email } } } }",
        "... on Node { ... on Segment { name } }",
        "...Told } } fragment Told on UpdateSegmentResult { ... { ... { ...Deeper } } } fragment Deeper on Segment { ... { name",
        "... on RevisionConflict { current { id condition } }",
        "__typename ... on Segment { key: name }",
        '... on Segment { ... on Node { __typename } explain(subscriber: {email: "a@example.com"}) { isMember } }',
    ],
)  # fmt: skip
async def test_a_writer_reads_nobody_and_nothing_is_written(api, selection):
    segment = await api.segment("LT", {"country": {"is": "LT"}})
    document = f'mutation {{ updateSegment(input: {{id: "{segment}", name: "New"}}) {{ {selection} }} }}'

    assert await codes(api, document, "WRITE") == ["FORBIDDEN"]

    assert (await api.data("{ segments { edges { node { name } } } }"))["segments"]["edges"] == [
        {"node": {"name": "LT"}}
    ]
    assert await codes(api, document, "WRITE", "READ") == []


async def test_a_writer_is_told_what_it_did(api):
    document = """mutation {
      upsertSubscribers(input: {subscribers: [{externalId: "1"}, {phone: "1"}]}) {
        __typename ... on UpsertSubscribersPayload { created updated rejects { index code message path } subscribers { __typename id } }
      }
      createGroup(input: {name: "New"}) { ... on Group { ...Named } ... on NameTaken { message path } }
    }
    fragment Named on Node { id }"""

    assert await codes(api, document, "WRITE") == []
