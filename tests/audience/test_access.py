"""Tokens open one workspace, within their scopes, until they expire or are revoked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from audience_gql.audience.access import Doorkeeper, Unauthenticated, create_token
from audience_gql.audience.failures import InvalidInput
from audience_gql.storage.orm.models import ApiToken


async def make(house, **options):
    return await create_token(
        ports=house.ports, workspace=house.workspace, **({"name": "t", "scopes": ["READ"]} | options)
    )


async def test_a_token_opens_its_workspace_within_its_scopes(house):
    _, secret = await make(house, scopes=["READ", "TRACK"])

    access = await Doorkeeper(house.ports).authenticate(secret)

    assert access.workspace.id == house.workspace.id
    assert [access.allows(scope) for scope in ("READ", "WRITE", "TRACK", "ADMIN")] == [
        True,
        False,
        True,
        False,
    ]


async def test_admin_may_do_everything(house):
    _, secret = await make(house, scopes=["ADMIN"])

    access = await Doorkeeper(house.ports).authenticate(secret)

    assert all(access.allows(scope) for scope in ("READ", "WRITE", "TRACK"))


async def test_only_a_hash_is_kept(house):
    token, secret = await make(house)

    stored = await ApiToken.get(id=token.id)

    assert secret.startswith(f"agq_{token.prefix}_")
    assert secret.encode() not in stored.secret_hash


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda s: s[:-1],
        lambda s: s[:-1] + ("0" if s[-1] != "0" else "1"),
        lambda s: s.replace("agq_", "xyz_"),
        lambda s: s + "\x00",
    ],
)
async def test_anything_else_opens_nothing(house, spoil):
    _, secret = await make(house)

    with pytest.raises(Unauthenticated):
        await Doorkeeper(house.ports).authenticate(spoil(secret))


async def test_an_expired_or_revoked_token_opens_nothing(house):
    _, expired = await make(house, expires_at=house.clock.instant + timedelta(minutes=1))
    token, revoked = await make(house)
    house.clock.advance(timedelta(minutes=1))
    token.revoked_at = datetime.now(UTC)
    await token.save()

    for secret in (expired, revoked):
        with pytest.raises(Unauthenticated):
            await Doorkeeper(house.ports).authenticate(secret)


async def test_a_remembered_token_is_looked_up_again_soon(house, monkeypatch):
    keeper = Doorkeeper(house.ports)
    token, secret = await make(house)
    await keeper.authenticate(secret)
    token.revoked_at = house.clock.instant - timedelta(days=1)
    await token.save()

    monkeypatch.setattr("audience_gql.audience.access.time.monotonic", lambda: 1e12)

    with pytest.raises(Unauthenticated):
        await keeper.authenticate(secret)


async def test_many_requests_of_one_token_look_it_up_once(house, monkeypatch):
    """They come before it is known whose they are: each with a connection of its own would keep all others from theirs."""
    _, secret = await make(house)
    looked: list[bytes] = []
    honest = Doorkeeper._look_up

    async def noting(doorkeeper, prefix, digest, asked):
        looked.append(digest)
        return await honest(doorkeeper, prefix, digest, asked)

    monkeypatch.setattr(Doorkeeper, "_look_up", noting)
    doorkeeper = Doorkeeper(house.ports)
    first = asyncio.create_task(doorkeeper.authenticate(secret))
    await asyncio.sleep(0)
    first.cancel()  # the others do not end with whoever asked first

    found = await asyncio.gather(*(doorkeeper.authenticate(secret) for _ in range(200)))

    assert {access.workspace.id for access in found} == {house.workspace.id}
    assert len(looked) == 1


async def test_scopes_are_checked(house):
    with pytest.raises(InvalidInput) as refused:
        await make(house, scopes=["ROOT"])

    assert refused.value.issues[0].path == ("scopes",)
