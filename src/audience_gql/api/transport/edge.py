"""The edge of HTTP: when an exception escapes from an endpoint, the client gets JSON with a code, and the server's log the traceback.

Websockets and streams that have begun have edges of their own, in socket.py and sse.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from audience_gql.api.errors import RETRY_AFTER_SECONDS, code_of, masked
from audience_gql.api.transport.replies import Reply
from audience_gql.api.transport.requests import GRAPHQL_JSON, JSON, media_type_of
from audience_gql.api.transport.wire import encode

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
_PASSING: Final = frozenset({"UNAVAILABLE", "TIMEOUT"})
"""The codes of errors that a later attempt may not meet."""


def guarded(endpoint: Endpoint) -> Endpoint:
    """The same endpoint. It raises no exception."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except Exception as error:  # noqa: BLE001  # the edge: the error is logged, masked and sent
            reply = reply_to_failure(error, media_type_of(request.headers.get("accept", "")))
            response = Response(reply.body, reply.status)
            response.raw_headers = reply.headers
            return response

    return answer


def reply_to_failure(error: Exception, media_type: str) -> Reply:
    """The response when an exception escapes, for a client that prefers this media type."""
    public = masked(error)
    is_passing = code_of(public) in _PASSING
    status = HTTPStatus.SERVICE_UNAVAILABLE if is_passing else HTTPStatus.INTERNAL_SERVER_ERROR
    return Reply(
        status,
        encode({"errors": [public.formatted]}),
        GRAPHQL_JSON if media_type == GRAPHQL_JSON else JSON,
        [(b"retry-after", str(RETRY_AFTER_SECONDS).encode())] if is_passing else (),
    )
