"""A read leaves no cycles behind: what it read is free at once, and memory does not rise until a garbage collection."""

from __future__ import annotations

import gc
from collections import Counter

import pytest

from audience_gql.api.loading.loaders import Loaders
from audience_gql.api.operations.execution import AudienceExecutor

pytestmark = pytest.mark.slow
"""These tests collect the garbage of the whole process several times."""

LISTS = """
{
  segments(first: 4) { edges { node { name memberCount members(first: 20) { edges { enteredAt node {
    externalId groups(first: 5) { edges { node { name } } }
  } } } } } }
}
"""
OPERATIONS = {
    "no statement": "{ viewer { workspace { name } } }",
    "lists in lists": LISTS,
    "an explanation": '{ segment(by: {name: "All 1"}) { explain(subscriber: {externalId: "p1"}) { nodes { summary } } } }',
    "insights": '{ segment(by: {name: "All 1"}) { flow(from: "2026-03-01T00:00:00Z") { members { start end } } } }',
}


async def world(api) -> None:
    await api.upsert(*({"externalId": f"p{number}"} for number in range(30)))
    for number in range(4):
        await api.segment(f"All {number}", {"all": []})
    await api.tick()


async def garbage(api, document: str) -> Counter[str]:
    """The types of the objects that one operation always leaves for the garbage collector.

    Once it may be a connection that the pool closes meanwhile, because nobody needed it for five minutes.
    """
    for _ in range(3):
        await api.execute(document)  # fills caches
    for _ in range(3):
        if not (left := await left_once(api, document)):
            break
    return left


async def left_once(api, document: str) -> Counter[str]:
    documents = api.schema.documents
    hits = documents.hits
    gc.collect()
    gc.disable()
    try:
        await api.execute(document)
        assert documents.hits == hits + 1, "the document is validated again, and validation leaves cycles"
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return Counter(type(each).__qualname__ for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_read_leaves_no_cycles(api, name):
    await world(api)

    assert await garbage(api, OPERATIONS[name]) == Counter()


@pytest.mark.parametrize("kept", [AudienceExecutor, Loaders])
async def test_it_would_if_nothing_was_let_go(api, monkeypatch, kept):
    await world(api)
    monkeypatch.setattr(kept, "let_go" if kept is AudienceExecutor else "forget", lambda _: None)

    assert (await garbage(api, OPERATIONS["an explanation"])).total() > 5
