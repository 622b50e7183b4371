"""The two requests of signing in with a link: a program asks for the code of a link, and the console exchanges the code for the token.

A token is only ever in a header or a body, and a code only in a body: the link has it behind `#`, which a browser sends to nobody.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from audience_gql.api.context import Services
from audience_gql.api.errors import RETRY_AFTER_SECONDS
from audience_gql.api.transport.authorization import authorize, secret_of
from audience_gql.api.transport.callers import caller_of
from audience_gql.api.transport.wire import Unreadable, decode
from audience_gql.audience.access import Unauthenticated
from audience_gql.audience.signing_in import (
    CODE_SECONDS,
    CodeRefused,
    Codes,
    CodesAway,
    TooManyCodes,
    issue_code,
    redeem_code,
)

_BODY_BYTES: Final = 1_000
_AWAY: Final = "links do not work at present, because Redis does not answer; sign in with a token"


async def send_code(request: Request, services: Services, codes: Codes) -> Response:
    """A code for the token in the header, and for how many seconds it works."""
    authorization = request.headers.get("authorization")
    try:
        await authorize(
            services.doorkeeper, authorization, partial(caller_of, request.scope, services.settings.proxies)
        )
        code = await issue_code(codes=codes, token=secret_of(authorization))
    except Unauthenticated:
        message = "send a good token: `Authorization: Bearer agq_…`"
        return _refusal(HTTPStatus.UNAUTHORIZED, message, {"WWW-Authenticate": "Bearer"})
    except TooManyCodes:
        message = f"this token had too many links in the last {CODE_SECONDS // 60} minutes"
        return _refusal(HTTPStatus.TOO_MANY_REQUESTS, message, {"Retry-After": str(CODE_SECONDS)})
    except CodesAway:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, _AWAY, {"Retry-After": str(RETRY_AFTER_SECONDS)})
    return JSONResponse({"code": code, "seconds": CODE_SECONDS})


async def send_token(request: Request, services: Services, codes: Codes) -> Response:
    """The token of the code in the body, which works once."""
    try:
        async with asyncio.timeout(services.settings.request_seconds):
            code = await _code_of(request)
    except (_NoCode, TimeoutError):
        return _refusal(HTTPStatus.BAD_REQUEST, 'send {"code": "…"} as application/json')
    try:
        token = await redeem_code(codes=codes, code=code)
    except CodeRefused:
        message = "this link was used already, or is older than ten minutes; get another one, or sign in with a token"
        return _refusal(HTTPStatus.GONE, message)
    except CodesAway:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, _AWAY, {"Retry-After": str(RETRY_AFTER_SECONDS)})
    return JSONResponse({"token": token})


class _NoCode(Exception):
    """The body has no code."""


async def _code_of(request: Request) -> str:
    """The code in the body. A page of another origin cannot send this media type without being asked first. Raises _NoCode."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _NoCode
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise _NoCode
    try:
        given = decode(bytes(body))
    except Unreadable as error:
        raise _NoCode from error
    code = given.get("code") if isinstance(given, dict) else None
    if not isinstance(code, str) or not code.isascii():
        raise _NoCode
    return code


def _refusal(status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers)
