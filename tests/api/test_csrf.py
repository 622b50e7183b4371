"""What a foreign page could make a browser send without knowing the token: each is refused, and nothing is changed."""

from __future__ import annotations

import json

import httpx
import pytest
from starlette.routing import Route
from websockets import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from audience_gql.app import create_app
from audience_gql.config import Settings
from tests.api.conftest import CREATE_GROUP
from tests.api.test_imports import COLUMNS, START
from tests.api.test_socket import PROTOCOL, closing_code, opened, send
from tests.patience import PATIENCE_SECONDS

EVIL = "https://evil.example"
GROUPS = "{ groups { edges { node { name } } } }"
MUTATION = {"query": CREATE_GROUP, "variables": {"name": "forged"}}
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
PARTS = f'--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{json.dumps(MUTATION)}\r\n--x--\r\n'


@pytest.fixture
def forged(server, api):
    """A function that sends a request as a foreign page can, and gives the status. With a token, to show that it would not help."""

    async def ask(method: str, path: str, *, with_token: bool = True, **given) -> int:
        headers = {"origin": EVIL, "cookie": "token=stolen", **given.pop("headers", {})}
        if with_token:
            headers["authorization"] = f"Bearer {await api.token()}"
        async with httpx.AsyncClient(
            timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers
        ) as browser:
            answer = await browser.request(method, path, **given)
        assert "set-cookie" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
        return answer.status_code

    return ask


async def groups(api) -> list[str]:
    return [it["node"]["name"] for it in (await api.data(GROUPS))["groups"]["edges"]]


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        ("text/plain", json.dumps(MUTATION)),
        ("text/plain; charset=utf-8; x=application/json", json.dumps(MUTATION)),
        (FORM, httpx.QueryParams(query=CREATE_GROUP, variables='{"name": "forged"}').__str__()),
        (MULTIPART, PARTS),
        (None, json.dumps(MUTATION)),
    ],
)
async def test_what_a_form_or_a_script_without_preflight_can_post_is_refused(forged, api, type_, body):
    headers = {} if type_ is None else {"content-type": type_}

    status = await forged("POST", "/graphql", content=body, headers=headers)

    assert status == 415
    assert await groups(api) == []


async def test_a_get_changes_nothing(forged, api):
    given = {"query": CREATE_GROUP, "variables": '{"name": "forged"}'}

    assert await forged("GET", "/graphql", params=given) == 405
    assert await forged("HEAD", "/graphql", params=given) == 405
    assert await groups(api) == []


async def test_a_cookie_is_no_token(forged, api):
    asked = {"json": {"query": GROUPS}, "with_token": False}

    assert await forged("POST", "/graphql", **asked) == 401
    assert (
        await forged(
            "POST", "/graphql", **asked, headers={"cookie": f"authorization=Bearer {await api.token()}"}
        )
        == 401
    )
    assert await forged("POST", f"/graphql?token={await api.token()}", **asked) == 401


async def test_sign_in_and_uploads_want_what_a_foreign_page_cannot_send(forged, api):
    path = (await api.data(START, input={"columns": COLUMNS}))["startImport"]["uploadUrl"]

    assert (
        await forged(
            "POST", "/sign-in/token", content='{"code": "x"}', headers={"content-type": "text/plain"}
        )
        == 400
    )
    assert await forged("POST", "/sign-in/code", with_token=False) == 401
    assert (
        await forged("POST", path, content="id,mail\n1,a@x.org\n", headers={"content-type": "text/plain"})
        == 405
    )
    assert await forged("GET", path) == 405


async def test_every_route_that_takes_get_is_known_to_change_nothing():
    """A new route must be looked at: does its GET change something?"""
    app = create_app(Settings(database_url="", redis_url="", secret_keys=("k",), pages=frozenset()))

    assert {
        it.path for it in app.routes if isinstance(it, Route) and (it.methods is None or "GET" in it.methods)
    } == {
        "/graphql",  # a mutation by GET gets 405
        "/imports/{import_id}/{secret}",  # only PUT
        "/exports/{export_id}/{secret}",  # reads the file
        "/healthz",
        "/readyz",
        "/metrics",
    }


@pytest.mark.parametrize("origin", [EVIL, "null"])
async def test_a_socket_of_a_foreign_page_is_refused_before_the_handshake(server, origin):
    with pytest.raises(InvalidStatus) as refused:
        async with connect(server.socket_url, subprotocols=[PROTOCOL], origin=Origin(origin)):
            pass

    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("payload", [None, {}, {"cookie": "token=stolen"}])
async def test_a_socket_opens_with_a_token_only(server, payload):
    async with opened(server) as socket:
        await send(socket, {"type": "connection_init"} | ({} if payload is None else {"payload": payload}))

        assert await closing_code(socket) == 4401
