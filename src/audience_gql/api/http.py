"""GraphQL over HTTP: what a request says, and what status and body its answer has.

Running the operation is the schema's. Nothing that arrives here may end in a 500.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from audience_gql.api.authorization import authorize
from audience_gql.api.context import Context, Services
from audience_gql.api.errors import RETRY_AFTER_SECONDS, ApiError, code_of, for_client
from audience_gql.api.schema import Schema
from audience_gql.api.wire import Unreadable, decode, encode
from audience_gql.audience.access import Unauthenticated
from audience_gql.storage.database import UNREACHABLE

_JSON: Final = "application/json"
_GRAPHQL_JSON: Final = "application/graphql-response+json"
_METHODS: Final[Mapping[str, frozenset[OperationType]]] = {
    "GET": frozenset({OperationType.QUERY}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
}
_STATUS_OF_CODES: Final = {
    "FORBIDDEN": HTTPStatus.FORBIDDEN,
    "UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
}


class Refused(Exception):
    """A request that is answered without running anything."""

    def __init__(self, status: HTTPStatus, error: GraphQLError, **headers: str) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a well-formed request asks for."""

    query: str | None
    variables: dict[str, Any] | None  # Any: JSON
    operation_name: str | None


async def answer(request: Request, schema: Schema, services: Services) -> Response:
    """The response to any request whatever."""
    media_type = _media_type(request)
    try:
        if request.method not in _METHODS:
            error = ApiError("BAD_USER_INPUT", "GraphQL goes by GET and POST.")
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, error, Allow="GET, POST")  # noqa: TRY301  # refused like everything below
        context = await _context(request, services)
        asked = await _asked(request, services.settings.body_bytes)
        return _response(await _run(request, schema, context, asked), media_type)
    except Refused as refused:
        body = encode({"errors": [refused.error.formatted]})
        return Response(body, refused.status, refused.headers, _with_charset(media_type))
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _context(request: Request, services: Services) -> Context:
    try:
        access = await authorize(services.doorkeeper, request.headers.get("authorization"))
    except Unauthenticated as error:
        bare = ApiError("UNAUTHENTICATED", "Send a good token: `Authorization: Bearer agq_…`.")
        raise Refused(HTTPStatus.UNAUTHORIZED, bare, WWW_Authenticate="Bearer") from error
    except UNREACHABLE as error:
        told = for_client(GraphQLError("", original_error=error))
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, told, Retry_After=str(RETRY_AFTER_SECONDS)) from error
    return Context(services, access)


async def _asked(request: Request, body_bytes: int) -> _Asked:
    if request.method == "GET":
        given: dict[str, object] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if text := request.query_params.get(name):
                given[name] = _decoded(text)
    else:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != _JSON:
            raise _bad_request(
                f"Send the body as {_JSON}, not {content_type or 'nothing'}.",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )
        body = _decoded(await _body(request, body_bytes))
        if not isinstance(body, dict):
            raise _bad_request('The body must be one JSON object: {"query": …}. Batches are not taken.')
        given = body
    _of_type(given, "extensions", dict, "an object")
    return _Asked(
        query=_of_type(given, "query", str, "text"),
        operation_name=_of_type(given, "operationName", str, "text"),
        variables=_of_type(given, "variables", dict, "an object"),
    )


def _of_type(
    given: Mapping[str, object], name: str, expected: type, words: str
) -> Any:  # Any: of the expected type, or None
    value = given.get(name)
    if value is not None and not isinstance(value, expected):
        raise _bad_request(f"`{name}` must be {words}.")
    return value


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _bad_request(f"The body has more than {most:,} bytes.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return bytes(body)


def _decoded(raw: bytes | str) -> object:
    try:
        return decode(raw)
    except Unreadable as error:
        raise _bad_request(str(error)) from error


def _bad_request(message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Refused:
    return Refused(status, ApiError("BAD_USER_INPUT", message))


async def _run(request: Request, schema: Schema, context: Context, asked: _Asked) -> ExecutionResult:
    if not asked.query:
        raise _bad_request("There is no document: `query` is missing or empty.")
    try:
        return await schema.execute(
            asked.query,
            variable_values=asked.variables,
            context_value=context,
            operation_name=asked.operation_name,
            allowed_operation_types=_METHODS[request.method],
        )
    except InvalidOperationTypeError as error:
        if error.operation_type is OperationType.SUBSCRIPTION:
            raise _bad_request("Subscriptions go over a websocket, by graphql-transport-ws.") from error
        told = ApiError("BAD_USER_INPUT", "Mutations go by POST.")
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, told, Allow="POST") from error


def _response(result: ExecutionResult, media_type: str) -> Response:
    errors = result.errors or []
    body: dict[str, object] = {"errors": [error.formatted for error in errors]} if errors else {}
    never_ran = result.data is None and all(error.path is None for error in errors)
    if not never_ran:
        body["data"] = result.data
    status = _status(result.data, errors, media_type, never_ran=never_ran)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(encode(body), status, headers, _with_charset(media_type))


def _status(
    data: Mapping[str, object] | None, errors: Sequence[GraphQLError], media_type: str, *, never_ran: bool
) -> HTTPStatus:
    codes = {code_of(error) for error in errors}
    is_empty = data is None or all(value is None for value in data.values())
    if is_empty and len(codes) == 1 and (status := _STATUS_OF_CODES.get(codes.pop())):
        return status
    # Under application/json a status other than 200 would say that no GraphQL server answered.
    return HTTPStatus.BAD_REQUEST if never_ran and media_type == _GRAPHQL_JSON else HTTPStatus.OK


def _media_type(request: Request) -> str:
    """What the answer is sent as: what the client prefers of the two that there are."""
    best, best_quality = _JSON, 0.0
    for offer in request.headers.get("accept", "").split(","):
        name, _, parameters = offer.strip().lower().partition(";")
        quality = _quality(parameters)
        if name.strip() in (_JSON, _GRAPHQL_JSON) and quality > best_quality:
            best, best_quality = name.strip(), quality
    return best


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8"
