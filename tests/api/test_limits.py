"""A document asks for so much and no more, and saying so is quick."""

from __future__ import annotations

import time

import pytest
from graphql import get_introspection_query

from audience_gql.api.documents.documents import Documents, Prepared, RefusedDocument
from audience_gql.api.documents.limits import ALIASES, COST, DEPTH, DIRECTIVES, FRAGMENTS, TOKENS, VALUE_DEPTH

TOKEN = "{ viewer { token { name } } }"


@pytest.fixture
def documents(schema) -> Documents:
    return Documents(schema._schema)


def refusal(documents: Documents, text: str) -> str:
    prepared = documents.prepare(text)
    assert isinstance(prepared, RefusedDocument)
    return prepared.errors[0].message


def cost(documents: Documents, text: str, **variables: object) -> int:
    prepared = documents.prepare(text)
    assert isinstance(prepared, Prepared), prepared
    (operation,) = prepared.operations.values()
    return operation.cost.points({**operation.defaults, **variables})


def used_by(levels: int) -> str:
    return '{ segment(by: {name: "x"}) ' + "{ usedBy " * (levels - 2) + "{ id }" + " }" * (levels - 2) + " }"


def test_depth(documents):
    assert isinstance(documents.prepare(used_by(DEPTH)), Prepared)
    assert refusal(documents, used_by(DEPTH + 1)) == f"A query can be at most {DEPTH} levels deep."


def test_depth_counts_through_fragments(documents):
    text = (
        '{ segment(by: {name: "x"}) { usedBy { usedBy { usedBy { usedBy { ...Five } } } } } }'
        "fragment Five on Segment { usedBy { usedBy { usedBy { usedBy { usedBy { usedBy { usedBy { id } } } } } } } }"
    )

    assert refusal(documents, text) == f"A query can be at most {DEPTH} levels deep."


def test_introspection_is_not_counted(documents):
    assert isinstance(documents.prepare(get_introspection_query(input_value_deprecation=True)), Prepared)


def test_aliases(documents):
    def aliased(count: int) -> str:
        return "{" + " ".join(f"a{number}: viewer {{ token {{ name }} }}" for number in range(count)) + "}"

    assert isinstance(documents.prepare(aliased(ALIASES)), Prepared)
    assert (
        refusal(documents, aliased(ALIASES + 1))
        == f"A document has at most {ALIASES} aliases, not {ALIASES + 1}."
    )


def test_directives(documents):
    text = "{ viewer " + "@include(if: true) " * (DIRECTIVES + 1) + "{ token { name } } }"

    assert (
        refusal(documents, text) == f"A document has at most {DIRECTIVES} directives, not {DIRECTIVES + 1}."
    )


def test_fragments(documents):
    text = "{ viewer { " + "... { token { name } } " * (FRAGMENTS + 1) + "} }"

    assert refusal(documents, text) == f"A document has at most {FRAGMENTS} fragments, not {FRAGMENTS + 1}."


def test_tokens(documents):
    prepared = documents.prepare("{ viewer { " + "name " * TOKENS + "} }")

    assert isinstance(prepared, RefusedDocument)
    assert f"contains more than {TOKENS} tokens" in prepared.errors[0].message


def test_values_in_a_document_nest_like_json(documents):
    def condition(levels: int) -> str:
        return (
            "{ subscribers(where: "
            + "{not: " * levels
            + "{all: []}"
            + "}" * levels
            + ") { pageInfo { hasNextPage } } }"
        )

    assert isinstance(documents.prepare(condition(VALUE_DEPTH - 2)), Prepared)
    assert refusal(documents, condition(VALUE_DEPTH)).startswith(
        f"Values can be nested at most {VALUE_DEPTH} levels deep"
    )


def test_a_page_costs_its_size_for_every_page_around_it(documents):
    assert cost(documents, "{ subscribers(first: 50) { edges { node { id email } } } }") == 50
    assert (
        cost(documents, "{ subscribers(first: 50) { edges { node { groups { edges { node { id } } } } } } }")
        == 50 + 50 * 20
    )
    assert cost(documents, "{ subscribers { edges { node { id } } } }") == 20
    assert cost(documents, "{ subscribers { edges { node { memberOf(segmentIds: []) } } } }") == 40


def test_a_page_s_size_can_come_from_a_variable(documents):
    text = "query ($n: Int, $m: Int = 5) { subscribers(first: $n) { edges { node { groups(first: $m) { edges { node { id } } } } } } }"

    assert cost(documents, text, n=10, m=3) == 10 + 10 * 3
    assert cost(documents, text, n=10) == 10 + 10 * 5
    assert cost(documents, text) == 20 + 20 * 5
    assert cost(documents, text, n=10**9, m=10**9) == 100 + 100 * 100
    assert cost(documents, text, n="x", m=None) == 20 + 20 * 20


def test_a_fragment_costs_wherever_it_is_used(documents):
    text = """{ a: subscribers(first: 10) { ...People } b: subscribers(first: 5) { ...People } }
    fragment People on SubscriberConnection { edges { node { groups { edges { node { id } } } } } }"""

    assert cost(documents, text) == (10 + 10 * 20) + (5 + 5 * 20)


def test_a_batch_is_priced_by_its_ceiling(documents):
    text = "mutation { upsertSubscribers(input: {subscribers: []}) { ... on UpsertSubscribersPayload { subscribers { id } } } }"

    assert cost(documents, text) == 1 + 1000


async def test_too_costly_is_refused_before_it_runs(api):
    text = "query ($n: Int) { subscribers(first: $n) { edges { node { groups(first: 100) { edges { node { id } } } } } } }"
    with api.counting() as statements:
        (error,) = await api.errors(text, n=100)

    assert error["extensions"] == {"code": "COST_LIMIT", "cost": 10_100, "limit": COST}
    assert "path" not in error
    assert statements == []


def test_fragments_do_not_blow_up(documents):
    """Each fragment asks twice for the next: 2^40 fields when written out."""
    doubling = " ".join(f"fragment F{n} on Viewer {{ ...F{n + 1} ...F{n + 1} }}" for n in range(40))
    text = f"{{ viewer {{ ...F0 }} }} {doubling} fragment F40 on Viewer {{ token {{ name }} }}"

    started = time.process_time()
    prepared = documents.prepare(text)

    assert isinstance(prepared, Prepared)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "text",
    [
        "{ viewer { " + "token { name } " * 3_700 + "} }",
        "{" * 15_000,
        "{ a" * 180 + " }" * 180,
        "query " + "(" * 5_000,
        "{ subscribers(where: " + "[" * 190 + "]" * 190 + ") { pageInfo { hasNextPage } } }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        " ".join(f"query Q{n} {{ viewer {{ token {{ name }} }} }}" for n in range(1_500)),
        "{ viewer { token { name } } }" + "#" * 500_000,
        "{ nodes(ids: [" + '"x" ' * 14_000 + "]) { id } }",
        "query (" + "$a: Int " * 4_000 + ") { viewer { token { name } } }",
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
    ],
    ids=[
        "wide",
        "braces",
        "deep",
        "parentheses",
        "nested values",
        "circle",
        "operations",
        "comment",
        "list",
        "variables",
        "introspection",
    ],
)
def test_hostile_documents_are_dealt_with_quickly(documents, text):
    started = time.process_time()

    documents.prepare(text)

    assert time.process_time() - started < 1


def test_a_fragment_chain_cannot_overflow_the_stack(documents):
    chain = " ".join(
        f"fragment F{n} on Segment {{ {'usedBy { ' * 30}...F{n + 1}{' }' * 30} }}" for n in range(30)
    )

    text = f'{{ segment(by: {{name: "x"}}) {{ ...F0 }} }} {chain} fragment F30 on Segment {{ id }}'

    assert refusal(documents, text) == f"A query can be at most {DEPTH} levels deep."
