"""GraphQL over HTTP against a running server: status codes, media types, bodies that nobody means well with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.patience import PATIENCE_SECONDS

VIEWER = "{ viewer { workspace { name } } }"
JSON = "application/json; charset=utf-8"
GRAPHQL_JSON = "application/graphql-response+json; charset=utf-8"
ACCEPT_GRAPHQL = {"accept": "application/graphql-response+json, application/json;q=0.9"}


@pytest_asyncio.fixture(loop_scope="session")
async def client(server, api) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {await api.token()}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=20) as opened:
        yield opened


def code(response: httpx.Response) -> str:
    (error,) = response.json()["errors"]
    return error["extensions"]["code"]


async def test_a_query_is_answered(client, api):
    response = await client.post("/graphql", json={"query": VIEWER})

    assert (response.status_code, response.headers["content-type"]) == (200, JSON)
    assert response.json() == {"data": {"viewer": {"workspace": {"name": api.access.workspace.name}}}}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("text/html", JSON),
        ("application/graphql-response+json", GRAPHQL_JSON),
        ("application/graphql-response+json;q=0.5, application/json", JSON),
        ("application/json;q=0.5, application/graphql-response+json", GRAPHQL_JSON),
        ("application/graphql-response+json;charset=utf-8;q=nonsense, */*", JSON),
    ],
)
async def test_the_client_chooses_the_media_type(client, accept, content_type):
    headers = {} if accept is None else {"accept": accept}

    response = await client.post("/graphql", json={"query": VIEWER}, headers=headers)

    assert (response.status_code, response.headers["content-type"]) == (200, content_type)


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ("{", None, "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("query ($id: ID!) { node(id: $id) { id } }", {}, "BAD_USER_INPUT"),
    ],
)
async def test_what_never_ran_has_no_data(client, query, variables, expected):
    body = {"query": query, "variables": variables}

    new = await client.post("/graphql", json=body, headers=ACCEPT_GRAPHQL)
    legacy = await client.post("/graphql", json=body)

    assert (new.status_code, legacy.status_code) == (400, 200)
    assert new.json() == legacy.json()
    assert list(new.json()) == ["errors"]
    assert code(new) == expected


async def test_what_failed_on_the_way_has_null_data_and_a_path(client):
    response = await client.post(
        "/graphql",
        json={"query": "{ subscribers(first: 0) { pageInfo { hasNextPage } } }"},
        headers=ACCEPT_GRAPHQL,
    )

    assert response.status_code == 200
    assert response.json()["data"] is None
    assert response.json()["errors"][0]["path"] == ["subscribers"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"1", b'"x"', b"[]", b'[{"query": "{ __typename }"}]', b"{}", b'{"query": null}', b'{"query": ""}',
        b'{"query": 1}', b'{"query": {}}', b'{"query": ["{ __typename }"]}', b"{", b"\xff\xfe", b'{"query": "\xc3\x28"}',
        b'{"query": "{ __typename }", "variables": [1]}', b'{"query": "{ __typename }", "variables": "x"}',
        b'{"extensions": {"persistedQuery": null}}', b'{"query": "", "extensions": {}}',
        b'{"query": "{ __typename }", "operationName": 1}', b'{"query": "{ __typename }", "extensions": []}',
        b'{"query": "{ __typename }", "variables": {"a": NaN}}', b'{"query": "{ __typename }", "variables": {"a": Infinity}}',
        b'{"query": "\\ud800"}',
        b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 65 + b"]" * 65 + b"}}",
        b"[" * 500_000,
        b'{"a":' * 150_000,
    ],
)  # fmt: skip
async def test_a_body_that_says_nothing_is_a_bad_request(client, body):
    headers = {"content-type": "application/json"}

    response = await client.post("/graphql", content=body, headers=headers)

    assert (response.status_code, response.headers["content-type"]) == (400, JSON)
    assert code(response) == "BAD_USER_INPUT"


async def test_nulls_are_as_good_as_nothing(client):
    body = {"query": VIEWER, "variables": None, "operationName": None, "extensions": None}

    assert (await client.post("/graphql", json=body)).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
async def test_a_body_is_json(client, content_type):
    headers = {} if content_type is None else {"content-type": content_type}

    response = await client.post("/graphql", content=json.dumps({"query": VIEWER}).encode(), headers=headers)

    assert response.status_code == 415
    assert code(response) == "BAD_USER_INPUT"


async def test_a_body_is_at_most_a_mebibyte_however_it_comes(client):
    body = json.dumps({"query": VIEWER + " " * 1024 * 1024}).encode()

    async def in_parts() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 64 * 1024):
            yield body[start : start + 64 * 1024]

    headers = {"content-type": "application/json"}
    whole = await client.post("/graphql", content=body, headers=headers)
    parts = await client.post("/graphql", content=in_parts(), headers=headers)

    assert (whole.status_code, parts.status_code) == (413, 413)
    assert code(whole) == "BAD_USER_INPUT"


async def test_queries_go_by_get_too(client):
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    response = await client.get("/graphql", params={"query": query, "variables": '{"ids": ["x"]}'})

    assert (response.status_code, response.json()) == (200, {"data": {"nodes": [None]}})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"query": ""},
        {"query": VIEWER, "variables": "{"},
        {"query": VIEWER, "variables": "[]"},
        {"query": VIEWER, "extensions": "1"},
    ],
)
async def test_a_get_that_says_nothing_is_a_bad_request(client, params):
    response = await client.get("/graphql", params=params, headers={"accept": "text/html,*/*"})

    assert response.status_code == 400
    assert code(response) == "BAD_USER_INPUT"


HASH = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
HASH_OF_VIEWER = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(VIEWER.encode()).hexdigest()}}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("accept", "status"), [({}, 200), (ACCEPT_GRAPHQL, 400)])
async def test_a_hash_in_place_of_a_document_is_refused_in_the_words_that_clients_wait_for(
    client, method, accept, status
):
    if method == "GET":
        params = {"extensions": json.dumps(HASH), "operationName": "Viewer"}
        response = await client.get("/graphql", params=params, headers=accept)
    else:
        response = await client.post("/graphql", json={"extensions": HASH, "variables": {}}, headers=accept)

    assert response.status_code == status
    assert response.json() == {
        "errors": [
            {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}
        ]
    }


async def test_a_document_that_comes_with_its_hash_is_run(client):
    posted = await client.post("/graphql", json={"query": VIEWER, "extensions": HASH_OF_VIEWER})
    got = await client.get("/graphql", params={"query": VIEWER, "extensions": json.dumps(HASH_OF_VIEWER)})

    assert "errors" not in posted.json() | got.json()


async def test_mutations_do_not_go_by_get(client, api):
    response = await client.get(
        "/graphql", params={"query": 'mutation { createGroup(input: {name: "x"}) { __typename } }'}
    )

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert (await api.data("{ groups { edges { node { id } } } }"))["groups"]["edges"] == []


async def test_subscriptions_do_not_go_by_plain_http(client):
    response = await client.post("/graphql", json={"query": "subscription { membershipChanges { cursor } }"})

    assert response.status_code == 400
    assert "websocket" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_other_methods_are_not_allowed(client, method):
    response = await client.request(method, "/graphql")

    assert response.status_code == 405
    assert {"GET", "POST"} <= set(response.headers["allow"].replace(",", " ").split())


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Basic dTpw",
        "Bearer nonsense",
        "agq_x",
        "Bearer agq_AAAAAAAA_" + "A" * 38,
        "Bearer \xff",
    ],
)
async def test_without_a_good_token_there_is_nothing(server, authorization):
    headers = {"authorization": authorization.encode("latin-1")} if authorization is not None else {}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers) as client:
        for response in (
            await client.post("/graphql", json={"query": VIEWER}),
            await client.post("/graphql", content=b"\xff", headers={"content-type": "application/json"}),
            await client.get("/graphql", params={"query": "{ __schema { types { name } } }"}),
        ):
            assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
            assert code(response) == "UNAUTHENTICATED"


async def test_a_token_opens_its_own_workspace_only(server, api, stranger):
    for each in (api, stranger):
        headers = {"authorization": f"bearer  {await each.token('READ')}"}
        async with httpx.AsyncClient(
            timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers
        ) as client:
            response = await client.post("/graphql", json={"query": VIEWER})
        assert response.json()["data"]["viewer"]["workspace"]["name"] == each.access.workspace.name


async def test_what_a_token_may_not_is_forbidden(server, api):
    headers = {"authorization": f"Bearer {await api.token('TRACK')}"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers) as client:
        response = await client.post("/graphql", json={"query": VIEWER})

    assert response.status_code == 403
    assert code(response) == "FORBIDDEN"


async def test_big_integers_survive_the_way_there_and_back(client, api):
    await api.upsert({"externalId": "1"})
    document = (
        'mutation { trackEvents(input: {events: [{subscriber: {externalId: "1"}, name: "x", '
        "properties: {n: 123456789012345678901234567890}}]}) { __typename } }"
    )
    await client.post("/graphql", json={"query": document})

    query = '{ subscriber(by: {externalId: "1"}) { events { edges { node { properties } } } } }'
    response = await client.post("/graphql", json={"query": query})

    assert "123456789012345678901234567890" in response.text


async def test_metrics_are_told_in_the_way_of_prometheus(server):
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url) as client:
        response = await client.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = response.text.splitlines()
    assert "# TYPE audience_wrong_memberships_total counter" in lines
    told = dict(line.split() for line in lines if not line.startswith("#"))
    assert float(told["audience_wrong_memberships_total"]) >= 0
    assert {"audience_marks_waiting", "audience_workers_alive", "audience_fills_waiting"} <= told.keys()


async def test_the_process_lives_and_says_what_it_lacks(server):
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url) as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    parts = ready.json()["parts"]
    assert {name: parts[name] for name in ("postgres", "redis", "migrations")} == {
        "postgres": "ok", "redis": "ok", "migrations": "ok",
    }  # fmt: skip
    assert ready.status_code == (200 if parts["worker"] == "ok" else 503)
