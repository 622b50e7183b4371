"""The headers of every route of the application, compared with the tables of docs/headers.md, and who may introspect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from audience_gql.api.schema import Schema
from audience_gql.api.transport.answers import Answers
from audience_gql.app import create_app
from audience_gql.audience.callers import Caller
from audience_gql.config import MalformedSetting, Settings, settings_from_environment
from audience_gql.pages import serving
from tests.api.conftest import Api
from tests.patience import PATIENCE_SECONDS

PAGE = (Path(__file__).parents[2] / "docs/headers.md").read_text(encoding="utf-8")
NOBODY = Caller(address=None, agent=None)
SECURE = {"x-forwarded-proto": "https"}
HSTS = "strict-transport-security"
CODE = r"`([^`]+)`"
APP = create_app(Settings(database_url="", redis_url="", secret_keys=("k",)))
PATHS = sorted({re.sub(r"\{.*?\}", "x", it.path) for it in APP.routes if isinstance(it, Route)})
PAGES = [
    path
    for path in PATHS
    if not re.match("/(graphql$|imports/x/|exports/x/|healthz|readyz|metrics|sign-in/)", path)
]


def table(after: str) -> list[list[str]]:
    """The rows of the first table after these words, without its head."""
    lines = PAGE.partition(after)[2].split("\n\n|")[1].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def told(cell: str) -> str:
    """The first value in a cell."""
    found = re.search(CODE, cell)
    return found[1] if found else cell


EVERYWHERE = {told(name).lower(): told(value) for name, value, _ in table("## Headers")}
DEPENDING = {
    told(name).lower(): (told(api), told(page)) for name, api, page in table("depend on what answers")
}
POLICY = {told(name): value for name, value, _ in table("## The content security policy")}


async def here(path: str, page: Path, monkeypatch: pytest.MonkeyPatch) -> httpx.Response:
    """The answer of a page, which needs no server."""
    for name, folder in (("console", "console"), ("playground", "graphiql")):
        (page / name / folder).mkdir(parents=True, exist_ok=True)
        (page / name / "index.html").write_text("<!doctype html>")
        (page / name / folder / "x.js").write_text("1")
    monkeypatch.setattr(serving, "_BUILT", page)
    transport = httpx.ASGITransport(APP)
    async with httpx.AsyncClient(transport=transport, base_url="https://here") as client:
        return await client.get(path)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "HEAD"])
async def test_what_the_api_answers_has_the_headers_of_the_table(server, method):
    expected = EVERYWHERE | {name: api for name, (api, _) in DEPENDING.items() if api != "none"}
    found = {}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=SECURE) as client:
        for path in [*(it for it in PATHS if it not in PAGES), "/nowhere", "/segments/a/b/c"]:
            found[path] = has(await client.request(method, path))

    assert found == dict.fromkeys(found, expected)


@pytest.mark.parametrize("path", PAGES)
async def test_what_a_page_answers_has_the_headers_of_the_table(tmp_path, monkeypatch, path):
    answer = await here(
        path.replace("/x", "/x.js") if path in ("/console/x", "/graphiql/x") else path, tmp_path, monkeypatch
    )

    assert answer.status_code == 200
    expected = EVERYWHERE | {name: page for name, (_, page) in DEPENDING.items()}
    policy = dict(it.split(" ", 1) for it in answer.headers["content-security-policy"].split("; "))
    expected["content-security-policy"] = answer.headers["content-security-policy"]
    if path in ("/console/x", "/graphiql/x"):
        expected["cache-control"] = "public, max-age=31536000, immutable"
    assert has(answer) == expected
    assert policy.keys() == POLICY.keys()
    for name, value in policy.items():
        allowed = re.findall(CODE, POLICY[name])
        assert value == (allowed[-1] if path.startswith("/graphiql") else allowed[0])
    assert "unsafe" not in policy["script-src"]


def has(answer: httpx.Response) -> dict[str, str]:
    """The headers of the tables that an answer has, each at most once. An id becomes the table's words."""
    names = [
        name.lower() for name, _ in answer.headers.multi_items() if name.lower() in EVERYWHERE | DEPENDING
    ]
    assert len(names) == len({*names})
    found = {name: answer.headers[name] for name in names}
    assert re.fullmatch(r"[0-9a-f]{16}", found["x-request-id"])
    return found | {"x-request-id": EVERYWHERE["x-request-id"]}


@dataclass(frozen=True)
class Way:
    """How a request comes, and whether that counts as HTTPS."""

    url: str
    peer: str
    says: str
    is_secure: bool


@pytest.mark.parametrize(
    "way",
    [
        Way("https://here", "203.0.113.7", "", True),
        Way("http://here", "127.0.0.1", "https", True),
        Way("http://here", "127.0.0.1", "http", False),
        Way("http://here", "203.0.113.7", "https", False),
        Way("http://here", "127.0.0.1", "", False),
    ],
)
async def test_only_https_forbids_http(way):
    proxies = Settings(database_url="", redis_url="", secret_keys=("k",)).proxies
    for app in (APP, Answers(PlainTextResponse("answered directly"), proxies=proxies)):
        transport = httpx.ASGITransport(app, client=(way.peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url=way.url) as client:
            answer = await client.get("/nowhere", headers={"x-forwarded-proto": way.says} if way.says else {})

        assert (HSTS in answer.headers) is way.is_secure


@pytest.mark.parametrize(
    ("setting", "scope", "is_allowed"),
    [("on", "READ", True), ("admin", "ADMIN", True), ("admin", "READ", False), ("off", "ADMIN", False)],
)
async def test_introspection_is_for_those_whom_the_setting_names(api, setting, scope, is_allowed):
    schema, services = Schema(introspection=setting), api.services
    access = await services.doorkeeper.authenticate(await api.token(scope), lambda: NOBODY)
    asking = Api(schema, services, access, api.clock, api.membership, api.bucket_id)

    for document in (
        "{ __schema { queryType { name } } }",
        '{ ...F } fragment F on Query { a: __type(name: "X") { name } }',
    ):
        found = await asking.errors(document)
        assert [it["message"] for it in found] == (
            [] if is_allowed else ["Introspection is off for this token."]
        )
    (wrong,) = await asking.errors("{ viewr { __typename } }")
    assert wrong["message"] == f"Query has no field viewr{'; did you mean viewer?' if is_allowed else ''}"
    variable = "query ($by: SegmentKey!) { segment(by: $by) { id } }"
    (wrong,) = await asking.errors(variable, by={"nam": "x"})
    assert ("did you mean" in str(wrong)) is is_allowed
    assert "SegmentKey has no field nam" in str(wrong)
    assert (await asking.data("{ __typename }")) == {"__typename": "Query"}


def test_a_setting_of_get_that_nobody_knows_is_refused():
    given = {"DATABASE_URL": "d", "REDIS_URL": "r"}

    assert settings_from_environment(given).by_get == "on"
    assert settings_from_environment({**given, "AUDIENCE_GET": "trusted"}).by_get == "trusted"
    with pytest.raises(MalformedSetting, match="AUDIENCE_GET is 'no'; expected on, trusted or off"):
        settings_from_environment({**given, "AUDIENCE_GET": "no"})


def test_a_setting_of_introspection_that_nobody_knows_is_refused():
    given = {"DATABASE_URL": "d", "REDIS_URL": "r"}

    assert settings_from_environment(given).introspection == "on"
    assert settings_from_environment({**given, "AUDIENCE_INTROSPECTION": "admin"}).introspection == "admin"
    with pytest.raises(MalformedSetting, match="AUDIENCE_INTROSPECTION is 'no'; expected on, admin or off"):
        settings_from_environment({**given, "AUDIENCE_INTROSPECTION": "no"})
