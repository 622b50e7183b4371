"""The address to which a client uploads the file of an import with PUT. The secret in the address replaces the API token.

The file is passed on in parts while it arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from audience_gql.api import ids
from audience_gql.api.context import Services
from audience_gql.api.errors import RETRY_AFTER_SECONDS
from audience_gql.api.ids import Kind
from audience_gql.audience.failures import Failure, NotFound
from audience_gql.audience.imports.lifecycle import (
    FILE_BYTES,
    AlreadyUploaded,
    FileTooLarge,
    file_too_large,
    receive_file,
)
from audience_gql.storage.postgres.database import UNREACHABLE

_STATUS_OF: Final[dict[type[Failure], HTTPStatus]] = {
    NotFound: HTTPStatus.NOT_FOUND,
    AlreadyUploaded: HTTPStatus.CONFLICT,
    FileTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
_HEADERS_OF: Final = {
    HTTPStatus.METHOD_NOT_ALLOWED: {"Allow": "PUT"},
    HTTPStatus.REQUEST_TIMEOUT: {"Connection": "close"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": str(RETRY_AFTER_SECONDS)},
}


async def receive(request: Request, services: Services) -> Response:
    """202 when the whole file is stored. After any other status except 409, the client may send the file again to the same address."""
    if refused := _refused_by_headers(request.method, request.headers):
        return refused
    try:
        await receive_file(
            ports=services.ports,
            import_id=ids.number_of(Kind.IMPORT, request.path_params["import_id"]),
            secret=request.path_params["secret"],
            content=_without_pauses(request.stream(), services.settings.request_seconds),
        )
    except _Stalled:
        return _refusal(HTTPStatus.REQUEST_TIMEOUT, "no part of the file arrived for too long; send it again")
    except (NotFound, AlreadyUploaded, FileTooLarge) as error:
        return _refusal(_STATUS_OF[type(error)], error.message)
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    except UNREACHABLE:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the database does not answer; try again")
    return JSONResponse({"status": "accepted"}, HTTPStatus.ACCEPTED)


class _Stalled(Exception):
    """No part of the file arrived for too long."""


async def _without_pauses(content: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    """The same parts, each within `seconds`. Raises _Stalled."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                part = await anext(content, None)
        except TimeoutError as error:
            raise _Stalled from error
        if part is None:
            return
        yield part


def _refused_by_headers(method: str, headers: Headers) -> Response | None:
    if method != "PUT":
        return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "send the file with PUT")
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "text/csv":
        return _refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the file as text/csv, in UTF-8")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        return _refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the file without content-encoding")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > FILE_BYTES:
        return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(file_too_large()))
    return None


def _refusal(status: HTTPStatus, message: str) -> Response:
    return JSONResponse({"error": message}, status, _HEADERS_OF.get(status))
