"""One statement reads a root field with everything below it, if every field declares how it is written in SQL."""

from __future__ import annotations

import asyncio
import json

import pytest
from graphql import GraphQLNonNull, GraphQLObjectType, is_leaf_type

from audience_gql.api.context import Context
from audience_gql.api.operations.operation_requests import OperationRequest
from audience_gql.api.transport.wire import encode
from audience_gql.storage.reads.composed.writing import _MOST_TEXTS

IS_ONE_SERVER = pytest.mark.one_server("looks at composed statements, which a cluster does not get")
PERSON = 'id email createdAt latitude field(key: "plan") fields { key value } channels { channel status changedAt reason }'  # fmt: skip
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
LISTS = f"groups(first: 2) {{ {PAGE} edges {{ cursor addedAt node {{ id name memberCount }} }} }} segments {{ edges {{ enteredAt node {{ id state }} }} }}"
MEMBERS = f"members(first: 2) {{ {PAGE} edges {{ cursor node {{ {PERSON} }} }} }}"
WHOLE = (
    f'segment(by: {{ name: "All" }}) {{ id name state memberCount {MEMBERS} }}',
    f"segments(first: 1) {{ {PAGE} edges {{ cursor node {{ id name memberCount {MEMBERS} }} }} }}",
    f'group(by: {{ name: "Friends" }}) {{ id name memberCount {MEMBERS} }}',
    f"groups(orderBy: SIZE_DESC) {{ {PAGE} edges {{ cursor node {{ memberCount {MEMBERS} }} }} }}",
    f'subscriber(by: {{ externalId: "1" }}) {{ {PERSON} {LISTS} }}',
    f"subscribers(orderBy: EMAIL_ASC, first: 2) {{ {PAGE} edges {{ cursor node {{ {PERSON} {LISTS} }} }} }}",
)
DEFINE = 'mutation { defineCustomField(input: {key: "plan", label: "Plan", type: TEXT}) { __typename } }'


async def people(api) -> None:
    await api.data(DEFINE)
    friends = await api.group("Friends")
    await api.segment("All", {"all": []})
    await api.upsert(
        *(
            {
                "externalId": str(number),
                "addToGroupIds": [friends],
                "fields": [{"key": "plan", "value": "free"}],
                "channels": [{"channel": "SMS", "status": "ACTIVE"}],
            }
            for number in range(3)
        )
    )
    await api.tick()


def wire(data: object) -> object:
    """The data as a client reads it."""
    return json.loads(encode(data))


async def executor_of(api, document: str) -> str:
    context = Context(api.services, api.access)
    request = OperationRequest(query=document, variables=None, operation_name=None)
    result = await api.schema.answer(api.schema.candidate(request), context)
    assert not result.errors
    return context.executor


@IS_ONE_SERVER
@pytest.mark.parametrize("root", WHOLE, ids=lambda root: root.split("(")[0].split()[0])
async def test_a_root_field_is_one_statement(api, root):
    await people(api)

    with api.counting() as sent:
        await api.data(f"{{ {root} }}")

    assert len(sent) == 1


SHARED = (
    (f"query Q($key: String!) {{ segment(by: {{ name: $key }}) {{ id name state memberCount members(first: 2) {{ {PAGE} }} }} }}", ["All", "Other", "Nobody", "Other"]),
    (f"query Q($key: String!) {{ group(by: {{ name: $key }}) {{ id memberCount members(first: 2) {{ {PAGE} }} }} }}", ["Friends", "None", "Friends"]),
    (f"query Q($key: String!) {{ subscriber(by: {{ externalId: $key }}) {{ id email fields {{ key value }} groups(first: 2) {{ {PAGE} edges {{ cursor addedAt node {{ id memberCount }} }} }} }} }}", ["1", "2", "0", "4", "2"]),
    ("query Q($key: String!) { segments(first: 2, after: $key) { edges { cursor node { name } } } }", None),
)  # fmt: skip


@IS_ONE_SERVER
@pytest.mark.parametrize(("document", "keys"), SHARED, ids=["segment", "group", "person", "page"])
async def test_what_is_asked_at_the_same_time_shares_a_statement(api, document, keys):
    await people(api)
    await api.segment("Other", {"country": {"is": "LT"}})
    edges = (await api.data("{ segments { edges { cursor } } }"))["segments"]["edges"]
    keys = keys or [edge["cursor"] for edge in edges]
    one_by_one = [wire(await api.data(document, key=key)) for key in keys]

    with api.counting() as sent:
        first, *together = await asyncio.gather(*(api.data(document, key=key) for key in [keys[0], *keys]))

    assert [wire(data) for data in together] == one_by_one
    assert wire(first) == one_by_one[0]
    assert len(sent) == 2


@IS_ONE_SERVER
async def test_a_large_page_shares_no_statement(api):
    await people(api)

    with api.counting() as sent:
        await asyncio.gather(
            *(api.data("{ subscribers(first: 50) { edges { node { id } } } }") for _ in range(4))
        )

    assert len(sent) == 4


@IS_ONE_SERVER
async def test_a_root_field_beside_it_may_be_read_otherwise(api):
    await people(api)
    document = "{{ viewer {{ workspace {{ timezone }} }} __typename {} {} }}"
    by_statement, by_plan = (
        "groups { edges { node { name } } }",
        'a: groups(search: "fri") { edges { node { name } } }',
    )
    friends = {"edges": [{"node": {"name": "Friends"}}]}

    with api.counting() as sent:
        found = await api.data(document.format(by_statement, by_plan))

    assert found == {
        "viewer": {"workspace": {"timezone": "UTC"}},
        "__typename": "Query",
        "groups": friends,
        "a": friends,
    }
    assert sorted("string_agg(" in text for text in sent) == [False, True]
    assert await executor_of(api, document.format(by_statement, by_plan)) == "plan"
    assert await executor_of(api, f"{{ __typename {by_statement} }}") == "statement"


async def test_a_statement_that_the_driver_would_not_keep_is_not_written(api):
    await people(api)
    many = " ".join(f"m{number}: {MEMBERS}" for number in range(20))

    assert await executor_of(api, f'{{ segment(by: {{ name: "All" }}) {{ {many} }} }}') == "plan"


@IS_ONE_SERVER
async def test_few_texts_are_kept_of_one_answer(api):
    await people(api)
    document = "query ($first: Int) { groups(first: $first) { edges { node { name } } } }"
    for first in range(1, 40):
        await api.data(document, first=first)

    (operation,) = api.schema.documents.prepare(document).operations.values()
    (plan,) = operation.plans._made.values()
    (field,) = plan.fields

    assert 1 <= len(field.statement.answer._texts) <= _MOST_TEXTS


TABLES = {
    "Subscriber": "subscribers",
    "Group": "groups",
    "Segment": "segments",
    "ChannelState": "channel_states",
}


async def test_what_is_never_null_in_the_schema_is_never_null_in_storage(api, database):
    """A statement relies on it: null is no text, so what it writes would be no JSON."""
    rows = await database.fetch(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND is_nullable = 'NO'"
    )
    known = {(row["table_name"], row["column_name"]) for row in rows}
    columns = {
        (table, field.extensions["strawberry-definition"].python_name)
        for name, table in TABLES.items()
        for field in object_type(api, name).fields.values()
        if field.extensions["strawberry-definition"].is_basic_field
        and isinstance(field.type, GraphQLNonNull)
        and is_leaf_type(field.type.of_type)
    }

    assert len(columns) > 10
    assert columns <= known


def object_type(api, name: str) -> GraphQLObjectType:
    type_ = api.schema._schema.get_type(name)
    assert isinstance(type_, GraphQLObjectType)
    return type_
