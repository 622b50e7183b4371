"""Reads the credentials of a request or websocket, the same for both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from audience_gql.audience.access import Access, Doorkeeper, Unauthenticated
from audience_gql.audience.callers import Asked
from audience_gql.storage.postgres.database import UNREACHABLE

RECHECK_SECONDS: Final = 2.0
"""A revoked token loses its connections within five seconds: these two, and three for which a valid token is remembered. An expired one within two."""


async def authorize(doorkeeper: Doorkeeper, authorization: object, asked: Asked) -> Access:
    """The access that `Bearer agq_…` grants to this caller. Raises Unauthenticated."""
    return await doorkeeper.authenticate(secret_of(authorization), asked)


def offered(payload: Mapping[str, object], upgrade: str | None) -> object:
    """The Authorization value of a websocket's client, or None.

    The payload of `connection_init` comes first, then the `headers` that some clients put into it, then the header of the upgrade
    request. The case of the names does not matter. A browser does not send this header by itself, so it proves as much as the payload.
    """
    headers = payload.get("headers")
    for place in (payload, headers if isinstance(headers, Mapping) else {}):
        for name, value in place.items():
            if name.lower() == "authorization" and value is not None:
                return value
    return upgrade


def secret_of(authorization: object) -> str:
    """The token in an Authorization value. Raises Unauthenticated if there is none."""
    scheme, _, secret = authorization.partition(" ") if isinstance(authorization, str) else ("", "", "")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated
    return secret.strip()


async def refusal(doorkeeper: Doorkeeper, secret: str, asked: Asked) -> None:
    """Wait until a valid token becomes invalid. While Postgres is away, it keeps waiting."""
    while True:
        await asyncio.sleep(RECHECK_SECONDS)
        try:
            await doorkeeper.authenticate(secret, asked)
        except Unauthenticated:
            return
        except UNREACHABLE:
            continue
