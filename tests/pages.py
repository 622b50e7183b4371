"""Reads the documentation pages for newcomers, and finds every command on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "console/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
_PROGRAMS = (
    "python",
    "python3",
    "pip",
    "audience-gql",
    "docker",
    "npm",
    "pg_dump",
    "pg_restore",
    ".venv/bin/python",
)


@dataclass(frozen=True, slots=True)
class Command:
    """A command on a page, without its comment. The lines of a here-document follow the first line."""

    page: str
    text: str

    @property
    def line(self) -> str:
        """The command without a here-document, as a shell splits it into words."""
        return re.sub(r"<<'\w+'", "", self.text.partition("\n")[0])

    def __str__(self) -> str:
        return f"{self.page}: {self.text.partition(chr(10))[0]}"


def snippets() -> list[tuple[str, str, str]]:
    """The blocks of code, as (page, language, text)."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        name = page.relative_to(ROOT).as_posix()
        found += [
            (name, language, dedent(body))
            for _, language, body in re.findall(
                r"^( *)```(\w*)\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE
            )
        ]
    return found


def commands() -> list[Command]:
    """Every command in the shell blocks, in order."""
    return [
        Command(page, command)
        for page, language, body in snippets()
        if language == "sh"
        for command in _split(body)
    ]


def inline_commands() -> list[Command]:
    """Every command in a sentence or a table, without its optional parts."""
    found = []
    for page in PAGES:
        text = re.sub(
            r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        for command in re.findall(r"`([^`\n]+)`", text):
            if command.split()[0] in _PROGRAMS and " " in command:
                plain = re.sub(r"\[[^]]*\]|…", "", command).strip()
                found.append(Command(page.relative_to(ROOT).as_posix(), plain))
    return found


def _split(body: str) -> Iterator[str]:
    lines = iter(body.splitlines())
    for line in lines:
        command = re.sub(r"\s+#.*", "", line).rstrip()
        if not command:
            continue
        if heredoc := re.search(r"<<'(\w+)'", command):
            for more in lines:
                command += f"\n{more}"
                if more == heredoc[1]:
                    break
        yield command
