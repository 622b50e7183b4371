"""Every snippet of the README and the docs is one that works: commands are commands, and files are there.

Shell commands run in tests/test_newcomer.py, the requests of docs/api.md and docs/insights.md in tests/api/test_documented_operations.py, the examples of
docs/conditions.md in tests/conditions/test_handbook.py, and what docs/howto/back-up.md says in tests/faults/test_restore.py, and
docs/howto/automations.md's mutation in tests/api/test_automations.py, docs/howto/mcp.md's configuration in tests/api/test_mcp.py, the files of docs/howto/definitions.md in tests/api/test_definition_commands.py, the snippets of docs/howto/webhooks.md in
tests/api/test_webhooks.py, and those of the README in tests/api/test_purchase_log.py. What
docs/howto/scale-out.md tells Citus is compared with the schema in tests/storage/test_schema.py.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from importlib.machinery import SourceFileLoader

import pytest
import yaml

from audience_gql import cli
from tests.pages import PAGES, ROOT, commands, inline_commands, snippets

ELSEWHERE = {
    ("README.md", "graphql"),
    ("README.md", "yaml"),
    ("docs/api.md", "graphql"),
    ("docs/api.md", "json"),
    ("docs/conditions.md", "json"),
    ("docs/conditions.md", "sql"),
    ("docs/errors.md", "graphql"),
    ("docs/errors.md", "json"),
    ("docs/howto/automations.md", "graphql"),
    ("docs/howto/definitions.md", "yaml"),
    ("docs/howto/mcp.md", "json"),
    ("docs/howto/scale-out.md", "sql"),
    ("docs/howto/webhooks.md", "graphql"),
    ("docs/howto/webhooks.md", "json"),
    ("docs/howto/webhooks.md", "python"),
    ("docs/insights.md", "graphql"),
    ("docs/insights.md", "json"),
}
"""Languages of pages whose snippets a test of their own runs."""
NOT_OURS = ("npm ", "pip install ", "pg_dump", "pg_restore")
"""Other people's programs, which a test run does not have; what we give them is tested where it is read."""
IN_THE_SHELL = ("cat >", "export ", ". ")
"""What a shell needs no program of ours for. It runs in tests/test_newcomer.py."""


@pytest.mark.parametrize(("page", "language"), sorted({(page, language) for page, language, _ in snippets()}))
def test_a_language_has_who_runs_it(page, language):
    assert language in ("sh", "text") or (page, language) in ELSEWHERE  # text is a picture


def test_there_are_commands():
    assert len(commands()) > 25


@pytest.mark.parametrize("command", [*commands(), *inline_commands()], ids=str)
def test_a_command_is_one_that_a_newcomer_can_type(command):
    """From the checkout, with no environment entered: `python` may be missing, and audience-gql is not on the path of a shell."""
    if command.line.startswith((*NOT_OURS, *IN_THE_SHELL)):
        return
    words = shlex.split(command.line)
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    match words:
        case ["python3", "dev", "run", "audience-gql", *rest] | ["audience-gql", *rest]:
            assert command not in commands() or words[0] == "python3", (
                "nothing has put audience-gql on the path"
            )
            assert_is_of_ours(rest)
        case ["python3", "dev", "run", path, *_]:
            assert path == "FILE" or (ROOT / path).exists()
        case ["python3", "dev", name, *_]:
            assert name in dev_commands()
        case ["docker", "compose", *rest]:
            assert_compose_knows(rest)
        case _:
            pytest.fail(f"{command.page} says {command.text!r}, which nobody knows")


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        assert "://" in target or (page.parent / target).exists(), target


def test_the_index_names_every_page():
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / target).resolve()
        for target in re.findall(r"\]\(([^)#\s]+)", index.read_text(encoding="utf-8"))
    }
    pages = {page for page in index.parent.rglob("*.md") if page.parent.name != "adr"} - {index}

    assert pages - linked == set()


def assert_is_of_ours(words: list[str]) -> None:
    """A command as it is typed, or in a sentence only its name."""
    if len(words) > 1:
        assert cli._parser().parse_args(words).run
        return
    with pytest.raises(SystemExit) as ended:
        cli._parser().parse_args([*words, "--help"])
    assert ended.value.code == 0


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
    assert spec
    dev = importlib.util.module_from_spec(spec)
    loader.exec_module(dev)
    words = re.findall(r"^    python3 dev ([\w|]+)", dev.__doc__ or "", re.MULTILINE)
    return [*words[0].split("|"), *(word for word in words if "|" not in word)]
