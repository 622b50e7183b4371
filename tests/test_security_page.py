"""SECURITY.md names tests that exist, for every attacker, and headings that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists():
    named = set(re.findall(r"`(tests/[\w/.]+)`", TEXT))

    assert len(named) > 40
    assert [it for it in sorted(named) if not (ROOT / it).exists()] == []


def test_every_attempt_names_a_test():
    tables = re.findall(
        r"\| what they try \| what stops it \| shown by \|\n\|---\|---\|---\|\n((?:\|.*\n)+)", TEXT
    )

    assert len(tables) == 7
    for row in "".join(tables).splitlines():
        assert row.count("|") == 4, row
        assert "`tests/" in row.split("|")[3], row


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT))
def test_every_link_leads_somewhere(link):
    path, _, heading = link.partition("#")
    text = (ROOT / path).read_text(encoding="utf-8")

    headings = {
        re.sub(r"[^\w -]", "", it.lower()).replace(" ", "-")
        for it in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert not heading or heading in headings
