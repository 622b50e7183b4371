"""GraphQL over HTTP: the status and body of each response. Streams are sent by sse.py.

The schema runs the operations. edge.py answers when an exception escapes from here. Every request for GraphQL takes this way, and most
take little else. So it reads the request and sends the response itself, without a web framework.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from graphql import GraphQLError
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from audience_gql.api.context import Context, Executor, Services
from audience_gql.api.documents.trusted_requests import needs_settling, settled
from audience_gql.api.errors import RETRY_AFTER_SECONDS, ApiError, code_of, masked
from audience_gql.api.operations.operating import NotAnswered
from audience_gql.api.operations.operation_requests import OperationRefused
from audience_gql.api.operations.time_limits import TimeLimit
from audience_gql.api.schema import Candidate, Schema
from audience_gql.api.transport.attending import Attended, Gone
from audience_gql.api.transport.compression import LEAST_BYTES, compressed
from audience_gql.api.transport.edge import reply_to_failure
from audience_gql.api.transport.exchange import Header
from audience_gql.api.transport.measuring.measures import measure, measure_failure
from audience_gql.api.transport.paying import BudgetHeaders, hold_back, pay
from audience_gql.api.transport.preferring import answer_there, prefers_replica
from audience_gql.api.transport.replies import Reply
from audience_gql.api.transport.requests import (
    EVENT_STREAM,
    GRAPHQL_JSON,
    JSON,
    Request,
    RequestRefused,
    access_of,
    bad_request,
    media_type_of,
    operation_of,
)
from audience_gql.api.transport.revalidation import revalidated
from audience_gql.api.transport.streaming import sse
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from audience_gql.api.transport.wire import body_of, encode
from audience_gql.audience.access import Access
from audience_gql.audience.budgets import OutOfPoints

_METHODS: Final[Mapping[str, frozenset[OperationType]]] = {
    "GET": frozenset({OperationType.QUERY, OperationType.SUBSCRIPTION}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION, OperationType.SUBSCRIPTION}),
}
_STATUS_OF_CODES: Final = {
    "FORBIDDEN": HTTPStatus.FORBIDDEN,
    "OVERLOADED": HTTPStatus.TOO_MANY_REQUESTS,
    "RATE_LIMITED": HTTPStatus.TOO_MANY_REQUESTS,
    "UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
}

_EXECUTORS: Final[Mapping[Executor, Header]] = {
    "library": (b"server-timing", b'executor;desc="library"'),
    "plan": (b"server-timing", b'executor;desc="plan"'),
    "statement": (b"server-timing", b'executor;desc="statement"'),
}
_OK: Final = int(HTTPStatus.OK)
_TRY_AGAIN: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class GraphQLEndpoint:
    """The ASGI application that answers any HTTP request for GraphQL."""

    def __init__(self, schema: Schema, services: Services, subscriptions: Subscriptions) -> None:
        self._schema = schema
        self._services = services
        self._subscriptions = subscriptions
        self._body_limit = TimeLimit(services.settings.request_seconds)
        self._budget_headers = BudgetHeaders(services.budgets)
        self._by_get = services.settings.by_get
        self._methods = ("POST",) if self._by_get == "off" else ("GET", "POST")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        media_type = media_type_of(request.header(b"accept"))
        try:
            reply = await self._answer(request, media_type)
        except RequestRefused as refused:
            measure(request.type, request.begun, [refused.error])
            sent_as = JSON if media_type == EVENT_STREAM else media_type  # no stream has begun
            body = encode({"errors": [refused.error.formatted]})
            reply = Reply(refused.status, body, sent_as, refused.headers)
        except Gone:
            reply = Reply(HTTPStatus.BAD_REQUEST, b"", JSON)
        except Exception as error:  # noqa: BLE001  # the edge: the error is logged, masked and sent
            reply = reply_to_failure(error, media_type)
            measure_failure(request.type, request.begun)
        if not (isinstance(reply, Reply) and reply.send_now(request.exchange)):
            await reply(scope, receive, send)

    async def _answer(self, request: Request, media_type: str) -> ASGIApp:
        services = self._services
        if request.method not in self._methods:
            message = f"Send GraphQL requests with {' or '.join(self._methods)}."
            raise _not_allowed(message, *self._methods)
        access = await access_of(request, services)
        operation = await operation_of(
            request, body_bytes=services.settings.body_bytes, limit=self._body_limit
        )
        try:
            async with services.operations.operating(access):
                if needs_settling(operation, access):
                    operation = await settled(operation, services, access)
                if request.method == "GET" and self._by_get == "trusted" and not operation.is_trusted:
                    raise _not_allowed(
                        "By GET, this server runs trusted documents only. Send others with POST.", "POST"
                    )
                candidate = self._schema.candidate(operation)
                request.type = type_ = candidate.type
                _check_type(type_, request.method, media_type)
                if media_type == EVENT_STREAM and type_ is OperationType.SUBSCRIPTION:
                    return sse.subscribe(request, operation, self._subscriptions, services, access)
                return await self._paid_answer(candidate, access, media_type, request)
        except OutOfPoints as refusal:
            reply = await _answered(ExecutionResult(data=None, errors=[masked(refusal)]), media_type, request)
            reply.headers += self._budget_headers.refused(refusal.remaining, refusal.retry_after_seconds)
            await hold_back(refusal)
            return reply
        except NotAnswered as refusal:
            await hold_back(refusal)
            return await _answered(ExecutionResult(data=None, errors=[refusal.error]), media_type, request)
        except OperationRefused as refusal:
            return await _answered(ExecutionResult(data=None, errors=refusal.errors), media_type, request)

    async def _paid_answer(
        self, candidate: Candidate, access: Access, media_type: str, request: Request
    ) -> Reply:
        """The answer to a query or mutation. Raises OutOfPoints."""
        paid = await pay(candidate, self._services, access)
        context = Context(self._services, access)
        headers: list[Header] = []
        exchange = request.exchange
        if exchange is None or request.type is not OperationType.QUERY:
            # a mutation does what it was sent for, whoever reads the answer
            result = await self._run(candidate, context, request, headers)
        else:
            with Attended(exchange):
                result = await self._run(candidate, context, request, headers)
        if candidate.request.wants_cost:
            result.extensions = paid.extensions
        reply = await _answered(result, media_type, request)
        if candidate.request.is_trusted and request.method == "GET":
            reply = revalidated(reply, result, media_type, request.header(b"if-none-match"))
        reply.headers += (*headers, *self._budget_headers.after(paid.remaining))
        reply.headers.append(_EXECUTORS[context.executor])
        return reply

    async def _run(
        self, candidate: Candidate, context: Context, request: Request, headers: list[Header]
    ) -> ExecutionResult:
        """Run the operation, and add the headers that its result needs."""
        replica = self._services.replica
        async with self._services.operations.weighing(candidate.query_points):
            if (
                replica is not None
                and request.type is OperationType.QUERY
                and prefers_replica(request.header(b"prefer"))
                and (found := await answer_there(replica, self._schema, candidate, context)) is not None
            ):
                headers += found[1]
                return found[0]
            return await self._schema.answer(candidate, context)


async def _answered(result: ExecutionResult, media_type: str, request: Request) -> Reply:
    reply = sse.single(result) if media_type == EVENT_STREAM else await _reply(result, media_type, request)
    measure(request.type, request.begun, result.errors)
    return reply


def _check_type(type_: OperationType | None, method: str, media_type: str) -> None:
    """Refuses an operation of a type that this method or media type does not allow. None passes: running it gives the error."""
    if type_ is OperationType.QUERY:
        return
    if type_ is OperationType.SUBSCRIPTION and media_type != EVENT_STREAM:
        raise bad_request(
            "Subscriptions need a websocket with graphql-transport-ws, or a stream: accept text/event-stream."
        )
    if type_ is not None and type_ not in _METHODS[method]:
        raise _not_allowed("Send mutations with POST.", "POST")


def _not_allowed(message: str, *methods: str) -> RequestRefused:
    """The refusal of a request's method. `methods` are those that may help."""
    error = ApiError("BAD_USER_INPUT", message)
    return RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, error, Allow=", ".join(methods))


async def _reply(result: ExecutionResult, media_type: str, request: Request) -> Reply:
    errors = result.errors
    body = body_of(result)
    text = encode(body)
    headers: tuple[Header, ...] = ()
    if len(text) >= LEAST_BYTES:
        text, headers = await compressed(text, request.header(b"accept-encoding"))
    if not errors:
        return Reply(_OK, text, media_type, headers)
    status = _status(result.data, errors, media_type, never_ran="data" not in body)
    return Reply(status, text, media_type, (*headers, _retry(errors)) if status in _TRY_AGAIN else headers)


def _retry(errors: Sequence[GraphQLError]) -> Header:
    """The header that tells when to try again: the latest time that one of the errors names."""
    told = [(error.extensions or {}).get("retryAfter") for error in errors]
    seconds = max((it for it in told if isinstance(it, int)), default=RETRY_AFTER_SECONDS)
    return b"retry-after", str(seconds).encode()


def _status(
    data: Mapping[str, object] | None, errors: Sequence[GraphQLError], media_type: str, *, never_ran: bool
) -> HTTPStatus:
    codes = {code_of(error) for error in errors}
    is_empty = data is None or all(value is None for value in data.values())
    if is_empty and len(codes) == 1 and (status := _STATUS_OF_CODES.get(codes.pop())):
        return status
    # Under application/json, a status other than 200 means that no GraphQL server answered.
    return HTTPStatus.BAD_REQUEST if never_ran and media_type == GRAPHQL_JSON else HTTPStatus.OK
