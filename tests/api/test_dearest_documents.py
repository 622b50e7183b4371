"""A document costs its sender no more work than is stated for each of its characters: a search for the dearest ones."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable

import pytest
from graphql import execute_sync, get_introspection_query

from audience_gql.api.documents.documents import Documents, Prepared, RefusedDocument
from audience_gql.api.documents.limits import ALIASES, COST, DIRECTIVES, FRAGMENTS, LENGTH, OPERATIONS
from audience_gql.api.operations.execution import AudienceExecutor
from tests.calls import counting_calls

IS_LONG = bool(os.environ.get("AUDIENCE_FUZZ_LONG"))
CALLS_A_CHARACTER = 120
CALLS_A_DOCUMENT = 8_000
"""What docs/api.md states."""
CALLS_A_POINT = 140
"""Of the cost of an introspection, when it runs."""
QUOTE, TRIPLE = '"', '"' * 3


def repeated(pattern: str, around: str = "{}") -> Callable[[int], str]:
    """A document that holds a pattern n times; `#` in it is the number of the repetition."""
    return lambda n: around.replace(
        "{}", " ".join(pattern.replace("#", str(number)) for number in range(n)), 1
    )


PEOPLE = "{ subscribers(where: {any: [{}]}) { pageInfo { endCursor } } }"
FAMILIES: dict[str, Callable[[int], str]] = {
    "unknown input fields": repeated("c#:1", "{ previewSegment(condition: {{}}) { __typename } }"),
    "unknown input fields in a list": repeated("{c#:1}", PEOPLE),
    "unknown arguments": repeated("a#:1", "{ viewer({}) { token { name } } }"),
    "unknown fields": repeated("viewr#", "{ {} }"),
    "unknown fields of a union": repeated("nam#", 'mutation { createSegment(input: {name: "x", condition: {all: []}}) { {} } }'),
    "misspelt types": repeated("... on Subscribr# { id }", "{ {} }"),
    "misspelt types of variables": repeated("$a#: Subscribr#", "query ({}) { __typename }"),
    "misspelt values of an enum": repeated("NAME_AS", "{ segments(orderBy: [{}]) { pageInfo { endCursor } } }"),
    "misspelt directives": repeated("@incl#(if: true)", "{ viewer {} { token { name } } }"),
    "leaves of a condition": repeated('{country:{is:"LT"}}', PEOPLE),
    "two operators": repeated('{country:{is:"a",isNot:"b"}}', PEOPLE),
    "nested values": lambda n: PEOPLE.replace("{}", "{not:" * n + "{all:[]}" + "}" * n),
    "lists in lists": lambda n: PEOPLE.replace("{}", "[" * n + "]" * n),
    "one value for a list": repeated("1", "{ nodes(ids: [{}]) { id } }"),
    "nested fields": lambda n: '{segment(by:{name:"x"})' + "{usedBy" * n + "{id}" + "}" * n + "}",
    "braces": lambda n: "{" * n,
    "parentheses": lambda n: "query " + "(" * n,
    "the same field": repeated("token{name}", "{ viewer { {} } }"),
    "the same leaf": repeated("id", "{ viewer { token { {} } } }"),
    "aliases": repeated("a#:viewer{token{name}}", "{ {} }"),
    "aliases of one name": repeated("a:viewer{token{name}}", "{ {} }"),
    "aliases that conflict": repeated("a:name a:id", "{ viewer { token { {} } } }"),
    "aliased introspections": repeated("a#:__schema{types{name fields{name type{name}}}}", "{ {} }"),
    "nested introspection": lambda n: "{__schema{types" + "{fields{type" * n + "{name}" + "}}" * n + "}}",
    "wrapped types": lambda n: "{__schema{types{fields{type" + "{ofType" * n + "{name}" + "}" * n + "}}}}",
    "sizes from variables": lambda n: (
        "query(" + "".join(f"$v{i}:Int " for i in range(n)) + "){"
        + "".join(f"a{i}:subscribers(first:$v{i}){{edges{{node{{groups(first:$v{(i + 1) % n}){{edges{{cursor}}}}}}}}}}" for i in range(n)) + "}"
    ),
    "fragments": lambda n: "{ viewer { " + "".join(f"...F{i} " for i in range(n)) + "} }" + "".join(f"fragment F{i} on Viewer{{token{{name}}}}" for i in range(n)),
    "a chain of fragments": lambda n: "{ viewer { ...F0 } }" + "".join(f"fragment F{i} on Viewer{{...F{i + 1}}}" for i in range(n)),
    "a doubling chain of fragments": lambda n: "{ viewer { ...F0 } }" + "".join(f"fragment F{i} on Viewer{{...F{i + 1} ...F{i + 1}}}" for i in range(n)) + f"fragment F{n} on Viewer{{token{{name}}}}",
    "a circle of fragments": lambda n: "{ ...F0 }" + "".join(f"fragment F{i} on Query{{...F{(i + 1) % n}}}" for i in range(n)),
    "one fragment everywhere": repeated("...F", "{ viewer { {} } } fragment F on Viewer { token { name } }"),
    "inline fragments": repeated("...{token{name}}", "{ viewer { {} } }"),
    "inline fragments in each other": lambda n: "{ viewer " + "{..." * n + "{token{name}}" + "}" * n + "}",
    "operations": repeated("query Q#{viewer{token{name}}}"),
    "operations of one name": repeated("query Q{viewer{token{name}}}"),
    "operations over one large fragment": lambda n: (
        " ".join(f"query Q{i}($v:ID){{...F}}" for i in range(OPERATIONS))
        + " fragment F on Query{" + "node(id:$v){id}" * n + "}"
    ),
    "operations over a chain of fragments": lambda n: (
        " ".join(f"query Q{i}{{...F0}}" for i in range(OPERATIONS))
        + "".join(f"fragment F{i} on Query{{...F{i + 1}}}" for i in range(FRAGMENTS - 2))
        + f"fragment F{FRAGMENTS - 2} on Query{{" + "viewer{token{name}}" * n + "}"
    ),
    "variables": repeated("$a#:Int", "query ({}) { viewer { token { name } } }"),
    "variables that are used": lambda n: "query(" + "".join(f"$v{i}:ID! " for i in range(n)) + "){nodes(ids:[" + "".join(f"$v{i} " for i in range(n)) + "]){id}}",
    "undefined variables": repeated("$v#", "{ nodes(ids: [{}]) { id } }"),
    "variables of the wrong type": lambda n: "query(" + "".join(f"$v{i}:Int " for i in range(n)) + "){nodes(ids:[" + "".join(f"$v{i} " for i in range(n)) + "]){id}}",
    "variables with defaults": repeated("$a#:ConditionInput={x:1}", "query ({}) { viewer { token { name } } }"),
    "directives": repeated("@include(if:true)", "{ viewer {} { token { name } } }"),
    "directives everywhere": repeated("name@skip(if:false)", "{ viewer { token { {} } } }"),
    "unknown definitions": repeated("type T#{a:Int}"),
    "escapes in a text": lambda n: '{ node(id: "' + "\\u00e9" * n + '") { id } }',
    "short escapes in a text": lambda n: '{ node(id: "' + "\\n" * n + '") { id } }',
    "a text of another script": lambda n: f'{{ node(id: "{"é😀" * n}") {{ id }} }}',
    "a text for a number": lambda n: f'{{ segments(first: "{"x" * n}") {{ pageInfo {{ endCursor }} }} }}',
    "a block text": lambda n: f"{{ node(id: {TRIPLE}{'  x' * n}{TRIPLE}) {{ id }} }}",
    "a block text of many lines": lambda n: f"{{ node(id: {TRIPLE}{chr(10) * n}  x{TRIPLE}) {{ id }} }}",
    "short texts": repeated('"x"', "{ nodes(ids: [{}]) { id } }"),
    "block texts": repeated(f"{TRIPLE}x{TRIPLE}", "{ nodes(ids: [{}]) { id } }"),
    "a text that never ends": lambda n: '{ node(id: "' + "x" * n,
    "a misplaced text": lambda n: '{ "' + "x" * n + '" }',
    "a long number": lambda n: f"{{ segments(first: {'9' * n}) {{ pageInfo {{ endCursor }} }} }}",
    "long numbers": repeated("9" * 300, "{ nodes(ids: [{}]) { id } }"),
    "a long name": lambda n: f"{{ {'a' * n} }}",
    "a long type": lambda n: f"{{ ... on {'a' * n} {{ id }} }}",
    "a long directive": lambda n: f"{{ viewer @{'a' * n} {{ token {{ name }} }} }}",
    "a comment": lambda n: "{ viewer { token { name } } }#" + "x" * n,
    "comments": lambda n: "{ viewer { token { name } } }" + "#\n" * n,
    "blank space": lambda n: "{ viewer { token { name } } }" + " ,\n" * n,
}  # fmt: skip


def work(schema, text: str) -> int:
    with counting_calls() as calls:
        Documents(schema._schema).prepare(text)
    return calls[0]


def most(text: str) -> int:
    return CALLS_A_DOCUMENT + CALLS_A_CHARACTER * len(text)


@pytest.fixture(scope="module", autouse=True)
def warm(schema) -> None:
    work(schema, get_introspection_query())


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_work_for_a_document_is_bounded_by_its_length(schema, family):
    make = FAMILIES[family]
    sizes = [1, 3, 25, 45, 300, 2_900, 30_000, *([700, 1_500] if IS_LONG else [])]

    texts = [text for n in sizes if len(text := make(n)) <= LENGTH]
    dearest = max(((work(schema, text), text) for text in texts), key=lambda it: it[0] / most(it[1]))

    assert dearest[0] <= most(dearest[1]), (
        f"{dearest[0]} calls for {len(dearest[1])} characters: {dearest[1][:300]}"
    )


@pytest.mark.slow
def test_the_work_for_documents_put_together_by_chance_is_bounded(schema):
    """Two or three families side by side: what each leaves room for, the others may use up."""
    chance = random.Random(14)
    parts = [
        lambda n: f"viewer{{{'token{name}' * n}}}",
        lambda n: "".join(f"a{i}:viewer{{token{{name}}}}" for i in range(min(n, ALIASES))),
        lambda n: "viewer" + "@include(if:true)" * min(n, DIRECTIVES) + "{token{name}}",
        lambda n: "...{viewer{token{name}}}" * min(n, FRAGMENTS),
        lambda n: f"previewSegment(condition:{{any:[{'{country:{is:1}}' * n}]}}){{__typename}}",
        lambda n: f"nodes(ids:[{'$v ' * n}]){{id}}",
        lambda n: f"segments(orderBy:{'N' * n}){{pageInfo{{endCursor}}}}",
        lambda n: f"node(id:{QUOTE}{'x' * n}{QUOTE}){{id}}",
        lambda n: "".join(f"viewr{i} " for i in range(n)),
    ]
    worst, count = 0.0, 5_000 if IS_LONG else 30
    for _ in range(count):
        chosen = chance.sample(parts, chance.randint(1, 4))
        body = "".join(part(chance.choice([1, 5, 20, 100, 400])) for part in chosen)
        text = "query($v:ID!){" + body + "}"
        if len(text) <= LENGTH:
            share = work(schema, text) / most(text)
            worst = max(worst, share)
            assert share <= 1, text[:1_000]
    assert worst > 0.1


@pytest.mark.parametrize(
    "family",
    [
        "unknown input fields",
        "misspelt types",
        "the same field",
        "leaves of a condition",
        "short texts",
        "variables",
    ],
)
def test_the_work_grows_no_faster_than_the_document(schema, family):
    make = FAMILIES[family]
    small, large = 10, 40

    few, many = work(schema, make(small)), work(schema, make(large))

    assert many - CALLS_A_DOCUMENT <= 4.5 * few


@pytest.mark.slow
def test_what_is_told_of_a_document_is_short(schema):
    for make in FAMILIES.values():
        for n in (10, 500):
            prepared = Documents(schema._schema).prepare(make(n))
            if isinstance(prepared, RefusedDocument):
                assert len(prepared.errors) <= 5
                assert len(str([error.formatted for error in prepared.errors])) < 5_000


INTROSPECTIONS = {
    "the tools' own": get_introspection_query(input_value_deprecation=True),
    "types of fields of types": "{__schema{types{fields{type{fields{name}ofType{fields{name}ofType{fields{name}}}}}}}}",
    "twice so deep": "{__schema{types{fields{type{fields{type{name}}ofType{fields{type{name}}}}}}}}",
    "members of everything": "{__schema{types{possibleTypes{fields{name}} inputFields{type{name ofType{name}}}}}}",
    "arguments": "{__schema{types{fields{args{type{ofType{inputFields{name}}}}}}}}",
    "one type by many aliases": "{" + "".join(f'a{i}:__type(name:"Query"){{fields{{args{{name}}}}}}' for i in range(ALIASES)) + "}",
    "one input by many aliases": "{" + "".join(f'a{i}:__type(name:"ConditionInput"){{inputFields{{type{{inputFields{{name}}}}}}}}' for i in range(ALIASES)) + "}",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", INTROSPECTIONS)
def test_introspection_costs_what_it_returns(schema, name):
    prepared = Documents(schema._schema).prepare(INTROSPECTIONS[name])
    if isinstance(prepared, RefusedDocument):
        return
    (operation,) = prepared.operations.values()
    points = operation.cost.points({})
    if points > COST:
        return

    with counting_calls() as calls:
        result = execute_sync(schema._schema, prepared.document)

    assert result.errors is None
    assert calls[0] <= COST * CALLS_A_POINT, f"{calls[0]} calls for {points} points"


async def test_thirty_introspections_are_too_costly(api):
    text = (
        "{"
        + " ".join(
            f"a{i}: __schema {{ types {{ name fields {{ name args {{ name }} }} }} }}" for i in range(30)
        )
        + "}"
    )

    (error,) = await api.errors(text)

    assert error["extensions"]["code"] == "COST_LIMIT"
    assert error["extensions"]["cost"] > 2 * COST


async def test_the_tools_own_introspection_is_not(api):
    found = await api.data(get_introspection_query(input_value_deprecation=True))

    assert len(found["__schema"]["types"]) > 100


VARIABLES: dict[str, Callable[[int], object]] = {
    "unknown fields": lambda n: {f"c{i}": 1 for i in range(n)},
    "long unknown names": lambda n: {"x" * 100 + str(i): 1 for i in range(n)},
    "unknown fields in a list": lambda n: {"all": [{f"c{i}": 1} for i in range(n)]},
    "nulls": lambda n: {"all": [None] * n},
    "numbers": lambda n: {"all": list(range(n))},
    "a fault at the end": lambda n: {"all": [*[{"country": {"is": "x"}}] * n, {"country": {"is": 1}}]},
    "texts for numbers": lambda n: {"all": [{"age": {"gt": "x" * 50}}] * n},
    "a long text": lambda n: {"country": {"is": 5, "x" * n: 1}},
    "nothing wrong": lambda n: {"all": [{"country": {"in": ["x"] * n}}]},
}


@pytest.mark.slow
@pytest.mark.parametrize("family", VARIABLES)
async def test_the_work_for_variables_is_bounded_by_their_length(api, family):
    document = "query ($c: ConditionInput!) { previewSegment(condition: $c) { __typename } }"
    await api.errors(document, c={"nope": 1})
    prepared = api.schema.documents.prepare(document)
    assert isinstance(prepared, Prepared)
    for n in (10, 1_000, 10_000):
        value = VARIABLES[family](n)

        with counting_calls() as calls:
            AudienceExecutor.build(api.schema._schema, prepared.document, raw_variable_values={"c": value})

        assert calls[0] <= 10_000 + 25 * len(str(value)), (n, calls[0], len(str(value)))


def test_the_families_are_many():
    assert len(FAMILIES) > 50
    assert all(make(3) != make(4) for make in itertools.islice(FAMILIES.values(), 5))
