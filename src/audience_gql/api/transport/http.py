"""GraphQL over HTTP: the status and body of each response. Streams are sent by sse.py.

The schema runs the operations. edge.py answers when an exception escapes from here.
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
from audience_gql.api.operating import NotAnswered
from audience_gql.api.operation_requests import OperationRefused, OperationRequest, hash_not_accepted
from audience_gql.api.schema import Schema
from audience_gql.api.transport import sse
from audience_gql.api.transport.requests import (
    EVENT_STREAM,
    GRAPHQL_JSON,
    JSON,
    RequestRefused,
    access_of,
    bad_request,
    media_type_of,
    operation_of,
)
from audience_gql.api.transport.subscriptions import Subscriptions
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

_PLAN: Final = 'executor;desc="plan"'
_LIBRARY: Final = 'executor;desc="library"'
_TRY_AGAIN: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


async def answer(
    request: Request, schema: Schema, services: Services, subscriptions: Subscriptions
) -> Response:
    """The response to any request."""
    media_type = media_type_of(request)
    try:
        return await _answer(request, schema, services, subscriptions, media_type)
    except RequestRefused as refused:
        body = encode({"errors": [refused.error.formatted]})
        sent_as = JSON if media_type == EVENT_STREAM else media_type  # no stream has begun
        return Response(body, refused.status, refused.headers, _with_charset(sent_as))


async def _answer(
    request: Request, schema: Schema, services: Services, subscriptions: Subscriptions, media_type: str
) -> Response:
    if request.method not in _METHODS:
        error = ApiError("BAD_USER_INPUT", "Send GraphQL requests with GET or POST.")
        raise RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, error, Allow="GET, POST")
    access = await access_of(request, services)
    operation = await operation_of(request, services.settings)
    try:
        async with services.operations.operating(access):
            type_ = schema.operation_type(operation.query, operation.operation_name)
            _check_type(type_, request.method, media_type)
            if media_type == EVENT_STREAM and type_ is OperationType.SUBSCRIPTION:
                return sse.subscribe(request, operation, subscriptions, services, access)
            context = Context(services, access)
            response = _answered(await _run(operation, schema, context), media_type)
            response.headers["Server-Timing"] = _PLAN if context.is_planned else _LIBRARY
            return response
    except NotAnswered as refusal:
        return _answered(ExecutionResult(data=None, errors=[refusal.error]), media_type)
    except OperationRefused as refusal:
        return _answered(ExecutionResult(data=None, errors=refusal.errors), media_type)


def _answered(result: ExecutionResult, media_type: str) -> Response:
    return sse.single(result) if media_type == EVENT_STREAM else _response(result, media_type)


def _check_type(type_: OperationType | None, method: str, media_type: str) -> None:
    """Refuses an operation of a type that this method or media type does not allow. None passes: running it gives the error."""
    if type_ is OperationType.SUBSCRIPTION and media_type != EVENT_STREAM:
        raise bad_request(
            "Subscriptions need a websocket with graphql-transport-ws, or a stream: accept text/event-stream."
        )
    if type_ is not None and type_ not in _METHODS[method]:
        error = ApiError("BAD_USER_INPUT", "Send mutations with POST.")
        raise RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, error, Allow="POST")


async def _run(operation: OperationRequest, schema: Schema, context: Context) -> ExecutionResult:
    if operation.is_hash:
        raise OperationRefused([hash_not_accepted()])
    async with context.services.operations.weighing(schema.query_cost(operation)):
        return await schema.answer(operation, context)


def _response(result: ExecutionResult, media_type: str) -> Response:
    errors = result.errors or []
    body = body_of(result)
    status = _status(result.data, errors, media_type, never_ran="data" not in body)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in _TRY_AGAIN else {}
    return Response(encode(body), status, headers, _with_charset(media_type))


def _status(
    data: Mapping[str, object] | None, errors: Sequence[GraphQLError], media_type: str, *, never_ran: bool
) -> HTTPStatus:
    codes = {code_of(error) for error in errors}
    is_empty = data is None or all(value is None for value in data.values())
    if is_empty and len(codes) == 1 and (status := _STATUS_OF_CODES.get(codes.pop())):
        return status
    # Under application/json, a status other than 200 means that no GraphQL server answered.
    return HTTPStatus.BAD_REQUEST if never_ran and media_type == GRAPHQL_JSON else HTTPStatus.OK


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8"
