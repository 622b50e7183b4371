"""Reads the credentials that a request or socket brings, the same on both."""

from __future__ import annotations

import asyncio
from typing import Final

from audience_gql.audience.access import Access, Doorkeeper, Unauthenticated
from audience_gql.storage.database import UNREACHABLE

RECHECK_SECONDS: Final = 2.0
"""Together with the three seconds for which a good token is remembered, a revoked one is out within five."""


async def authorize(doorkeeper: Doorkeeper, authorization: object) -> Access:
    """What `Bearer agq_…` opens. Raises Unauthenticated for anything that opens nothing."""
    return await doorkeeper.authenticate(secret_of(authorization))


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
