"""A document is parsed, measured and validated once."""

from __future__ import annotations

import gc
import os
import tracemalloc

import pytest

from audience_gql.api.documents.documents import REMEMBERED_BYTES, Documents, Prepared, RefusedDocument
from audience_gql.api.documents.limits import LENGTH, TOKENS

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

    assert isinstance(first, RefusedDocument)
    assert first is second


def test_a_document_has_a_longest_length(schema):
    documents = Documents(schema._schema)
    longest = VIEWER + " " * (LENGTH - len(VIEWER))

    assert isinstance(documents.prepare(longest), Prepared)
    refused = documents.prepare(f"{longest} ")

    assert isinstance(refused, RefusedDocument)
    assert refused.errors[0].message == f"A document has at most {LENGTH:,} characters, not {LENGTH + 1:,}."


LARGE = {
    "many names": lambda number: f"{{ viewer {{ token {{ {'name ' * (TOKENS - 10)} }} }} }} # {number}",
    "many values": lambda number: (
        f"{{ nodes(ids: [{f'{QUOTED}{number}{QUOTED} ' * (TOKENS - 20)}]) {{ id }} }}"
    ),
    "many strings": lambda number: f"{{ nodes(ids: [{f'{QUOTED}{number:0>300}{QUOTED} ' * 100}]) {{ id }} }}",
    "many objects": lambda number: (
        f"{{ subscribers(where: {{any: [{f'{{age: {{gt: {number}}}}} ' * 400}]}}) {{ pageInfo {{ endCursor }} }} }}"
    ),
    "a long text": lambda number: f'{{ node(id: "{number:0>30000}") {{ id }} }}',
    "a long text of another script": lambda number: f'{{ node(id: "{number}{"😀" * 30_000}") {{ id }} }}',
    "a long comment": lambda number: f"{VIEWER} # {number:0>30000}",
    "refused at once": lambda number: f"{{ nothing{number} }} # {number:0>30000}",
    "short": lambda number: f"{{ viewer {{ token {{ name }} }} }} # {number}",
}
QUOTED = '"'


@pytest.mark.slow
@pytest.mark.parametrize("family", LARGE)
def test_what_is_remembered_takes_no_more_memory_than_is_said(schema, family):
    documents = Documents(schema._schema)
    texts = [LARGE[family](number) for number in range(6 if os.environ.get("AUDIENCE_FUZZ_LONG") else 3)]
    documents.prepare(texts.pop())  # what is made once, whatever comes
    said_before = documents.remembered_bytes

    tracemalloc.start()
    for text in texts:
        documents.prepare(text)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    print(family, held / (documents.remembered_bytes - said_before))
    assert held <= documents.remembered_bytes - said_before
    assert documents.remembered_bytes <= REMEMBERED_BYTES


@pytest.mark.slow
def test_the_oldest_are_forgotten_when_the_memory_is_full(schema):
    documents = Documents(schema._schema)
    documents.prepare(VIEWER)
    for number in range(40):
        documents.prepare(LARGE["many values"](number))
        documents.prepare(VIEWER)  # in daily use

    assert REMEMBERED_BYTES / 2 < documents.remembered_bytes <= REMEMBERED_BYTES
    assert documents.hits == 40
    documents.prepare(LARGE["many values"](39))
    documents.prepare(LARGE["many values"](0))
    assert documents.hits == 41


async def test_one_of_several_operations_must_be_named(api):
    document = "query A { viewer { token { name } } } query B { viewer { workspace { name } } }"

    (error,) = await api.errors(document)

    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "operationName" in error["message"]
