"""Reads the credentials that a request or socket brings, the same on both."""

from __future__ import annotations

from audience_gql.audience.access import Access, Doorkeeper, Unauthenticated


async def authorize(doorkeeper: Doorkeeper, authorization: object) -> Access:
    """What `Bearer agq_…` opens. Raises Unauthenticated for anything that opens nothing."""
    return await doorkeeper.authenticate(secret_of(authorization))


def secret_of(authorization: object) -> str:
    """The token in an Authorization value. Raises Unauthenticated when there is none."""
    scheme, _, secret = authorization.partition(" ") if isinstance(authorization, str) else ("", "", "")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated
    return secret.strip()
