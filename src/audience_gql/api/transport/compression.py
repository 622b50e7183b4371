"""Compresses an answer for a client that accepts it. It must not be used for streams, whose parts have to arrive as they are sent."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from audience_gql.api.transport.exchange import Header

LEAST_BYTES: Final = 1_024
"""A smaller answer fits into one packet as it is."""
ASIDE_BYTES: Final = 262_144
"""A larger answer is compressed beside the event loop: a megabyte takes 7 ms, in which nobody else's request would go on. A thread costs 0.05 ms."""
_LEVEL: Final = 3
"""Of 9. Higher levels make answers of this API hardly any smaller: 100 kB of members become 23 kB at level 3, and 21 kB at level 9 in six times as long."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_ANY: Final = "*"
_VARIES: Final[Header] = (b"vary", b"accept-encoding")
_IS_GZIP: Final[Header] = (b"content-encoding", b"gzip")


async def compressed(body: bytes, accept_encoding: str) -> tuple[bytes, tuple[Header, ...]]:
    """The body as it is sent to a client with this Accept-Encoding, and the headers that say so."""
    if len(body) < LEAST_BYTES:
        return body, ()
    if not _accepts_gzip(accept_encoding):
        return body, (_VARIES,)
    packed = _packed(body) if len(body) < ASIDE_BYTES else await asyncio.to_thread(_packed, body)
    return packed, (_IS_GZIP, _VARIES)


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()


def _accepts_gzip(accept_encoding: str) -> bool:
    """Whether `gzip` or else `*` is accepted with a weight above 0, as RFC 9110 defines them."""
    weights = {}
    for offer in accept_encoding.lower().split(","):
        coding, _, parameters = offer.partition(";")
        weights[coding.strip()] = _weight(parameters)
    return weights.get("gzip", weights.get("x-gzip", weights.get(_ANY, 0.0))) > 0


def _weight(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
