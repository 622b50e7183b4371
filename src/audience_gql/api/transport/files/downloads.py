"""The address from which a client downloads the file of an export with GET. The secret in the address replaces the API token.

The file is sent in parts, also while a worker still writes it. A client that was cut off continues with the header `Range`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import aclosing
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from audience_gql.api import ids
from audience_gql.api.context import Services
from audience_gql.api.errors import RETRY_AFTER_SECONDS, masked
from audience_gql.api.ids import Kind
from audience_gql.api.transport.exchange import cut_off
from audience_gql.api.transport.files.ranges import Part, Wanted, is_within, part_of, wanted_range
from audience_gql.audience.exports.plans import ExportPlan
from audience_gql.audience.exports.reading import ExportFailed, FileGone, open_export, pieces
from audience_gql.audience.failures import NotFound
from audience_gql.audience.tasks import end
from audience_gql.storage.exports import ExportRecord
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE

_MEDIA_TYPES: Final = {"CSV": "text/csv; charset=utf-8; header=present", "NDJSON": "application/x-ndjson"}
_SLICE_BYTES: Final = 64 * 1024
_SLICE_SECONDS: Final = 60.0
"""How long a client may take to read one slice, before its connection is cut. It can then continue."""
_LOOK_SECONDS: Final = 0.2
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u200e\u200f\u2028-\u202e\u2066-\u2069]')
_NAME_CHARACTERS: Final = 100

logger = logging.getLogger(__name__)


async def send_file(request: Request, services: Services) -> Response:
    """200 with the file, or 206 with the part of it that the client wants. 503 if the answer would have to wait for the worker too long."""
    if request.method not in ("GET", "HEAD"):
        return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "get the file with GET", Allow="GET, HEAD")
    try:
        return await _answer(request, services)
    except NotFound as error:
        return _refusal(HTTPStatus.NOT_FOUND, error.message)
    except ExportFailed as error:
        return _refusal(HTTPStatus.CONFLICT, error.message)
    except _NotYet:
        retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the file is being written; try again", **retry)
    except (*UNREACHABLE, *BUSY):
        retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the database does not answer; try again", **retry)


class _NotYet(Exception):
    """The worker has not written what the answer needs."""


async def _answer(request: Request, services: Services) -> Response:
    export = await _opened(request, services, lambda found: found.state != "WAITING")
    wanted = None
    if request.method == "GET":
        wanted = wanted_range(
            request.headers.get("range"),
            if_range=request.headers.get("if-range"),
            etag=_etag(export),
            is_only_version=export.attempt == 1,
        )
    if wanted is None:
        size = export.bytes if export.state == "DONE" else None
        return _File(request, services, export, Part(0, -1 if size is None else size), size=size)
    return await _partial(request, services, export, wanted)


async def _partial(request: Request, services: Services, export: ExportRecord, wanted: Wanted) -> Response:
    """A part. Unless the range ends in what is written already, it waits for the size: `Content-Range` names the last byte of a part."""
    if export.state != "DONE" and not is_within(wanted, export.bytes):
        attempt = export.attempt
        export = await _opened(
            request, services, lambda found: found.state == "DONE" or found.attempt != attempt
        )
        if export.attempt != attempt:
            return await _answer(request, services)
    size = export.bytes if export.state == "DONE" else None
    part = part_of(wanted, export.bytes)
    if part is None:
        headers = {**_headers(export), "Content-Range": f"bytes */{export.bytes}"}
        return _refusal(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"the file has {export.bytes} bytes", **headers
        )
    return _File(request, services, export, part, size=size, is_part=True)


async def _opened(
    request: Request, services: Services, is_ready: Callable[[ExportRecord], bool]
) -> ExportRecord:
    """The export of the address, as soon as it is ready. Raises NotFound, ExportFailed, _NotYet."""
    try:
        async with asyncio.timeout(services.settings.request_seconds):
            while True:
                found = await open_export(
                    ports=services.ports,
                    export_id=ids.number_of(Kind.EXPORT, request.path_params["export_id"]),
                    secret=request.path_params["secret"],
                )
                if is_ready(found):
                    return found
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as error:
        raise _NotYet from error


class _File(Response):
    """Sends a part of a file, or the whole file, as fast as the client reads."""

    def __init__(
        self,
        request: Request,
        services: Services,
        export: ExportRecord,
        part: Part,
        *,
        size: int | None,
        is_part: bool = False,
    ) -> None:
        self._services = services
        self._export = export
        self._start = part.start
        self._stop = None if part.stop < 0 else part.stop
        self._has_body = request.method != "HEAD"
        self.status_code = HTTPStatus.PARTIAL_CONTENT if is_part else HTTPStatus.OK
        headers = _headers(export)
        if self._stop is not None:
            headers["Content-Length"] = str(self._stop - self._start)
        if is_part:
            whole = "*" if size is None else size
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{whole}"
        self.raw_headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": list(self.raw_headers),
            }
        )
        if not self._has_body:
            await send({"type": "http.response.body", "body": b""})
            return
        sending = asyncio.create_task(self._send(send), name="download")
        others = [
            asyncio.create_task(_departure(receive), name="download"),
            asyncio.create_task(self._services.live.drained.wait(), name="download"),
        ]
        try:
            await asyncio.wait([sending, *others], return_when=asyncio.FIRST_COMPLETED)
            is_whole = sending.done() and _ended_well(sending)
        finally:
            await end(sending, *others)
        if not is_whole:
            cut_off(scope)  # so that the client notices that the end is missing, and continues

    async def _send(self, send: Send) -> None:
        """Raises FileGone, TimeoutError, and what the database raises."""
        read = pieces(ports=self._services.ports, export=self._export, start=self._start, stop=self._stop)
        async with aclosing(read) as parts:  # type: ignore[type-var]  # an async generator, declared as an iterator
            async for piece in parts:
                for at in range(0, len(piece), _SLICE_BYTES):
                    body = piece[at : at + _SLICE_BYTES]
                    async with asyncio.timeout(_SLICE_SECONDS):
                        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _ended_well(sending: asyncio.Task[None]) -> bool:
    match sending.exception():
        case None:
            return True
        case FileGone() | TimeoutError() | OSError():
            pass
        case Exception() as error:  # the edge of downloads: the error is logged
            masked(error)
    return False


async def _departure(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _etag(export: ExportRecord) -> str:
    """The version of the file. Each attempt writes another one."""
    return f'"{export.attempt}"'


def _headers(export: ExportRecord) -> dict[str, str]:
    plan = ExportPlan.from_json(export.plan)
    return {
        "Content-Type": _MEDIA_TYPES[plan.format],
        "Content-Disposition": _disposition(export.list_name, plan.format.lower()),
        "Accept-Ranges": "bytes",
        "ETag": _etag(export),
    }


def _disposition(list_name: str, ending: str) -> str:
    """Tells browsers to save the file, and under which name: that of the list, without what is special in names of files."""
    name = _UNSAFE.sub("_", list_name)[:_NAME_CHARACTERS].strip(". ") or "export"
    plain = re.sub(r"[^A-Za-z0-9 ._-]", "_", name)
    return f"attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{quote(name, safe='')}.{ending}"


def _refusal(status: HTTPStatus, message: str, **headers: str) -> Response:
    return JSONResponse(
        {"error": message}, status, {name: it for name, it in headers.items() if name != "Content-Type"}
    )
