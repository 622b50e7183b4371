"""The playground's page as it is served, its examples, and its build, for which npm and Vite are stood in."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from graphql import build_schema, parse, validate
from starlette.applications import Starlette
from starlette.routing import Route

from audience_gql import playground

_ROOT = Path(__file__).parents[1]
_EXAMPLES = sorted((_ROOT / "playground" / "src" / "examples").iterdir())


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the page is served from in this test."""
    monkeypatch.setattr(playground, "_BUILT", tmp_path / "built")
    monkeypatch.setattr(playground, "_PROBLEM", tmp_path / "problem.txt")
    return tmp_path / "built"


async def get(path: str, **headers: str) -> httpx.Response:
    app = Starlette(routes=[Route("/graphiql", playground.page), Route("/graphiql/{name}", playground.asset)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.get(path, headers={"accept-encoding": "identity", **headers})


def write(built: Path) -> None:
    (built / "graphiql").mkdir(parents=True)
    (built / "index.html").write_text("the page")
    (built / "inputs").write_text("no file of the page")
    (built / "graphiql" / "index-B4.js").write_text("code")
    (built / "graphiql" / "index-B4.js.gz").write_bytes(b"packed")
    (built / "graphiql" / "font-C2.ttf").write_text("font")
    (built / "graphiql" / "notes.txt").write_text("of another kind")


async def test_the_page_allows_scripts_from_its_own_origin_only(built):
    write(built)

    response = await get("/graphiql")

    policy = dict(it.split(" ", 1) for it in response.headers["content-security-policy"].split("; "))
    assert (response.status_code, response.text) == (200, "the page")
    assert response.headers["cache-control"] == "no-cache"
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["worker-src"] == policy["connect-src"] == "'self'"
    assert not [words for words in policy.values() if "http" in words or "*" in words]


async def test_a_file_with_a_hashed_name_is_kept_for_good(built):
    write(built)

    response = await get("/graphiql/index-B4.js")

    assert (response.status_code, response.text) == (200, "code")
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    # A worker's policy is that of its own file.
    assert "script-src 'self';" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("offer", "is_packed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("br", False), ("gzip;q=0", False), ("", False)],
)
async def test_a_file_is_sent_packed_to_who_takes_it(built, offer, is_packed):
    write(built)
    (built / "graphiql" / "index-B4.js.gz").write_bytes(gzip.compress(b"code"))

    response = await get("/graphiql/index-B4.js", **{"accept-encoding": offer})

    assert response.text == "code"
    assert (response.headers.get("content-encoding") == "gzip") is is_packed
    assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "name", ["missing-A1.js", "notes.txt", "..%2findex.html", "%2e%2e%2finputs", ".js", "index-B4.js.gz"]
)
async def test_only_files_of_the_page_are_handed_out(built, name):
    write(built)

    assert (await get(f"/graphiql/{name}")).status_code == 404


async def test_until_it_is_built_the_page_says_so_and_reloads(built):
    response = await get("/graphiql")

    assert response.status_code == 503
    assert response.headers["cache-control"] == "no-store"
    assert '<meta http-equiv="refresh"' in response.text
    assert "python3 dev playground" in response.text
    assert "script" not in response.headers["content-security-policy"]

    write(built)
    assert (await get("/graphiql")).text == "the page"


async def test_why_it_could_not_be_built_is_told(built):
    built.with_name("problem.txt").write_text("The npm registry does not answer <here>.")

    response = await get("/graphiql")

    assert response.status_code == 503
    assert "The npm registry does not answer &lt;here&gt;." in response.text


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda it: it.stem)
def test_an_example_is_good_graphql(example):
    schema = build_schema((_ROOT / "schema.graphql").read_text(encoding="utf-8"))

    assert validate(schema, parse(example.read_text(encoding="utf-8"))) == []


def test_every_example_is_opened():
    opened = (_ROOT / "playground" / "src" / "examples.ts").read_text(encoding="utf-8")

    assert re.findall(r"examples/(.*)\?raw", opened) == [it.name for it in _EXAMPLES]


@pytest.mark.parametrize("folder", ["playground", "examples/live-dashboard"])
def test_packages_are_locked_by_hash_and_without_addresses(folder):
    lock = json.loads((_ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: it for name, it in lock["packages"].items() if name}

    assert packages
    assert [name for name, it in packages.items() if not it.get("integrity") or "resolved" in it] == []


class Builder:
    """The builder of a copy of `playground/`, with what it was asked to run; npm and Vite do as they are told here."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.ran: list[str] = []
        self.brought = 0
        self.npm_says = ""
        vars(module).update(_run=self._run, find_node=self._find_node)
        self.node: object = module.Node(program=Path("/bin/node"), npm=("npm",))

    def build(self) -> bool:
        return self.module.build(self._bring)

    def _bring(self) -> None:
        self.brought += 1
        self.node = self.module.Node(program=Path("/bin/node"), npm=("npm",))

    def _find_node(self) -> object:
        return self.node

    def _run(self, _: object, *command: str) -> None:
        self.ran.append(Path(command[1]).name)
        if self.npm_says:
            raise self.module.NotBuilt(self.npm_says)
        if "--outDir" in command:
            made = Path(command[-1])
            made.mkdir()
            (made / "index.html").write_text("made")


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[Builder]:
    shutil.copytree(
        _ROOT / "playground", tmp_path / "playground", ignore=shutil.ignore_patterns("node_modules", ".*")
    )
    shutil.copytree(_ROOT / "docs/operations", tmp_path / "docs/operations")
    spec = importlib.util.spec_from_file_location("copied_builder", tmp_path / "playground" / "builder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield Builder(module)
    del sys.modules[spec.name]


def test_a_second_build_has_nothing_to_do(builder):
    assert [builder.build(), builder.build()] == [True, False]

    assert builder.ran == ["ci", "vite.js"]
    assert (builder.module.BUILT / "index.html").read_text() == "made"
    assert (builder.module.BUILT / "index.html.gz").exists()


@pytest.mark.parametrize(
    "file", ["playground/src/examples/1-segment.graphql", "docs/operations/01-segments.graphql"]
)
def test_a_change_is_built_in_the_old_page_s_place(builder, file):
    builder.build()
    (builder.module.BUILT / "old").touch()

    (builder.module.HERE.parent / file).write_text("{ viewer { token { id } } }")

    assert builder.build()
    assert not (builder.module.BUILT / "old").exists()


def test_what_a_killed_build_left_is_cleared_away(builder):
    left = builder.module.HERE / ".new-killed"
    (left / "built").mkdir(parents=True)

    builder.build()

    assert not left.exists()


def test_node_is_brought_where_there_is_none(builder):
    builder.node = None

    assert builder.build()
    assert builder.brought == 1


def test_what_is_missing_is_noted_until_a_build_works_and_the_old_page_stays(builder):
    builder.build()
    (builder.module.HERE / "index.html").write_text("changed")
    builder.npm_says = "The npm registry does not answer."

    with pytest.raises(builder.module.NotBuilt):
        builder.build()

    assert builder.module.PROBLEM.read_text() == "The npm registry does not answer.\n"
    assert (builder.module.BUILT / "index.html").read_text() == "made"
    builder.npm_says = ""
    assert builder.build()
    assert not builder.module.PROBLEM.exists()


@pytest.mark.parametrize(
    ("version", "will_do"),
    [
        ("v18.20.4", False),
        ("v20.18.3", False),
        ("v20.19.0", True),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.19.0", True),
        ("none", False),
    ],
)
def test_a_node_that_is_too_old_is_passed_over(builder, tmp_path, version, will_do):
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho {version}\n")
    node.chmod(0o755)

    assert builder.module._is_new_enough(str(node)) is will_do
