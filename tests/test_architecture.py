"""The architecture page names only files that exist, and every decision."""

from __future__ import annotations

import re

from tests.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src" / "audience_gql"
FILES = sorted(set(re.findall(r"`([\w/]+\.(?:py|sql))`", PAGE)))


def test_a_named_file_exists():
    missing = [
        name
        for name in FILES
        if not (SOURCE / name).is_file() and not (ROOT / name).is_file() and not _is_short_for_one(name)
    ]

    assert missing == []
    assert len(FILES) > 30


def test_every_decision_is_linked_in_order():
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    titles = [page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for page in decisions]

    linked = re.findall(r"^- \[(.+)\]\(adr/(.+)\)$", PAGE, re.MULTILINE)

    assert linked == [(title, page.name) for title, page in zip(titles, decisions, strict=True)]


def _is_short_for_one(name: str) -> bool:
    """Whether it is the last part of a path that the page names in full just before."""
    return "/" not in name and len(list(SOURCE.rglob(name))) == 1
