"""A document is parsed, measured and validated once."""

from __future__ import annotations

from audience_gql.api.documents import LONGEST_REMEMBERED, Documents, Prepared, Refused

VIEWER = "{ viewer { token { name } } }"


def test_the_second_request_of_a_text_is_remembered(schema):
    documents = Documents(schema._schema)

    first, second = documents.prepare(VIEWER), documents.prepare(VIEWER)

    assert documents.hits == 1
    assert first is second
    assert isinstance(first, Prepared)


async def test_the_schema_remembers_across_operations(api):
    text = "query Remembered { viewer { token { name } } }"
    before = api.schema.documents.hits

    await api.data(text)
    await api.data(text)
    await api.data(text)

    assert api.schema.documents.hits == before + 2


def test_refusals_are_remembered_too(schema):
    documents = Documents(schema._schema)

    first, second = documents.prepare("{ nothing }"), documents.prepare("{ nothing }")

    assert isinstance(first, Refused)
    assert first is second


def test_a_long_text_is_not_kept(schema):
    documents = Documents(schema._schema)
    text = VIEWER + " " * LONGEST_REMEMBERED

    documents.prepare(text)
    documents.prepare(text)

    assert documents.hits == 0


async def test_one_of_several_operations_must_be_named(api):
    document = "query A { viewer { token { name } } } query B { viewer { workspace { name } } }"

    (error,) = await api.errors(document)

    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "operationName" in error["message"]
