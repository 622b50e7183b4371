"""Errors have a code and a path, and let nothing of the inside out."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from unittest.mock import patch

import asyncpg
import pytest

from audience_gql.storage.postgres.database import Database, Unavailable
from audience_gql.storage.reads import batches, pages

PEOPLE = """{ subscribers(search: "maria") { edges { node { id } } } }"""
"""Read without a statement that writes the whole answer."""


def fails_with(error: Exception):
    async def fail(*_: object, **__: object) -> None:
        raise error

    return patch.object(pages, "subscribers", fail)


async def test_the_unexpected_is_masked_and_logged_once_with_its_traceback(api, caplog):
    with fails_with(RuntimeError("password=hunter2")), caplog.at_level(logging.DEBUG):
        (error,) = await api.errors(PEOPLE)

    error_id = error["extensions"]["errorId"]
    assert error["extensions"] == {"code": "INTERNAL", "errorId": error_id}
    assert error["path"] == ["subscribers"]
    assert "hunter2" not in str(error)
    assert error_id in error["message"]
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert error_id in record.getMessage()
    assert record.exc_info is not None
    assert "hunter2" in str(record.exc_info[1])


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (Unavailable("dsn=postgres://secret@host"), "UNAVAILABLE"),
        (ConnectionRefusedError("10.0.0.1:5432"), "UNAVAILABLE"),
        (asyncpg.ConnectionDoesNotExistError("secret"), "UNAVAILABLE"),
        (asyncpg.QueryCanceledError("canceling statement: SELECT secret"), "TIMEOUT"),
        (asyncpg.LockNotAvailableError("secret"), "TIMEOUT"),
        (asyncpg.UndefinedColumnError('column "secret" does not exist'), "INTERNAL"),
        (KeyError("secret"), "INTERNAL"),
    ],
)
async def test_what_the_database_says_stays_inside(api, cause, code):
    with fails_with(cause):
        (error,) = await api.errors(PEOPLE)

    assert error["extensions"]["code"] == code
    assert "secret" not in str(error)
    assert "10.0.0.1" not in str(error)


async def test_a_loader_s_failure_names_each_field_it_fails(api):
    await api.upsert({"externalId": "1"}, {"externalId": "2"})

    async def fail(*_: object) -> None:
        raise Unavailable("away")

    with patch.object(batches, "channels_by_owners", fail):
        result = await api.execute(
            "{ subscribers { edges { node { channels { status } events { edges { node { name } } } } } } }"
        )

    assert result.data is None
    assert {error.extensions["code"] for error in result.errors} == {"UNAVAILABLE"}
    assert result.errors[0].path[:3] == ["subscribers", "edges", 0]


async def test_a_pool_without_a_free_connection_is_unavailable(api):
    @asynccontextmanager
    async def none_free(_: Database):
        raise Unavailable("no database connection became free in time")
        yield  # type: ignore[unreachable]  # makes this a generator

    with patch.object(Database, "acquire", none_free):
        (error,) = await api.errors(PEOPLE)

    assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 1}


@pytest.mark.parametrize(
    ("document", "variables", "code"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("", {}, "BAD_USER_INPUT"),
        ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ('{ node(id: "x") }', {}, "GRAPHQL_VALIDATION_FAILED"),
        ('{ segment(by: {id: "a", name: "b"}) { id } }', {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query ($id: ID!) { node(id: $id) { id } }", {}, "BAD_USER_INPUT"),
        ("query ($id: ID!) { node(id: $id) { id } }", {"id": {"a": 1}}, "BAD_USER_INPUT"),
        ("query ($by: SegmentKey!) { segment(by: $by) { id } }", {"by": {"id": "a", "name": "b"}}, "BAD_USER_INPUT"),
        ("query ($by: SegmentKey!) { segment(by: $by) { id } }", {"by": {}}, "BAD_USER_INPUT"),
        ("query ($w: ConditionInput) { subscribers(where: $w) { pageInfo { hasNextPage } } }", {"w": {"all": [], "any": []}}, "BAD_USER_INPUT"),
        ("query ($w: ConditionInput) { subscribers(where: $w) { pageInfo { hasNextPage } } }", {"w": {"horoscope": {}}}, "BAD_USER_INPUT"),
        ("query ($w: ConditionInput) { subscribers(where: $w) { pageInfo { hasNextPage } } }", {"w": {"createdAt": {"before": "x"}}}, "BAD_USER_INPUT"),
        ('{ membershipChanges(after: "forged") { cursor } }', {}, "CURSOR_INVALID"),
        ("{ subscribers(first: 0) { pageInfo { hasNextPage } } }", {}, "BAD_USER_INPUT"),
    ],
)  # fmt: skip
async def test_a_client_s_mistake_has_a_code_and_no_traceback(api, caplog, document, variables, code):
    with caplog.at_level(logging.INFO):
        (error,) = await api.errors(document, **variables)

    assert error["extensions"]["code"] == code
    assert caplog.records == []


async def test_a_foreign_feed_cursor_is_invalid(api, stranger):
    theirs = (await stranger.data("{ membershipChanges { cursor } }"))["membershipChanges"]["cursor"]

    (error,) = await api.errors(
        "query ($after: String) { membershipChanges(after: $after) { cursor } }", after=theirs
    )

    assert error["path"] == ["membershipChanges"]
    assert error["extensions"] == {"code": "CURSOR_INVALID"}
