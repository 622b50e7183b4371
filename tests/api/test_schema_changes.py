"""The command that compares schemas names what breaks clients and what may surprise them, and its exit code says whether anything breaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audience_gql import cli
from audience_gql.api.derived.schema_changes import changes_since

SCHEMA = Path(__file__).parents[2] / "schema.graphql"


def checked(tmp_path, capsys, text: str) -> tuple[int, list[str]]:
    older = tmp_path / "older.graphql"
    older.write_text(text, encoding="utf-8")
    code = cli.main(["schema", "--check", str(older)])
    return code, capsys.readouterr().out.splitlines()


def test_the_same_schema_has_no_changes(tmp_path, capsys):
    assert checked(tmp_path, capsys, SCHEMA.read_text(encoding="utf-8")) == (0, [])


def test_what_is_new_breaks_nothing(tmp_path, capsys):
    text = SCHEMA.read_text(encoding="utf-8")
    older = re.sub(r'  """[^"]*"""\n  TRACK\n', "", text)
    assert older != text

    assert checked(tmp_path, capsys, older) == (0, ["dangerous: Enum value Scope.TRACK was added."])


def test_what_is_gone_breaks_clients(tmp_path, capsys):
    text = SCHEMA.read_text(encoding="utf-8").replace("type Query {", "type Query {\n  weather: Int", 1)

    code, lines = checked(tmp_path, capsys, text)

    assert (code, lines) == (1, ["breaking: Field Query.weather was removed."])


def test_an_input_that_begins_to_be_a_choice_breaks_clients():
    plain = "input Key { a: Int b: Int } type Query { x(key: Key): Int }"
    choice = plain.replace("Key {", "Key @oneOf {", 1)

    assert changes_since(plain, choice).breaking == ["Key is now @oneOf."]
    assert changes_since(choice, plain).breaking == []
    assert changes_since(choice, plain).dangerous == ["Key is no longer @oneOf."]


@pytest.mark.parametrize("text", ["type Query {", "type Query { a: Nothing }", "{ viewer { token { id } } }"])
def test_a_file_that_is_no_schema_is_named(tmp_path, capsys, text):
    older = tmp_path / "older.graphql"
    older.write_text(text, encoding="utf-8")

    assert cli.main(["schema", "--check", str(older)]) == 2
    assert capsys.readouterr().err.startswith(f"audience-gql: {older}: ")
    assert cli.main(["schema", "--check", str(tmp_path / "none.graphql")]) == 2
