"""Reads a GraphQL request that came by HTTP: who asks, for what, and in which form the answer is wanted.

It must not run anything; nothing that arrives here may end in a 500.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from graphql import GraphQLError
from starlette.requests import Request

from audience_gql.api.context import Services
from audience_gql.api.errors import RETRY_AFTER_SECONDS, ApiError, masked
from audience_gql.api.transport.authorization import authorize
from audience_gql.api.transport.told import Asked, Unaskable, asked_of
from audience_gql.api.transport.wire import Unreadable, decode
from audience_gql.audience.access import Access, Unauthenticated
from audience_gql.config import Settings
from audience_gql.storage.database import UNREACHABLE

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"


class Refused(Exception):
    """A request that is answered without running anything."""

    def __init__(self, status: HTTPStatus, error: GraphQLError, **headers: str) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


async def access_of(request: Request, services: Services) -> Access:
    """What the request's token opens. Raises Refused."""
    try:
        return await authorize(services.doorkeeper, request.headers.get("authorization"))
    except Unauthenticated as error:
        bare = ApiError("UNAUTHENTICATED", "Send a good token: `Authorization: Bearer agq_…`.")
        raise Refused(HTTPStatus.UNAUTHORIZED, bare, WWW_Authenticate="Bearer") from error
    except UNREACHABLE as error:
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE, masked(error), Retry_After=str(RETRY_AFTER_SECONDS)
        ) from error


async def asked_by(request: Request, settings: Settings) -> Asked:
    """What the request asks for, in its address or its body. Raises Refused."""
    if request.method == "GET":
        given: dict[str, object] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if text := request.query_params.get(name):
                given[name] = _decoded(text)
    else:
        given = await _object_of(request, settings)
    try:
        asked = asked_of(given)
    except Unaskable as error:
        raise bad_request(str(error)) from error
    if not asked.query and not asked.is_hash:
        raise bad_request("There is no document: `query` is missing or empty.")
    return asked


def media_type_of(request: Request) -> str:
    """What the answer is sent as: what the client prefers of those that there are."""
    best, best_quality = JSON, 0.0
    for offer in request.headers.get("accept", "").split(","):
        name, _, parameters = offer.strip().lower().partition(";")
        quality = _quality(parameters)
        if name.strip() in (JSON, GRAPHQL_JSON, EVENT_STREAM) and quality > best_quality:
            best, best_quality = name.strip(), quality
    return best


def bad_request(message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, **headers: str) -> Refused:
    return Refused(status, ApiError("BAD_USER_INPUT", message), **headers)


async def _object_of(request: Request, settings: Settings) -> dict[str, object]:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != JSON:
        raise bad_request(
            f"Send the body as {JSON}, not {content_type or 'nothing'}.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise bad_request(
            f"Send the body as it is, not as {encoding}.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            Accept_Encoding="identity",
        )
    body = _decoded(await _body_in_time(request, settings))
    if not isinstance(body, dict):
        raise bad_request('The body must be one JSON object: {"query": …}. Batches are not taken.')
    return body


async def _body_in_time(request: Request, settings: Settings) -> bytes:
    try:
        async with asyncio.timeout(settings.request_seconds):
            return await _body(request, settings.body_bytes)
    except TimeoutError as error:
        message = f"The body was not there within {settings.request_seconds:g} s."
        raise bad_request(message, HTTPStatus.REQUEST_TIMEOUT, Connection="close") from error


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise bad_request(f"The body has more than {most:,} bytes.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return bytes(body)


def _decoded(raw: bytes | str) -> object:
    try:
        return decode(raw)
    except Unreadable as error:
        raise bad_request(str(error)) from error


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
