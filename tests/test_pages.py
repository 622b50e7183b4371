"""The console's and the playground's pages as they are served, their addresses, and their build, for which npm and Vite are stood in."""

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

from audience_gql.app import create_app
from audience_gql.config import MalformedSetting, Settings, settings_from_environment
from audience_gql.pages import addresses, serving

_ROOT = Path(__file__).parents[1]
_EXAMPLES = sorted((_ROOT / "playground" / "src" / "examples").iterdir())


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the pages are served from in this test."""
    monkeypatch.setattr(serving, "_BUILT", tmp_path / "built")
    monkeypatch.setattr(serving, "_PROBLEM", tmp_path / "problem.txt")
    return tmp_path / "built"


async def get(
    path: str, pages: tuple[str, ...] = ("console", "playground"), **headers: str
) -> httpx.Response:
    app = Starlette(routes=[Route(it, endpoint) for it, endpoint in addresses.endpoints(pages)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.get(path, headers={"accept-encoding": "identity", **headers})


def write(built: Path) -> None:
    for page, folder in (("console", "console"), ("playground", "graphiql")):
        (built / page / folder).mkdir(parents=True)
        (built / page / "index.html").write_text(f'<base href="./" />the {page}')
        (built / page / "inputs").write_text("no file of the page")
        (built / page / folder / "index-B4.js").write_text("code")
        (built / page / folder / "index-B4.js.gz").write_bytes(b"packed")
        (built / page / folder / "font-C2.ttf").write_text("font")
        (built / page / folder / "font-C2.woff2").write_text("font")
        (built / page / folder / "notes.txt").write_text("of another kind")


@pytest.mark.parametrize(("path", "text"), [("/", "the console"), ("/graphiql", "the playground")])
async def test_a_page_allows_scripts_from_its_own_origin_only(built, path, text):
    write(built)

    response = await get(path)

    policy = dict(it.split(" ", 1) for it in response.headers["content-security-policy"].split("; "))
    assert (response.status_code, response.text) == (200, f'<base href="./" />{text}')
    assert response.headers["cache-control"] == "no-cache"
    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["worker-src"] == policy["connect-src"] == "'self'"
    assert policy["base-uri"] == "'self'"
    assert not [words for words in policy.values() if "http" in words or "*" in words]
    assert ("'unsafe-inline'" in policy["style-src"]) is (path == "/graphiql")


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("/", "./"),
        ("/sign-in", "./"),
        ("/segments/seg_1", "../"),
        ("/automations/aut_1", "../"),
        ("/automations/aut_1/edit", "../../"),
    ],
)
async def test_every_address_of_the_console_gets_it_with_the_way_to_its_files(built, path, way):
    write(built)

    response = await get(path)

    assert (response.status_code, response.text) == (200, f'<base href="{way}" />the console')


def test_the_server_and_the_console_know_the_same_addresses():
    text = (_ROOT / "console" / "src" / "paths.ts").read_text(encoding="utf-8")
    table = text.partition("const PATHS = {")[2].partition("}")[0]

    assert tuple(re.findall(r': "(.*)"', table)) == tuple(
        it.replace("{id}", ":id") for it in addresses.CONSOLE_PATHS
    )


@pytest.mark.parametrize("path", ["/segments", "/automations/aut_1/delete", "/console", "/graphiql"])
async def test_a_path_that_leads_nowhere_is_told_as_json(path):
    settings = Settings(database_url="", redis_url="", secret_keys=("k",), pages=frozenset({"console"}))
    transport = httpx.ASGITransport(create_app(settings))

    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        response = await client.get(path)

    assert response.status_code == 404
    assert response.json() == {"error": "there is nothing at this path; the API is at /graphql"}


@pytest.mark.parametrize(
    ("given", "pages"),
    [
        ({}, {"console", "playground"}),
        ({"AUDIENCE_PAGES": ""}, {"console", "playground"}),
        ({"AUDIENCE_PAGES": "playground, console"}, {"console", "playground"}),
        ({"AUDIENCE_PAGES": "playground"}, {"playground"}),
        ({"AUDIENCE_PAGES": "none"}, set()),
    ],
)
def test_a_setting_says_which_pages_there_are(given, pages):
    settings = settings_from_environment({"DATABASE_URL": "d", "REDIS_URL": "r", **given})

    assert settings.pages == pages


def test_a_page_that_nobody_knows_is_refused():
    with pytest.raises(MalformedSetting, match="AUDIENCE_PAGES is 'konsole'; expected none, console"):
        settings_from_environment({"DATABASE_URL": "d", "REDIS_URL": "r", "AUDIENCE_PAGES": "konsole"})


@pytest.mark.parametrize("page", ["console", "playground"])
async def test_a_page_can_be_left_out(built, page):
    write(built)
    path, other = ("/", "/graphiql") if page == "console" else ("/graphiql", "/")
    folder = path.strip("/") or "console"

    assert (await get(path, (page,))).status_code == 200
    assert (await get(f"/{folder}/index-B4.js", (page,))).status_code == 200
    assert (await get(other, (page,))).status_code == 404
    assert (await get(f"/{other.strip('/') or 'console'}/index-B4.js", (page,))).status_code == 404


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("index-B4.js", "text/javascript; charset=utf-8"), ("font-C2.woff2", "font/woff2")],
)
@pytest.mark.parametrize("folder", ["console", "graphiql"])
async def test_a_file_with_a_hashed_name_is_kept_for_good(built, folder, name, media_type):
    write(built)

    response = await get(f"/{folder}/{name}")

    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    # A worker's policy is that of its own file.
    assert "script-src 'self';" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("offer", "is_packed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("br", False), ("gzip;q=0", False), ("", False)],
)
async def test_a_file_is_sent_packed_to_who_takes_it(built, offer, is_packed):
    write(built)
    (built / "playground" / "graphiql" / "index-B4.js.gz").write_bytes(gzip.compress(b"code"))

    response = await get("/graphiql/index-B4.js", **{"accept-encoding": offer})

    assert response.text == "code"
    assert (response.headers.get("content-encoding") == "gzip") is is_packed
    assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "name", ["missing-A1.js", "notes.txt", "..%2findex.html", "%2e%2e%2finputs", ".js", "index-B4.js.gz"]
)
@pytest.mark.parametrize("folder", ["console", "graphiql"])
async def test_only_files_of_the_page_are_handed_out(built, folder, name):
    write(built)

    assert (await get(f"/{folder}/{name}")).status_code == 404


@pytest.mark.parametrize(("path", "page"), [("/segments/seg_1", "console"), ("/graphiql", "playground")])
async def test_until_it_is_built_a_page_says_so_and_reloads(built, path, page):
    response = await get(path)

    assert response.status_code == 503
    assert response.headers["cache-control"] == "no-store"
    assert f"The {page} is not built yet" in response.text
    assert "location.reload()" in response.text
    assert "python3 dev pages" in response.text
    assert re.search(r"script-src 'sha256-[^' ]+'$", response.headers["content-security-policy"])

    write(built)
    assert (await get(path)).text.endswith(f"the {page}")


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


def test_packages_are_locked_by_hash_and_without_addresses():
    lock = json.loads((_ROOT / "package-lock.json").read_text(encoding="utf-8"))
    packages = [it for name, it in lock["packages"].items() if name.startswith("node_modules/")]
    fetched = [it for it in packages if not it.get("link")]

    assert len(packages) - len(fetched) == 2  # the console and the playground
    assert [it for it in fetched if not it.get("integrity") or "resolved" in it] == []


class Builder:
    """The builder of a copy of both pages, with what it was asked to run; npm and Vite do as they are told here."""

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

    def _run(self, _: object, folder: Path, *command: str) -> None:
        self.ran.append(f"{folder.name} {Path(command[1]).name}" if "--outDir" in command else command[1])
        if self.npm_says:
            raise self.module.NotBuilt(self.npm_says)
        if "--outDir" in command:
            made = Path(command[-1])
            made.mkdir()
            (made / "index.html").write_text(f"made {folder.name}")
            (made / "code.js").write_text("made")


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[Builder]:
    for page in ("console", "playground"):
        ignored = shutil.ignore_patterns("node_modules", "gql")
        shutil.copytree(_ROOT / page, tmp_path / page, ignore=ignored)
    shutil.copytree(_ROOT / "docs/operations", tmp_path / "docs/operations")
    for name in ("page_builder.py", "package.json", "package-lock.json", "schema.graphql"):
        shutil.copy(_ROOT / name, tmp_path)
    spec = importlib.util.spec_from_file_location("copied_builder", tmp_path / "page_builder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield Builder(module)
    del sys.modules[spec.name]


def test_a_second_build_has_nothing_to_do(builder):
    assert [builder.build(), builder.build()] == [True, False]

    assert builder.ran == ["ci", "console vite.js", "playground vite.js"]
    for page in ("console", "playground"):
        assert (builder.module.BUILT / page / "index.html").read_text() == f"made {page}"
        assert (builder.module.BUILT / page / "code.js.gz").exists()


@pytest.mark.parametrize(
    ("file", "page"),
    [
        ("playground/src/examples/1-segment.graphql", "playground"),
        ("console/src/paths.ts", "console"),
        ("schema.graphql", "console"),
    ],
)
def test_only_the_page_that_changed_is_built_in_the_old_one_s_place(builder, file, page):
    builder.build()
    (builder.module.BUILT / page / "old").touch()
    builder.ran.clear()

    (builder.module.ROOT / file).write_text("{ viewer { token { id } } }")

    assert builder.build()
    assert builder.ran == [f"{page} vite.js"]
    assert not (builder.module.BUILT / page / "old").exists()


def test_a_documented_operation_is_part_of_the_pages(builder):
    builder.build()

    (builder.module.ROOT / "docs/operations/01-segments.graphql").write_text("{ viewer { token { id } } }")

    assert not builder.module.is_current()


def test_generated_types_are_no_part_of_the_console(builder):
    builder.build()
    (builder.module.ROOT / "console/src/gql").mkdir()
    (builder.module.ROOT / "console/src/gql/graphql.ts").write_text("types")

    assert not builder.build()


def test_what_a_killed_build_left_is_cleared_away(builder):
    left = builder.module.WORK / "new-killed"
    (left / "built").mkdir(parents=True)

    builder.build()

    assert not left.exists()


def test_node_is_brought_where_there_is_none(builder):
    builder.node = None

    assert builder.build()
    assert builder.brought == 1


def test_what_is_missing_is_noted_until_a_build_works_and_the_old_page_stays(builder):
    builder.build()
    (builder.module.ROOT / "console" / "index.html").write_text("changed")
    builder.npm_says = "The npm registry does not answer."

    with pytest.raises(builder.module.NotBuilt):
        builder.build()

    assert builder.module.PROBLEM.read_text() == "The npm registry does not answer.\n"
    assert (builder.module.BUILT / "console" / "index.html").read_text() == "made console"
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
