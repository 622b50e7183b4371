"""Reads a GraphQL request that came over HTTP: its token, its operation, and the media type of the response.

It must not run anything. No request may lead to a 500 here.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from graphql import GraphQLError
from starlette.requests import Request

from audience_gql.api.context import Services
from audience_gql.api.errors import RETRY_AFTER_SECONDS, ApiError, masked
from audience_gql.api.operation_requests import NoOperation, OperationRequest, operation_request
from audience_gql.api.transport.authorization import authorize
from audience_gql.api.transport.wire import Unreadable, decode
from audience_gql.audience.access import Access, Unauthenticated
from audience_gql.config import Settings
from audience_gql.storage.database import UNREACHABLE

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"


class RequestRefused(Exception):
    """A request that is answered without running anything. A header `Retry_After` is sent as Retry-After."""

    def __init__(self, status: HTTPStatus, error: GraphQLError, **headers: str) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


async def access_of(request: Request, services: Services) -> Access:
    """The access that the request's token grants. Raises RequestRefused."""
    try:
        return await authorize(services.doorkeeper, request.headers.get("authorization"))
    except Unauthenticated as error:
        bare = ApiError("UNAUTHENTICATED", "Send a good token: `Authorization: Bearer agq_…`.")
        raise RequestRefused(HTTPStatus.UNAUTHORIZED, bare, WWW_Authenticate="Bearer") from error
    except UNREACHABLE as error:
        raise RequestRefused(
            HTTPStatus.SERVICE_UNAVAILABLE, masked(error), Retry_After=str(RETRY_AFTER_SECONDS)
        ) from error


async def operation_of(request: Request, settings: Settings) -> OperationRequest:
    """The operation in the request's address or body. Raises RequestRefused."""
    if request.method == "GET":
        given: dict[str, object] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if text := request.query_params.get(name):
                given[name] = _decoded(text)
    else:
        given = await _object_of(request, settings)
    try:
        operation = operation_request(given)
    except NoOperation as error:
        raise bad_request(str(error)) from error
    if not operation.query and not operation.is_hash:
        raise bad_request("There is no document: `query` is missing or empty.")
    return operation


def media_type_of(request: Request) -> str:
    """The media type of the response: of those that the API offers, the one that the client prefers."""
    best, best_quality = JSON, 0.0
    for offer in request.headers.get("accept", "").split(","):
        name, _, parameters = offer.strip().lower().partition(";")
        quality = _quality(parameters)
        if name.strip() in (JSON, GRAPHQL_JSON, EVENT_STREAM) and quality > best_quality:
            best, best_quality = name.strip(), quality
    return best


def bad_request(message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, **headers: str) -> RequestRefused:
    return RequestRefused(status, ApiError("BAD_USER_INPUT", message), **headers)


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
            f"Send the body without content-encoding, not as {encoding}.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            Accept_Encoding="identity",
        )
    body = _decoded(await _body_in_time(request, settings))
    if not isinstance(body, dict):
        raise bad_request('The body must be one JSON object: {"query": …}. Batches are not supported.')
    return body


async def _body_in_time(request: Request, settings: Settings) -> bytes:
    try:
        async with asyncio.timeout(settings.request_seconds):
            return await _body(request, settings.body_bytes)
    except TimeoutError as error:
        message = f"The body did not arrive within {settings.request_seconds:g} s."
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
