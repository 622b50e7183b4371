"""Every snippet of the README and the docs is one that works: commands are commands, files are there, and what can run here runs.

The README's requests run in tests/demo/test_replay.py, docs/api.md's in tests/api/test_documented_operations.py, the examples of
docs/conditions.md in tests/conditions/test_handbook.py, what docs/howto/back-up.md says in tests/faults/test_restore.py, and the import of
docs/howto/import.md in tests/api/test_uploading.py. What docs/howto/scale-out.md tells Citus is held against the schema in
tests/storage/test_schema.py.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from importlib.machinery import SourceFileLoader
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from audience_gql import cli

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
ELSEWHERE = {
    ("docs/api.md", "graphql"),
    ("docs/api.md", "json"),
    ("docs/conditions.md", "json"),
    ("docs/conditions.md", "sql"),
    ("docs/errors.md", "graphql"),
    ("docs/errors.md", "json"),
    ("docs/howto/scale-out.md", "sql"),
}
"""Languages of pages whose snippets a test of their own runs."""
NOT_OURS = ("npm ", "pip install ", "pg_dump")
"""Other people's programs, which a test run does not have; what we give them is tested where it is read."""


def snippets() -> list[tuple[str, str, str]]:
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


def commands() -> list[tuple[str, str]]:
    """Every command of a shell snippet, without its comment, a here-document together with what reads it."""
    found = []
    for page, language, body in snippets():
        if language != "sh":
            continue
        joined = re.sub(r"<<'(\w+)'(.*?)\n.*?^\1$", r"\2", body, flags=re.DOTALL | re.MULTILINE)
        for line in joined.splitlines():
            command = re.sub(r"\s+#.*", "", line).strip()
            if command:
                found.append((page, command))
    return found


@pytest.mark.parametrize(("page", "language"), sorted({(page, language) for page, language, _ in snippets()}))
def test_a_language_has_who_runs_it(page, language):
    assert language in ("sh", "text") or (page, language) in ELSEWHERE  # text is a picture


def test_there_are_commands():
    assert len(commands()) > 25


@pytest.mark.parametrize(("page", "command"), commands())
def test_a_command_is_one(page, command):
    if page == "README.md" and "| curl -s $AUDIENCE_URL" in command:
        return  # runs against the demo
    if command.startswith(NOT_OURS):
        return
    words = shlex.split(command)
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    match words:
        case ["export", *_] | [".", _]:
            assert "connection.env" in command or command.startswith("export")
        case ["python3", "dev", name, *_]:
            assert name in dev_commands()
        case ["audience-gql", *rest]:
            assert cli._parser().parse_args(rest).run
        case ["docker", "compose", *rest]:
            assert_compose_knows(rest)
        case [".venv/bin/python" | "python", path, *_]:
            assert (ROOT / path).exists()
        case _:
            pytest.fail(f"{page} says {command!r}, which nobody knows")


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        assert "://" in target or (page.parent / target).exists(), target


def assert_compose_knows(words: list[str]) -> None:
    """That what is said to compose fits docker-compose.yml."""
    match words:
        case ["exec", service, "audience-gql", *rest] | ["run", "--rm", service, "audience-gql", *rest]:
            assert service in services()
            assert cli._parser().parse_args(rest).run
        case ["exec", "-T", "postgres", "pg_dump" | "pg_restore", *rest]:
            given = services()["postgres"]["environment"]
            assert f"--username={given['POSTGRES_USER']}" in rest
            assert {given["POSTGRES_DB"], f"--dbname={given['POSTGRES_DB']}"} & {*rest}
        case ["build"]:
            pass
        case ["stop" | "up", *rest]:
            assert {word for word in rest if not word.startswith("--")} <= services().keys()
        case _:
            pytest.fail(f"nobody knows {words}")


def services() -> dict[str, dict]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def dev_commands() -> list[str]:
    loader = SourceFileLoader("dev", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader("dev", loader)
    dev = importlib.util.module_from_spec(spec)
    loader.exec_module(dev)
    return re.findall(r"^    python3 dev ([\w|]+)", dev.__doc__, re.MULTILINE)[0].split("|") + re.findall(
        r"^    python3 dev (\w+)", dev.__doc__, re.MULTILINE
    )
