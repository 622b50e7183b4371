"""Trusted documents: they run by their hashes over every transport, and a limited token runs nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from audience_gql import cli
from audience_gql.audience.access import create_token
from audience_gql.audience.budgets import Budgets
from audience_gql.audience.trusted_texts import REMEMBERED_CHARACTERS, TrustedTexts
from tests.api.conftest import web_client
from tests.api.test_socket import entered, received, send
from tests.patience import PATIENCE_SECONDS

PUBLISH = """
mutation ($documents: [String!]!) {
  publishDocuments(input: {documents: $documents}) {
    __typename
    ... on PublishDocumentsPayload { added documents { id sha256 documentId operations text publishedAt publishedBy } }
    ... on InvalidInput { issues { code message path } }
  }
}
"""
WITHDRAW = """
mutation ($ids: [String!]!) {
  withdrawDocuments(input: {documentIds: $ids}) {
    __typename ... on WithdrawDocumentsPayload { documents { sha256 } } ... on UserError { message path }
  }
}
"""
LIST = """
query ($first: Int, $after: String) {
  trustedDocuments(first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node { operations } } }
}
"""
GROUPS = "query Groups($first: Int) { groups(first: $first) { edges { node { name } } } }"
GROUP = 'mutation MakeGroup { createGroup(input: {name: "Team"}) { __typename } }'
CHANGES = "subscription Changes { membershipChanges { cursor } }"
GRAPHQL_JSON = {"accept": "application/graphql-response+json"}
FORBIDDEN = "The token may run trusted documents only, and this document is not published in the workspace."


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def by_id(text: str, **more: Any) -> dict[str, Any]:
    return {"documentId": f"sha256:{hash_of(text)}", **more}


def by_hash(text: str, **more: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_of(text)}}, **more}


def as_params(request: dict[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in request.items()}


async def publish(api, *documents: str):
    return (await api.data(PUBLISH, documents=list(documents)))["publishDocuments"]


async def limited_token(api, scope: str = "ADMIN", *, with_console: bool = False) -> str:
    _, secret = await create_token(
        ports=api.services.ports, workspace=api.access.workspace, name="app", scopes=[scope], only_trusted_documents=True,
        with_console_documents=with_console,
    )  # fmt: skip
    return secret


def errors_of(response: httpx.Response) -> list[tuple[str, str]]:
    return [(error["extensions"]["code"], error["message"]) for error in response.json()["errors"]]


async def test_publishing_twice_is_publishing_once(api):
    both = GROUPS + "\nquery Again { __typename }"

    first = await publish(api, GROUPS, "{ __typename }", GROUPS)
    second = await publish(api, both, GROUPS)

    assert first["added"] == 2
    assert [document.pop("id")[:4] for document in first["documents"]] == ["doc_", "doc_"]
    assert first["documents"][0] == {
        "sha256": hash_of(GROUPS), "documentId": f"sha256:{hash_of(GROUPS)}", "operations": ["Groups"], "text": GROUPS,
        "publishedAt": "2026-03-01T12:00:00Z", "publishedBy": "test",
    }  # fmt: skip
    assert first["documents"][1]["operations"] == [""]
    assert (second["added"], [document["operations"] for document in second["documents"]]) == (1, [["Groups", "Again"], ["Groups"]])  # fmt: skip
    page = (await api.data(LIST, first=2))["trustedDocuments"]
    rest = (await api.data(LIST, after=page["pageInfo"]["endCursor"]))["trustedDocuments"]
    assert [edge["node"]["operations"] for edge in page["edges"] + rest["edges"]] == [["Groups", "Again"], [""], ["Groups"]]  # fmt: skip
    assert (page["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            "query {\n  groups {",
            "line 2, column 11: The document is not GraphQL: Expected Name, found <EOF>.",
        ),
        ("query {\n  nothing\n}", "line 2, column 3: Query has no field nothing"),
        ("fragment F on Group { name }", "line 1, column 1: Fragment 'F' is never used."),
        ("type Query { a: Int }", "line 1, column 1: The 'Query' definition is not executable."),
        ("# " + "x" * 40_000 + "\n{ __typename }", "A document has at most 32,768 characters, not 40,017."),
    ],
)
async def test_one_wrong_document_and_nothing_is_published(api, document, message):
    found = await publish(api, GROUPS, document)

    assert found["__typename"] == "InvalidInput"
    assert (found["issues"][0]["path"], found["issues"][0]["code"]) == (
        ["input", "documents", "1"],
        "MALFORMED",
    )
    assert message in [issue["message"] for issue in found["issues"]]
    assert (await api.data(LIST))["trustedDocuments"]["edges"] == []


async def test_the_number_of_documents_has_a_limit(api):
    assert (await publish(api))["issues"][0]["code"] == "REQUIRED"
    assert (await publish(api, *["{ __typename }"] * 101))["issues"][0]["code"] == "TOO_MANY"


@pytest.mark.parametrize("naming", [by_id, by_hash])
async def test_a_hash_stands_for_its_document_by_post_and_get(api, stranger, web, naming):
    await api.group("Team")
    await publish(api, GROUPS, GROUP)
    request = naming(GROUPS, variables={"first": 1}, operationName="Groups")

    posted = await web.post("/graphql", json=request)
    got = await web.get("/graphql", params=as_params(request))
    made = await web.get("/graphql", params=as_params(naming(GROUP)))
    async with web_client(stranger) as others:
        elsewhere = await others.post("/graphql", json=request)

    assert posted.json() == {"data": {"groups": {"edges": [{"node": {"name": "Team"}}]}}}
    assert got.json() == posted.json()
    assert (made.status_code, made.headers["allow"]) == (405, "POST")
    assert errors_of(elsewhere)[0][0].startswith("PERSISTED_QUERY_NOT_")


async def test_the_hash_may_come_without_its_prefix(api, web):
    await publish(api, GROUPS)

    response = await web.post("/graphql", json={"documentId": hash_of(GROUPS)})

    assert response.json() == {"data": {"groups": {"edges": []}}}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (by_hash(GROUPS), "PersistedQueryNotFound"),
        (by_id(GROUPS), "No document with this `documentId` is published in the workspace. Publish it, or send the document as `query`."),
        ({"documentId": "x' OR 1=1\0"}, "No document with this `documentId` is published in the workspace. Publish it, or send the document as `query`."),
    ],
)  # fmt: skip
async def test_an_unknown_hash_is_refused_in_the_words_that_clients_wait_for(api, web, request_, message):
    await publish(api, "{ __typename }")
    response = await web.post("/graphql", json=request_, headers=GRAPHQL_JSON)

    assert (response.status_code, response.json()) == (
        400,
        {"errors": [{"message": message, "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}]},
    )


async def test_an_unknown_hash_costs_a_point(api):
    poor = replace(
        api, services=replace(api.services, budgets=Budgets(most=2, per_second=1, now=lambda: 0.0))
    )
    async with web_client(poor) as web:
        codes = [errors_of(await web.post("/graphql", json=by_id(GROUPS)))[0][0] for _ in range(3)]

    assert codes == ["PERSISTED_QUERY_NOT_FOUND", "PERSISTED_QUERY_NOT_FOUND", "RATE_LIMITED"]


async def test_a_document_that_comes_with_its_hash_is_run_and_not_stored(api, web):
    await publish(api, "{ __typename }")
    answered = await web.post("/graphql", json=by_hash(GROUPS, query=GROUPS))
    again = await web.post("/graphql", json=by_hash(GROUPS))

    assert answered.json() == {"data": {"groups": {"edges": []}}}
    assert errors_of(again) == [("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")]
    assert len((await api.data(LIST))["trustedDocuments"]["edges"]) == 1


@pytest.mark.parametrize("naming", [by_id, by_hash])
async def test_a_document_and_its_hash_must_agree(api, web, naming):
    await publish(api, GROUPS)

    response = await web.post("/graphql", json=naming(GROUPS, query="{ __typename }"))

    ((code, message),) = errors_of(response)
    assert (code, "must agree" in message) == ("BAD_USER_INPUT", True)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"documentId": 1}, "`documentId` must be text."),
        ({"documentId": ""}, "There is no document: `query` is missing or empty."),
        ({"extensions": {"persistedQuery": "x"}}, "`extensions.persistedQuery` must be an object."),
        ({"extensions": {"persistedQuery": {"version": 1}}}, "`extensions.persistedQuery.sha256Hash` is missing or empty."),
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": 1}}}, "`extensions.persistedQuery.sha256Hash` must be text."),
        (by_hash(GROUPS) | by_id(GROUP), "`documentId` and `extensions.persistedQuery.sha256Hash` name different documents."),
    ],
)  # fmt: skip
async def test_a_malformed_name_is_a_bad_request(web, request_, message):
    response = await web.post("/graphql", json=request_)

    assert (response.status_code, errors_of(response)) == (400, [("BAD_USER_INPUT", message)])


async def test_another_version_of_the_protocol_is_not_supported(web):
    extensions = {"persistedQuery": {"version": 2, "sha256Hash": hash_of(GROUPS)}}

    response = await web.post("/graphql", json={"extensions": extensions, "query": GROUPS})

    assert errors_of(response) == [("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")]


async def test_a_limited_token_runs_trusted_documents_only(api, web):
    await publish(api, GROUPS)
    web.headers["authorization"] = f"Bearer {await limited_token(api)}"

    trusted = [
        await web.post("/graphql", json=it) for it in (by_id(GROUPS), by_hash(GROUPS), {"query": GROUPS})
    ]
    refused = [
        await web.post("/graphql", json=it)
        for it in (
            {"query": "{ __typename }"}, {"query": GROUPS + " "}, {"query": "{ __schema { types { name } } }"},
            by_id("{ __typename }"), by_hash("{ __typename }"), by_hash("{ __typename }", query="{ __typename }"),
        )
    ]  # fmt: skip

    assert [response.json() for response in trusted] == [{"data": {"groups": {"edges": []}}}] * 3
    assert {(response.status_code, *errors_of(response)) for response in refused} == {
        (403, ("FORBIDDEN", FORBIDDEN))
    }


async def test_the_limit_is_set_when_a_token_is_created(api, web):
    created = await api.data(
        'mutation { createApiToken(input: {name: "app", scopes: [READ], onlyTrustedDocuments: true}) '
        "{ ... on CreateApiTokenPayload { secret token { onlyTrustedDocuments } } } }"
    )
    own = await api.data("{ viewer { token { onlyTrustedDocuments } } }")
    web.headers["authorization"] = f"Bearer {created['createApiToken']['secret']}"

    assert created["createApiToken"]["token"] == {"onlyTrustedDocuments": True}
    assert own["viewer"]["token"] == {"onlyTrustedDocuments": False}
    assert errors_of(await web.post("/graphql", json={"query": GROUPS})) == [("FORBIDDEN", FORBIDDEN)]


@pytest.fixture
def with_console(api):
    """The API of a server whose console sends one document."""
    console = {hash_of(GROUPS): GROUPS, hash_of(CHANGES): CHANGES}
    return replace(
        api,
        services=replace(api.services, trusted=TrustedTexts(api.services.ports, of_console=console.get)),
    )


async def test_the_console_s_documents_are_known_in_every_workspace_but_not_to_tokens_limited_without_them(
    with_console,
):
    everywhere: list[object] = []
    own: list[object] = []
    limited: list[object] = []
    async with web_client(with_console) as web:
        for token, answers in (
            (None, everywhere),
            (await limited_token(with_console, "READ", with_console=True), own),
            (await limited_token(with_console, "READ"), limited),
        ):
            if token is not None:
                web.headers["authorization"] = f"Bearer {token}"
            for request in (
                by_id(GROUPS),
                by_hash(GROUPS),
                {"query": GROUPS},
                by_id("{ __typename }"),
                {"query": "{ __typename }"},
            ):
                answer = await web.post("/graphql", json=request)
                answers.append(answer.json().get("data") or errors_of(answer)[0][0])
        message = errors_of(await web.post("/graphql", json=by_id(GROUPS)))[0][1]
        await publish(with_console, GROUPS)
        published = await web.post("/graphql", json=by_id(GROUPS))

    none: object = {"groups": {"edges": []}}
    assert everywhere == [none] * 3 + ["PERSISTED_QUERY_NOT_FOUND", {"__typename": "Query"}]
    assert own == [none] * 3 + ["PERSISTED_QUERY_NOT_FOUND", "FORBIDDEN"]
    assert limited == ["FORBIDDEN"] * 5
    assert "and not those of the console" in message
    assert published.json() == {"data": none}


async def test_a_console_document_needs_the_scope_that_it_always_needs(with_console):
    texts = {hash_of(LIST): LIST}
    trusted = TrustedTexts(with_console.services.ports, of_console=texts.get)
    async with web_client(
        replace(with_console, services=replace(with_console.services, trusted=trusted))
    ) as web:
        web.headers["authorization"] = (
            f"Bearer {await limited_token(with_console, 'READ', with_console=True)}"
        )
        refused = await web.post("/graphql", json=by_id(LIST))

    ((code, message),) = errors_of(refused)
    assert (code, "ADMIN" in message) == ("FORBIDDEN", True)


async def test_only_a_limited_token_has_the_choice_of_the_console(api):
    create = (
        "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { __typename "
        "... on CreateApiTokenPayload { token { withConsoleDocuments } } ... on InvalidInput { issues { path code } } } }"
    )
    given = {"name": "app", "scopes": ["READ"], "withConsoleDocuments": True}

    refused = await api.data(create, input=given)
    made = await api.data(create, input={**given, "onlyTrustedDocuments": True})

    assert refused["createApiToken"]["issues"] == [
        {"path": ["input", "withConsoleDocuments"], "code": "CONFLICT"}
    ]
    assert made["createApiToken"]["token"] == {"withConsoleDocuments": True}


async def test_a_withdrawn_document_is_refused_within_three_seconds(api):
    await publish(api, GROUPS, "{ __typename }")
    now = [0.0]
    texts = TrustedTexts(api.services.ports, lambda: now[0])
    workspace_id = api.access.workspace.id
    with api.counting() as sent:
        assert [await texts.find(workspace_id, hash_of(GROUPS)) for _ in range(3)] == [GROUPS] * 3
    assert len(sent) == 1

    withdrawn = await api.data(WITHDRAW, ids=[f"sha256:{hash_of(GROUPS)}"])
    again = await api.data(WITHDRAW, ids=[hash_of("{ __typename }"), hash_of(GROUPS)])

    assert withdrawn["withdrawDocuments"]["documents"] == [{"sha256": hash_of(GROUPS)}]
    assert again["withdrawDocuments"] == {
        "__typename": "NotFound", "message": "no document with this hash is published", "path": ["input", "documentIds", "1"]
    }  # fmt: skip
    assert len((await api.data(LIST))["trustedDocuments"]["edges"]) == 1
    now[0] = 2.9
    assert await texts.find(workspace_id, hash_of(GROUPS)) == GROUPS
    now[0] = 3.0
    assert await texts.find(workspace_id, hash_of(GROUPS)) is None
    await publish(api, GROUPS)
    assert await texts.find(workspace_id, hash_of(GROUPS)) == GROUPS


async def test_a_process_remembers_a_bounded_number_of_characters(api):
    texts = TrustedTexts(api.services.ports)
    comments = [f"# {number} {'x' * 32_000}\n{{ __typename }}" for number in range(3)]
    await publish(api, *comments)
    workspace_id = api.access.workspace.id
    for comment in comments:
        await texts.find(workspace_id, hash_of(comment))
    texts._characters = REMEMBERED_CHARACTERS - 1  # as if others filled it

    await publish(api, GROUPS)
    await texts.find(workspace_id, hash_of(GROUPS))

    with api.counting() as sent:
        assert await texts.find(workspace_id, hash_of(comments[0])) == comments[0]
        assert await texts.find(workspace_id, hash_of(comments[2])) == comments[2]
    assert len(sent) == 1  # the first one was forgotten


async def test_a_get_is_revalidated_and_sent_again_only_if_it_changed(server, api):
    await publish(api, GROUPS, 'query Wrong { group(by: {id: "x"}) { name } }')
    headers = {"authorization": f"Bearer {await api.token()}"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers) as client:
        first = await client.get("/graphql", params=by_id(GROUPS))
        etag = first.headers["etag"]
        same = await client.get(
            "/graphql", params=by_id(GROUPS), headers={"if-none-match": f'"other", {etag}'}
        )
        await api.group("Team")
        changed = await client.get("/graphql", params=by_id(GROUPS), headers={"if-none-match": etag})
        others = [
            await client.post(
                "/graphql", json=by_id(GROUPS), headers={"if-none-match": changed.headers["etag"]}
            ),
            await client.get("/graphql", params={"query": GROUPS}),
            await client.get("/graphql", params=by_id(GROUP)),
        ]

    assert (first.status_code, first.headers["cache-control"], first.headers["vary"]) == (
        200,
        "private, no-cache",
        "authorization, accept",
    )
    assert (same.status_code, same.content, same.headers["etag"], same.headers["cache-control"]) == (
        304,
        b"",
        etag,
        "private, no-cache",
    )
    assert "content-type" not in same.headers
    assert (changed.status_code, changed.json()) == (
        200,
        {"data": {"groups": {"edges": [{"node": {"name": "Team"}}]}}},
    )
    assert changed.headers["etag"] != etag
    assert [(response.headers["cache-control"], response.headers.get("etag")) for response in others] == [
        ("no-store", None)
    ] * 3


async def test_sockets_and_streams_take_hashes_and_hold_to_the_limit(server, api):
    await publish(api, GROUPS, CHANGES)
    token = await limited_token(api)
    async with entered(server, token) as socket:
        answers = []
        for payload in (
            by_id(GROUPS),
            by_hash(CHANGES),
            {"query": "{ __typename }"},
            by_hash("{ __typename }"),
        ):
            await send(socket, {"id": "1", "type": "subscribe", "payload": payload})
            answers.append(await received(socket))
            if answers[-1]["type"] == "next":
                await send(socket, {"id": "1", "type": "complete"})
                if payload == by_id(GROUPS):
                    await received(socket)
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers) as client:
        single = await client.post("/graphql", json=by_hash(GROUPS))
        refused = await client.get("/graphql", params={"query": CHANGES + " "})
        async with client.stream("GET", "/graphql", params=by_id(CHANGES)) as stream:
            lines = stream.aiter_lines()
            begun = [await anext(lines) for _ in range(3)]

    assert [answer["type"] for answer in answers] == ["next", "next", "error", "error"]
    assert {answer["payload"][0]["message"] for answer in answers[2:]} == {FORBIDDEN}
    assert '"data":{"groups":{"edges":[]}}' in single.text
    assert "FORBIDDEN" in refused.text
    assert begun[0] == "event: next"
    assert "membershipChanges" in begun[2]


async def test_documents_are_published_from_a_machine_without_the_database(server, api, tmp_path, capsys):
    there = ("--url", f"{server.url}/graphql", "--token", await api.token())

    async def run(*words: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(cli.main, ["documents", *words, *there])
        said = capsys.readouterr()
        return code, said.out, said.err

    for number in range(101):
        (tmp_path / f"{number:03}.graphql").write_text(f"query Q{number} {{ viewer {{ token {{ name }} }} }}")
    published = await run("publish", str(tmp_path))
    again = await run("publish", str(tmp_path))
    listed = await run("list")
    name = published[1].splitlines()[0].partition("\t")[0]
    withdrawn = await run("withdraw", f"sha256:{name}")
    unknown = await run("withdraw", name)
    (tmp_path / "050.graphql").write_text("query Q {\n  nothing\n}")
    refused = await run("publish", str(tmp_path))

    assert (published[0], published[1].splitlines()[100].split("\t")[1]) == (0, "Q100")
    assert (published[2], again[2]) == ("101 of 101 documents are new\n", "0 of 101 documents are new\n")
    assert len(listed[1].splitlines()) == 101
    assert listed[1].splitlines()[0].endswith(" by test")
    assert (withdrawn[0], unknown[0]) == (0, 1)
    assert unknown[2] == "audience-gql: no document with this hash is published\n"
    assert (refused[0], refused[2]) == (
        1,
        f"{tmp_path}/050.graphql: line 2, column 3: Query has no field nothing\naudience-gql: nothing was published\n",
    )


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "sha256:", "A" * 64, "x" * 3_000])
async def test_what_is_no_hash_names_no_document_to_withdraw(api, text):
    found = await api.data(WITHDRAW, ids=[text])

    assert found["withdrawDocuments"]["message"] == "no document with this hash is published"
