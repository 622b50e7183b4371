"""Documents that schemathesis makes for every root field: the API answers or refuses each of them in the words of docs/errors.md.

The seed is fixed, so that every run sends the same documents.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from random import Random

import httpx
import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLSchema,
    NullValueNode,
    ObjectValueNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    get_named_type,
    parse,
    print_ast,
    visit,
)

pytestmark = pytest.mark.fuzz

ROOT = Path(__file__).parents[2]
EACH = 6
"""How many documents for each root field."""
DOCUMENTED = frozenset(
    re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/errors.md").read_text(encoding="utf-8"), re.MULTILINE)
)
BUGS = frozenset({"INTERNAL", "UNAVAILABLE", "TIMEOUT"})


class OneOf(Visitor):
    """Leaves one field in the inputs that take exactly one, because schemathesis does not know @oneOf."""

    def __init__(self, types: TypeInfo, random: Random) -> None:
        super().__init__()
        self._types = types
        self._random = random

    def enter_object_value(self, node: ObjectValueNode, *_: object) -> ObjectValueNode | None:
        given = self._types.get_input_type()
        type_ = get_named_type(given) if given else None
        if not isinstance(type_, GraphQLInputObjectType) or not type_.is_one_of or not node.fields:
            return None
        full = [field for field in node.fields if not isinstance(field.value, NullValueNode)]
        return ObjectValueNode(fields=(self._random.choice(full or list(node.fields)),))


def generated(number: int) -> list[tuple[str, str]]:
    """The documents, each with the name of its root field."""
    import schemathesis  # noqa: PLC0415  # takes a second, which other tests need not wait for
    from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: PLC0415
    from schemathesis.core.result import Ok  # noqa: PLC0415

    path = ROOT / "schema.graphql"
    schema, random = build_schema(path.read_text(encoding="utf-8")), Random(number)
    found: list[tuple[str, str]] = []

    @seed(number)
    @settings(
        max_examples=EACH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def collect(case) -> None:
        found.append((case.operation.label, one_of(case.body, schema, random)))

    for loaded in schemathesis.graphql.from_path(str(path)).get_all_operations():
        assert isinstance(loaded, Ok)
        given(loaded.ok().as_strategy())(collect)()
    return found


def one_of(text: str, schema: GraphQLSchema, random: Random) -> str:
    types = TypeInfo(schema)
    return print_ast(visit(parse(text), TypeInfoVisitor(types, OneOf(types, random))))


async def test_every_document_is_answered_or_refused_in_documented_words(server, api):
    documents = generated(22)
    codes: Counter[str] = Counter()
    headers = {"authorization": f"Bearer {await api.token()}"}
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        for name, document in documents:
            answer = await client.post("/graphql", json={"query": document}, headers=headers)
            told = answer.json()
            errors = told.get("errors", [])
            codes.update([error["extensions"]["code"] for error in errors] or ["ANSWERED"])
            assert answer.status_code < 500, (name, document)
            assert errors or isinstance(told["data"], dict), (name, document)
            for error in errors:
                assert error["message"], (name, document)
                assert error["extensions"]["code"] in DOCUMENTED - BUGS, (name, document, error)
        for name, document in documents[:: EACH * 5]:
            answer = await client.post("/graphql", json={"query": document})
            assert (answer.status_code, "data" in answer.json()) == (401, False), (name, document)

    assert len({name for name, _ in documents}) * EACH == len(documents) > 400
    assert codes["ANSWERED"] > len(documents) / 2, codes
