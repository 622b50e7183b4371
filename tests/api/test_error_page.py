"""docs/errors.md has every code that a client can meet, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import get_args

import pytest

import audience_gql
from audience_gql.api.failures import ProblemCode, UserError
from audience_gql.audience import failures

ROOT = Path(audience_gql.__file__).parent
PAGE = (ROOT.parents[1] / "docs" / "errors.md").read_text(encoding="utf-8")
SOURCES = [*sorted((ROOT / "api").rglob("*.py")), ROOT / "app.py"]


def told(heading: str) -> set[str]:
    """The first column of the table under a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `?(\w+)`? \|", section, re.MULTILINE)) - {"type", "code", "status"}


def constants(node: ast.AST | None) -> Iterator[str]:
    for part in ast.walk(node) if node is not None else ():
        if (
            isinstance(part, ast.Constant)
            and isinstance(part.value, str)
            and re.fullmatch(r"[A-Z_]{6,}", part.value)
        ):
            yield part.value


def graphql_codes(tree: ast.Module) -> Iterator[str]:
    """Codes in the three ways that the source gives one: to ApiError, under "code", and in a table or variable of codes."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="ApiError"), args=[code, *_]):
                yield from constants(code)
            case ast.Call(func=ast.Attribute(attr="__init__"), args=[ast.Constant() as code, *_]):
                yield from constants(code)
            case ast.Dict():
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "code":
                        yield from constants(value)
            case ast.Assign(targets=[ast.Name(id="code")]) | ast.AnnAssign(target=ast.Name(id="_CODES")):
                yield from constants(node.value)


def statuses(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="HTTPStatus"), attr=name):
                yield str(HTTPStatus[name].value)
            case ast.Constant(value=int() as number) if number in (
                400,
                401,
                403,
                404,
                409,
                413,
                429,
                500,
                503,
            ):
                yield str(number)


@pytest.fixture(scope="module")
def trees() -> list[ast.Module]:
    return [ast.parse(source.read_text(encoding="utf-8")) for source in SOURCES]


def test_every_code_of_a_graphql_error(trees):
    found = {code for tree in trees for code in graphql_codes(tree)}

    assert len(found) > 10
    assert told("GraphQL errors") == found


def test_every_code_of_a_problem():
    assert (
        told("Problem codes") == {code.value for code in ProblemCode} == set(get_args(failures.ProblemCode))
    )


def test_every_failure_that_is_a_type(schema):
    members = schema._schema.get_implementations(schema._schema.get_type(UserError.__name__)).objects

    assert told("Failures as types") == {member.name for member in members}


def test_every_status(trees):
    by_the_framework = {"404"}

    assert told("HTTP statuses") == {status for tree in trees for status in statuses(tree)} | by_the_framework


def test_every_close_code():
    found = {
        code
        for module in ("socket.py", "sockets.py")
        for code in re.findall(
            r"^[A-Z_]+: Final = ([14]\d{3})$",
            (ROOT / "api" / "transport" / "streaming" / module).read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    }

    by_the_library = {"1007", "1009"}

    assert len(found) >= 10
    assert told("Close codes of websockets") == found | by_the_library
