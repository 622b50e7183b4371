"""The address that a file of an import is PUT to. Its secret is all that it asks for; the API token is never in an address.

It streams: what it was sent, it hands on.
"""

from __future__ import annotations

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
from audience_gql.storage.database import UNREACHABLE

_STATUS_OF: Final[dict[type[Failure], HTTPStatus]] = {
    NotFound: HTTPStatus.NOT_FOUND,
    AlreadyUploaded: HTTPStatus.CONFLICT,
    FileTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


def upload_path(import_id: int, secret: str) -> str:
    return f"/imports/{ids.encode(Kind.IMPORT, import_id)}/{secret}"


async def receive(request: Request, services: Services) -> Response:
    """202 once the whole file is kept; anything else, and the same address takes it again unless it says 409."""
    if refused := _refused_by_headers(request.headers):
        return refused
    try:
        await receive_file(
            ports=services.ports,
            import_id=ids.number_of(Kind.IMPORT, request.path_params["import_id"]),
            secret=request.path_params["secret"],
            content=request.stream(),
        )
    except (NotFound, AlreadyUploaded, FileTooLarge) as error:
        return _refusal(_STATUS_OF[type(error)], error.message)
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    except UNREACHABLE:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the database does not answer; try again")
    return JSONResponse({"status": "accepted"}, HTTPStatus.ACCEPTED)


def _refused_by_headers(headers: Headers) -> Response | None:
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "text/csv":
        return _refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the file as text/csv, in UTF-8")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        return _refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the file as it is, without content-encoding")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > FILE_BYTES:
        return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(file_too_large()))
    return None


def _refusal(status: HTTPStatus, message: str) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return JSONResponse({"error": message}, status, headers)
