"""A text that Postgres cannot contain finds nothing below an object that exists: no field passes it to the database.

tests/api/test_hostile_values.py asks for objects that do not exist, so the resolvers of their fields do not run there.
"""

from __future__ import annotations

import pytest
from graphql import GraphQLObjectType, build_schema, get_named_type

TEXTS = ["\0", "a\0b", "\ud800", "x\udc00", "x" * 3_000]
NOTHING = {"members": {"events": 0}, "everybody": {"events": 0}}
FIELDS: dict[str, tuple[str, object]] = {
    "Subscriber.events(name)": ("events(name: $text) { edges { node { name } } }", {"edges": []}),
    "Subscriber.field(key)": ("field(key: $text)", None),
    "Segment.performance(events)": (
        'performance(events: [$text], from: "2026-02-01T00:00:00Z") { members { events } everybody { events } }',
        [NOTHING],
    ),
    "Subscriber.memberOf(segmentIds)": ("memberOf(segmentIds: [$id])", "NOT_FOUND"),
    "Subscriber.wasMember(segmentId)": (
        'wasMember(segmentId: $id, at: "2026-02-01T00:00:00Z")',
        "NOT_FOUND",
    ),
    "Segment.performance(comparedTo)": (
        'performance(events: ["bought"], comparedTo: $id, from: "2026-02-01T00:00:00Z") { event }',
        "NOT_FOUND",
    ),
}
"""Arguments of objects' fields that take a text, each with the answer: what is found, or the code of the error."""


def test_every_such_argument_is_here(schema):
    found = {
        f"{name}.{field}({argument})"
        for name, type_ in build_schema(schema.as_text()).type_map.items()
        if isinstance(type_, GraphQLObjectType) and name not in ("Query", "Mutation", "Subscription")
        for field, definition in type_.fields.items()
        for argument, declared in definition.args.items()
        if get_named_type(declared.type).name in ("String", "ID") and argument != "after"
    }

    assert found == FIELDS.keys()


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
@pytest.mark.parametrize("argument", FIELDS)
async def test_it_finds_nothing(api, argument, text):
    await api.data(
        'mutation { defineCustomField(input: {key: "plan", label: "Plan", type: TEXT}) { __typename } }'
    )
    await api.upsert({"externalId": "ada", "fields": [{"key": "plan", "value": "free"}]})
    await api.track({"subscriber": {"externalId": "ada"}, "name": "bought"})
    await api.segment("All", {"all": []})
    field, expected = FIELDS[argument]
    owner = (
        'segment(by: {name: "All"})'
        if argument.startswith("Segment")
        else 'subscriber(by: {externalId: "ada"})'
    )
    type_ = "$id: ID!" if "$id" in field else "$text: String!"

    result = await api.execute(
        f"query ({type_}) {{ {owner} {{ {field} }} }}", {type_[1:].partition(":")[0]: text}
    )

    codes = [error.formatted["extensions"]["code"] for error in result.errors or ()]
    assert codes == ([expected] if isinstance(expected, str) else [])
    if not codes:
        ((found,),) = (owned.values() for owned in result.data.values())
        assert found == expected


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
async def test_nobody_converts_by_such_an_event(api, text):
    a, b = await api.segments({"All": {"all": []}, "Britain": {"country": {"is": "GB"}}})

    found = await api.data(
        'query ($a: ID!, $b: ID!, $text: String!) { compareSegments(a: $a, b: $b, event: $text, from: "2026-02-01T00:00:00Z") { a { events } } }',
        a=a,
        b=b,
        text=text,
    )

    assert found["compareSegments"]["a"]["events"] == 0
