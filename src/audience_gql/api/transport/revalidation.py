"""Lets a client keep the answer to a trusted query by GET, and ask each time whether it still holds.

Answers belong to one token and are exact at every instant, so a cache must ask before each use. That costs the query, but not the transfer.
"""

from __future__ import annotations

from hashlib import blake2b
from http import HTTPStatus
from typing import Final

from strawberry.types import ExecutionResult

from audience_gql.api.transport.exchange import Header
from audience_gql.api.transport.replies import Reply
from audience_gql.api.transport.requests import EVENT_STREAM
from audience_gql.api.transport.wire import encode

_KEPT: Final[Header] = (b"cache-control", b"private, no-cache")
_VARIES: Final[Header] = (b"vary", b"authorization, accept")
_ANY: Final = "*"
_BYTES: Final = 16


def revalidated(reply: Reply, result: ExecutionResult, media_type: str, if_none_match: str) -> Reply:
    """The reply with an ETag, or one without a body if the client has the same data already. An answer with errors stays as it is."""
    if result.errors or media_type == EVENT_STREAM:
        return reply
    # Of the data alone: the encoding of the body may differ, and what an operation cost may, too.
    etag = f'W/"{blake2b(encode(result.data), digest_size=_BYTES).hexdigest()}"'
    headers: tuple[Header, ...] = (_KEPT, _VARIES, (b"etag", etag.encode()))
    if _names(if_none_match, etag):
        return Reply.without_body(HTTPStatus.NOT_MODIFIED, headers)
    reply.headers.extend(headers)
    return reply


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the header names this ETag. The comparison is weak, as RFC 9110 requires for this header."""
    opaque = etag.removeprefix("W/")
    offers = [offer.strip() for offer in if_none_match.split(",")]
    return any(offer == _ANY or offer.removeprefix("W/") == opaque for offer in offers)
