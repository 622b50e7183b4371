"""GraphQL over HTTP: which status and body an answer has; what is wanted as a stream goes to sse.py.

Running the operation is the schema's; what escapes from here, edge.py tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from audience_gql.api.context import Context, Services
from audience_gql.api.errors import RETRY_AFTER_SECONDS, ApiError, code_of
from audience_gql.api.schema import Schema
from audience_gql.api.transport import sse
from audience_gql.api.transport.operating import NotAnswered
from audience_gql.api.transport.requests import (
    EVENT_STREAM,
    GRAPHQL_JSON,
    JSON,
    Refused,
    access_of,
    asked_by,
    bad_request,
    media_type_of,
)
from audience_gql.api.transport.subscriptions import Subscriptions
from audience_gql.api.transport.told import Asked, hash_not_taken
from audience_gql.api.transport.wire import body_of, encode

_METHODS: Final[Mapping[str, frozenset[OperationType]]] = {
    "GET": frozenset({OperationType.QUERY, OperationType.SUBSCRIPTION}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION, OperationType.SUBSCRIPTION}),
}
_STATUS_OF_CODES: Final = {
    "FORBIDDEN": HTTPStatus.FORBIDDEN,
    "OVERLOADED": HTTPStatus.TOO_MANY_REQUESTS,
    "UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
}

_COME_AGAIN: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


async def answer(
    request: Request, schema: Schema, services: Services, subscriptions: Subscriptions
) -> Response:
    """The response to any request whatever."""
    media_type = media_type_of(request)
    try:
        return await _answer(request, schema, services, subscriptions, media_type)
    except Refused as refused:
        body = encode({"errors": [refused.error.formatted]})
        told_as = JSON if media_type == EVENT_STREAM else media_type  # no stream has begun
        return Response(body, refused.status, refused.headers, _with_charset(told_as))


async def _answer(
    request: Request, schema: Schema, services: Services, subscriptions: Subscriptions, media_type: str
) -> Response:
    if request.method not in _METHODS:
        error = ApiError("BAD_USER_INPUT", "GraphQL goes by GET and POST.")
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, error, Allow="GET, POST")
    access = await access_of(request, services)
    asked = await asked_by(request, services.settings)
    try:
        async with services.operations.operating(access):
            type_ = schema.operation_type(asked.query, asked.operation_name)
            _check_type(type_, request.method, media_type)
            if media_type == EVENT_STREAM and type_ is OperationType.SUBSCRIPTION:
                return sse.subscribe(request, asked, subscriptions, services, access)
            return _answered(await _run(asked, schema, Context(services, access)), media_type)
    except NotAnswered as error:
        return _answered(ExecutionResult(data=None, errors=[error.told]), media_type)


def _answered(result: ExecutionResult, media_type: str) -> Response:
    return sse.single(result) if media_type == EVENT_STREAM else _response(result, media_type)


def _check_type(type_: OperationType | None, method: str, media_type: str) -> None:
    """Refuses what does not go this way; what cannot be run at all is told when it is run."""
    if type_ is OperationType.SUBSCRIPTION and media_type != EVENT_STREAM:
        raise bad_request(
            "Subscriptions go over a websocket, by graphql-transport-ws, or as a stream: accept text/event-stream."
        )
    if type_ is not None and type_ not in _METHODS[method]:
        told = ApiError("BAD_USER_INPUT", "Mutations go by POST.")
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, told, Allow="POST")


async def _run(asked: Asked, schema: Schema, context: Context) -> ExecutionResult:
    if asked.is_hash:
        return ExecutionResult(data=None, errors=[hash_not_taken()])
    async with context.services.operations.weighing(schema.query_cost(asked)):
        return await schema.execute(
            asked.query,
            variable_values=asked.variables,
            context_value=context,
            operation_name=asked.operation_name,
        )


def _response(result: ExecutionResult, media_type: str) -> Response:
    errors = result.errors or []
    body = body_of(result)
    status = _status(result.data, errors, media_type, never_ran="data" not in body)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in _COME_AGAIN else {}
    return Response(encode(body), status, headers, _with_charset(media_type))


def _status(
    data: Mapping[str, object] | None, errors: Sequence[GraphQLError], media_type: str, *, never_ran: bool
) -> HTTPStatus:
    codes = {code_of(error) for error in errors}
    is_empty = data is None or all(value is None for value in data.values())
    if is_empty and len(codes) == 1 and (status := _STATUS_OF_CODES.get(codes.pop())):
        return status
    # Under application/json a status other than 200 would say that no GraphQL server answered.
    return HTTPStatus.BAD_REQUEST if never_ran and media_type == GRAPHQL_JSON else HTTPStatus.OK


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8"
