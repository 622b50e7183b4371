"""The checks of the scanner graphql-cop, sent as it sends them. It is not in any registry, so this file has its requests and what it calls a finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from audience_gql.api.schema import Schema
from tests.api.conftest import web_client
from tests.api.test_trusted_documents import as_params, by_id, errors_of, publish

TYPENAME = "query cop { __typename }"
TYPES = "query cop { __schema { types { name fields { name } } } }"
CIRCLE = "query cop { __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }"


@dataclass(frozen=True)
class Check:
    """A request, and when its answer is a finding."""

    title: str
    request: dict[str, Any]
    finds: Callable[[Any], object]
    """Called with the answer as JSON. What it raises is no finding."""


def posted(query: str) -> dict[str, Any]:
    return {"method": "POST", "json": {"query": query, "operationName": "cop"}}


def got(query: str) -> dict[str, Any]:
    return {"method": "GET", "params": {"query": query}}


CHECKS = [
    Check("aliases", posted("query cop { " + "".join(f"alias{i}:__typename \n" for i in range(101)) + " }"), lambda it: it["data"]["alias100"]),
    Check("batches", {"method": "POST", "json": [{"query": TYPENAME}] * 10}, lambda it: len(it) >= 10),
    Check("circles", posted(CIRCLE), lambda it: len(it["data"]["__schema"]["types"]) > 25),
    Check("directives", posted("query cop { __typename " + "@aa" * 10 + " }"), lambda it: len(it["errors"]) == 10),
    Check("fields", posted("query cop { " + "__typename \n" * 500 + "} "), lambda it: it["data"]["__typename"]),
    Check("suggestions", posted("query cop { __schema { directive } }"), lambda it: "did you mean" in it["errors"][0]["message"].lower()),
    Check("mutations by GET", got("mutation cop {__typename}"), lambda it: it["data"]["__typename"]),
    Check("queries by GET", got("query cop {__typename}"), lambda it: it["data"]["__typename"]),
    Check("playground", {"method": "GET", "headers": {"accept": "text/html"}}, lambda it: "graphiql" in str(it).lower()),
    Check("introspection", posted(TYPES), lambda it: it["data"]["__schema"]["types"]),
    Check("forms", {"method": "POST", "data": {"query": TYPENAME}}, lambda it: it["data"]["__typename"]),
    Check("traces", posted(TYPENAME), lambda it: "tracing" in str(it)),
    Check("exceptions", posted("qwerty cop { abc }"), lambda it: "exception" in str(it)),
]  # fmt: skip


async def findings(web: httpx.AsyncClient) -> set[str]:
    found = set()
    for check in CHECKS:
        answer = await web.request(url="/graphql", **check.request)
        try:
            if check.finds(answer.json()):
                found.add(check.title)
        except (KeyError, TypeError, IndexError):
            pass
    return found


def hardened(api):
    settings = replace(api.services.settings, introspection="off", by_get="trusted")
    return replace(api, schema=Schema(introspection="off"), services=replace(api.services, settings=settings))


async def test_the_recommended_settings_leave_no_finding(api, web):
    async with web_client(hardened(api)) as careful:
        assert await findings(careful) == set()
        assert (await careful.post("/graphql", json={"query": TYPENAME})).json() == {
            "data": {"__typename": "Query"}
        }

    # With the settings of a first try, it finds something: so the checks can.
    assert "queries by GET" in (usual := await findings(web))
    assert "introspection" in usual
    assert usual <= {"queries by GET", "introspection", "suggestions", "aliases", "fields"}


@pytest.mark.parametrize(
    ("by_get", "free", "trusted"), [("on", 200, 200), ("trusted", 405, 200), ("off", 405, 405)]
)
async def test_a_setting_says_which_queries_get_runs(api, by_get, free, trusted):
    await publish(api, TYPENAME)
    settings = replace(api.services.settings, by_get=by_get)
    async with web_client(replace(api, services=replace(api.services, settings=settings))) as web:
        by_text = await web.get("/graphql", params={"query": TYPENAME})
        by_both = await web.get("/graphql", params=as_params(by_id(TYPENAME, query=TYPENAME)))
        by_hash = await web.get("/graphql", params=by_id(TYPENAME))
        as_stream = await web.get(
            "/graphql", params={"query": TYPENAME}, headers={"accept": "text/event-stream"}
        )
        post = await web.post("/graphql", json={"query": TYPENAME})

    assert [it.status_code for it in (by_text, by_both, by_hash, as_stream, post)] == [
        free,
        free,
        trusted,
        free,
        200,
    ]
    if free == 405:
        assert (by_text.headers["allow"], errors_of(by_text)[0][0]) == ("POST", "BAD_USER_INPUT")
