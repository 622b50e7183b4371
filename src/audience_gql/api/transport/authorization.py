"""Reads the credentials that a request or socket brings, the same on both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from audience_gql.audience.access import Access, Doorkeeper, Unauthenticated
from audience_gql.storage.database import UNREACHABLE

RECHECK_SECONDS: Final = 2.0
"""Together with the three seconds for which a good token is remembered, a revoked one is out within five. An expired one is out within two."""


async def authorize(doorkeeper: Doorkeeper, authorization: object) -> Access:
    """What `Bearer agq_…` opens. Raises Unauthenticated for anything that opens nothing."""
    return await doorkeeper.authenticate(secret_of(authorization))


def offered(payload: Mapping[str, object], upgrade: str | None) -> object:
    """The Authorization value that a socket's client offers; None for none.

    The payload of `connection_init` wins, then the `headers` that some clients put into it, then the header of the upgrade request.
    Names are taken in upper and lower case. Nobody's browser sends such a header by itself, so it proves as much as the payload does.
    """
    headers = payload.get("headers")
    for place in (payload, headers if isinstance(headers, Mapping) else {}):
        for name, value in place.items():
            if name.lower() == "authorization" and value is not None:
                return value
    return upgrade


def secret_of(authorization: object) -> str:
    """The token in an Authorization value. Raises Unauthenticated when there is none."""
    scheme, _, secret = authorization.partition(" ") if isinstance(authorization, str) else ("", "", "")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated
    return secret.strip()


async def refusal(doorkeeper: Doorkeeper, secret: str) -> None:
    """Wait until a good token is good no longer. Postgres being away changes nothing."""
    while True:
        await asyncio.sleep(RECHECK_SECONDS)
        try:
            await doorkeeper.authenticate(secret)
        except Unauthenticated:
            return
        except UNREACHABLE:
            continue
