"""The edge of HTTP: whatever escapes from behind an address, the client gets JSON with a code and the log has the rest.

Streams that have begun and websockets have edges of their own, in sse.py and connection.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from audience_gql.api.errors import RETRY_AFTER_SECONDS, code_of, masked
from audience_gql.api.transport.requests import GRAPHQL_JSON, JSON, media_type_of
from audience_gql.api.transport.wire import encode

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
_PASSING: Final = frozenset({"UNAVAILABLE", "TIMEOUT"})
"""Codes of what is over after a moment."""


def guarded(endpoint: Endpoint) -> Endpoint:
    """The endpoint, from which no exception comes."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except Exception as error:  # noqa: BLE001  # the edge: it is logged, masked and told
            return _told(error, request)

    return answer


def _told(error: Exception, request: Request) -> Response:
    told = masked(error)
    is_passing = code_of(told) in _PASSING
    status = HTTPStatus.SERVICE_UNAVAILABLE if is_passing else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if is_passing else {}
    media_type = GRAPHQL_JSON if media_type_of(request) == GRAPHQL_JSON else JSON
    body = encode({"errors": [told.formatted]})
    return Response(body, status, headers, f"{media_type}; charset=utf-8")
