"""People are "they", and clients, processes and workers are "it": the project's texts contain no gendered pronouns (docs/style.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import ROOT

PLACES = ("src", "docs", "examples", "console", "playground", "schema.graphql", "README.md")
SUFFIXES = {".css", ".graphql", ".html", ".json", ".md", ".py", ".sql", ".svg", ".ts", ".tsx"}
GENERATED = {"built", "dist", "gql", "node_modules", "package-lock.json"}
"""Folders and files of other people's text, or of text that is generated from files that this test reads."""
PRONOUN = re.compile(
    r"(?<![A-Za-z])(?:she|hers?|herself|he|his|him|himself)(?![A-Za-z])", flags=re.IGNORECASE
)
EXCEPTIONS = {
    ("docs/style.md", 'A test refuses "she" and "he"'): "the rule names what it forbids",
}
"""Texts of a file that may contain pronouns, with the reason."""


def files() -> list[Path]:
    found = [
        it
        for place in PLACES
        for it in ((ROOT / place).rglob("*") if (ROOT / place).is_dir() else [ROOT / place])
    ]
    return [it for it in found if it.suffix in SUFFIXES and not GENERATED & {*it.relative_to(ROOT).parts}]


def pronouns(path: Path) -> Iterator[str]:
    """Each line with a pronoun, as `file:line: text`."""
    name = path.relative_to(ROOT).as_posix()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        rest = line
        for excepted, text in EXCEPTIONS:
            if excepted == name:
                rest = rest.replace(text, "")
        if PRONOUN.search(rest):
            yield f"{name}:{number}: {line.strip()}"


def test_no_text_has_a_gendered_pronoun():
    assert len(files()) > 300
    assert [found for path in files() for found in pronouns(path)] == []


@pytest.mark.parametrize(("name", "text"), EXCEPTIONS)
def test_an_exception_is_still_needed(name, text):
    assert text in (ROOT / name).read_text(encoding="utf-8")
    assert PRONOUN.search(text)
