"""Reads a GraphQL request that came over HTTP: its token, its operation, and the media type of the response.

It must not run anything. No request may lead to a 500 here.
"""

from __future__ import annotations

from functools import lru_cache, partial
from http import HTTPStatus
from time import perf_counter
from typing import Final
from urllib.parse import parse_qsl

from graphql import GraphQLError
from starlette.types import Receive, Scope
from strawberry.types.graphql import OperationType

from audience_gql.api.context import Services
from audience_gql.api.errors import RETRY_AFTER_SECONDS, ApiError, masked
from audience_gql.api.operations.operation_requests import NoOperation, OperationRequest, operation_request
from audience_gql.api.operations.time_limits import TimeLimit, TookTooLong
from audience_gql.api.transport.attending import Gone
from audience_gql.api.transport.authorization import secret_of
from audience_gql.api.transport.callers import caller_of
from audience_gql.api.transport.exchange import Header, by_name, exchange_of
from audience_gql.api.transport.wire import Unreadable, decode
from audience_gql.audience.access import Access, Unauthenticated
from audience_gql.audience.callers import Asked
from audience_gql.config import Settings
from audience_gql.storage.postgres.database import UNREACHABLE

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"
_USUAL_LENGTH: Final = 200
"""The most characters of a header whose meaning is remembered."""


class Request:
    """A request over HTTP."""

    __slots__ = ("_headers", "_scope", "begun", "exchange", "method", "query_string", "receive", "type")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.query_string: bytes = scope["query_string"]
        self.receive = receive
        self.begun = perf_counter()
        self.type: OperationType | None = None
        """The type of the operation, once it is known."""
        self.exchange = exchange_of(scope)
        """What the server offers, if it offers anything."""
        self._scope = scope
        self._headers = by_name(scope["headers"]) if self.exchange is None else self.exchange.headers

    def header(self, name: bytes, default: str = "") -> str:
        """A header by its name in lower case."""
        value = self._headers.get(name)
        return default if value is None else value.decode("latin-1")

    def asked(self, settings: Settings) -> Asked:
        """Finds out who sends the request, if that matters."""
        return partial(caller_of, self._scope, settings.proxies)

    def body_now(self, most: int) -> bytes | None:
        """The body, if it has arrived. Raises RequestRefused if it has more bytes than this."""
        body = None if self.exchange is None else self.exchange.take_body()
        if body is not None and len(body) > most:
            raise _too_large(most)
        return body

    async def body(self, most: int) -> bytes:
        """The body. Raises RequestRefused if it has more bytes than this, and Gone."""
        body = bytearray()
        is_whole = False
        while not is_whole:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Gone
            body += message["body"]
            if len(body) > most:
                raise _too_large(most)
            is_whole = not message["more_body"]
        return bytes(body)


class RequestRefused(Exception):
    """A request that is answered without running anything. A header `Retry_After` is sent as Retry-After."""

    def __init__(self, status: HTTPStatus, error: GraphQLError, **headers: str) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers: list[Header] = [
            (name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()
        ]


async def access_of(request: Request, services: Services) -> Access:
    """The access that the request's token grants. Raises RequestRefused."""
    try:
        secret = secret_of(request.header(b"authorization"))
        asked = request.asked(services.settings)
        doorkeeper = services.doorkeeper
        return doorkeeper.recall(secret, asked) or await doorkeeper.authenticate(secret, asked)
    except Unauthenticated as error:
        bare = ApiError("UNAUTHENTICATED", "Send a good token: `Authorization: Bearer agq_…`.")
        raise RequestRefused(HTTPStatus.UNAUTHORIZED, bare, WWW_Authenticate="Bearer") from error
    except UNREACHABLE as error:
        raise RequestRefused(
            HTTPStatus.SERVICE_UNAVAILABLE, masked(error), Retry_After=str(RETRY_AFTER_SECONDS)
        ) from error


async def operation_of(request: Request, *, body_bytes: int, limit: TimeLimit) -> OperationRequest:
    """The operation in the request's address, or in its body, which has this limit. Raises RequestRefused, Gone."""
    if request.method == "GET":
        given = _object_in_address(request.query_string)
    else:
        _check_headers(request)
        body = request.body_now(body_bytes)
        given = _object(await _body_in_time(request, body_bytes, limit) if body is None else body)
    try:
        operation = operation_request(given)
    except NoOperation as error:
        raise bad_request(str(error)) from error
    if not operation.query and operation.name is None:
        raise bad_request("There is no document: `query` is missing or empty.")
    return operation


def media_type_of(accept: str) -> str:
    """The media type of the response: of those that the API offers, the one that the client prefers."""
    return _preferred(accept) if len(accept) > _USUAL_LENGTH else _preferred_as_usual(accept)


def bad_request(message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, **headers: str) -> RequestRefused:
    return RequestRefused(status, ApiError("BAD_USER_INPUT", message), **headers)


def _too_large(most: int) -> RequestRefused:
    return bad_request(f"The body has more than {most:,} bytes.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _object_in_address(query_string: bytes) -> dict[str, object]:
    given = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    decoded = {name: _decoded(text) for name in ("variables", "extensions") if (text := given.get(name))}
    return {**given, **decoded}


def _check_headers(request: Request) -> None:
    sent_as = request.header(b"content-type")
    content_type = sent_as if sent_as == JSON else sent_as.partition(";")[0].strip().lower()
    if content_type != JSON:
        raise bad_request(
            f"Send the body as {JSON}, not {content_type or 'nothing'}.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        )
    encoding = request.header(b"content-encoding").strip().lower()
    if encoding not in ("", "identity"):
        raise bad_request(
            f"Send the body without content-encoding, not as {encoding}.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            Accept_Encoding="identity",
        )


async def _body_in_time(request: Request, most: int, limit: TimeLimit) -> bytes:
    try:
        with limit.running():
            return await request.body(most)
    except TookTooLong as error:
        message = f"The body did not arrive within {limit.seconds:g} s."
        raise bad_request(message, HTTPStatus.REQUEST_TIMEOUT, Connection="close") from error


def _object(body: bytes) -> dict[str, object]:
    value = _decoded(body)
    if not isinstance(value, dict):
        raise bad_request('The body must be one JSON object: {"query": …}. Batches are not supported.')
    return value


def _decoded(raw: bytes | str) -> object:
    try:
        return decode(raw)
    except Unreadable as error:
        raise bad_request(str(error)) from error


def _preferred(accept: str) -> str:
    best, best_quality = JSON, 0.0
    for offer in accept.split(","):
        name, _, parameters = offer.strip().lower().partition(";")
        quality = _quality(parameters)
        if name.strip() in (JSON, GRAPHQL_JSON, EVENT_STREAM) and quality > best_quality:
            best, best_quality = name.strip(), quality
    return best


_preferred_as_usual = lru_cache(_preferred)


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
