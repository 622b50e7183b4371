"""Creates, checks and revokes API tokens. A token opens one workspace. Only its hash is stored; the token itself is shown once.

A token has the form agq_<8 characters of name>_<32 of secret><6 of checksum>, so that leaked tokens and typing errors can be recognised.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import string
import time
import zlib
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from audience_gql.audience.callers import Asked, Caller, admits, kept_networks
from audience_gql.audience.failures import InvalidInput, Issue, NotFound
from audience_gql.audience.names import name_issues
from audience_gql.audience.people.keys import Unset
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.actors import Actor
from audience_gql.audience.trail.entries import Change, record
from audience_gql.storage import definitions
from audience_gql.storage.orm.models import ApiToken, Workspace
from audience_gql.storage.postgres.database import BUSY, Transaction, Unavailable
from audience_gql.storage.turns.fair_queue import Asker

SCOPES: Final = ("READ", "WRITE", "TRACK", "ADMIN")
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_TOKEN: Final = re.compile(r"agq_([0-9A-Za-z]{8})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})")
_REMEMBERED: Final = 10_000
_REMEMBERED_SECONDS: Final = 3.0
_USE_SECONDS: Final = 60
DEFAULT_DAYS: Final = 90
"""After how many days a token expires that somebody creates over the API without saying when."""


class Unauthenticated(Exception):
    """The token is missing, unknown, expired or revoked. The caller does not learn which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a token opens: one workspace, within the token's scopes."""

    workspace: Workspace
    token: ApiToken
    asker: Asker = field(init=False, repr=False, compare=False)
    """The token as queues count it."""

    def __post_init__(self) -> None:
        asker = Asker(workspace_id=self.workspace.id, token_id=self.token.id)
        object.__setattr__(self, "asker", asker)

    @property
    def actor(self) -> Actor:
        """The token as the audit trail names it."""
        return Actor(kind="TOKEN", name=self.token.name, token_id=self.token.id)

    def allows(self, scope: str) -> bool:
        """Whether the token has this scope. ADMIN includes all scopes."""
        return scope in self.token.scopes or "ADMIN" in self.token.scopes


def _nobody() -> Caller:
    """A caller of whom nothing is known: the program itself."""
    return Caller(address=None, agent=None)


class Doorkeeper:
    """Checks tokens. It remembers a valid token for three seconds at most, and never past its expiry. So a revoked token is refused soon."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._remembered: OrderedDict[bytes, tuple[float, Access]] = OrderedDict()
        self._lookups: dict[bytes, asyncio.Task[Access]] = {}
        """Lookups under way, by the token's hash. The database's time limits end each of them."""

    async def authenticate(self, secret: str, asked: Asked = _nobody) -> Access:
        """What this token opens for this caller. A token that networks bind opens nothing to somebody unknown.

        Raises Unauthenticated, Unavailable.
        """
        known = self.recall(secret, asked)
        if known is not None:
            return known
        digest = _hash(secret)
        match = _TOKEN.fullmatch(secret)
        if match is None or _checksum(secret[:-6]) != match[3]:
            raise Unauthenticated
        self._remembered.pop(digest, None)
        if digest not in self._lookups:
            # Concurrent requests with one token share one lookup. Otherwise each would take a connection before any limit per token applies.
            lookup = asyncio.create_task(self._look_up_and_remember(match[1], digest, asked), name="token")
            lookup.add_done_callback(lambda _: self._lookups.pop(digest))
            self._lookups[digest] = lookup
        return _admitted(await asyncio.shield(self._lookups[digest]), asked)

    def recall(self, secret: str, asked: Asked) -> Access | None:
        """What this token opens, if that is remembered. Raises Unauthenticated for a caller whom its networks do not admit."""
        remembered = self._remembered.get(_hash(secret))
        if remembered is None or remembered[0] <= time.monotonic():
            return None
        return _admitted(remembered[1], asked)

    async def _look_up_and_remember(self, prefix: str, digest: bytes, asked: Asked) -> Access:
        begun = time.monotonic()
        access, seconds = await self._look_up(prefix, digest, asked)
        if admits(
            access.token.networks, asked()
        ):  # otherwise nobody has used it, and the next caller's use is noted
            self._remembered[digest] = (begun + seconds, access)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return access

    async def _look_up(self, prefix: str, digest: bytes, asked: Asked) -> tuple[Access, float]:
        """What the token opens, and for how many seconds that may be remembered."""
        try:
            return await self._read(prefix, digest, asked)
        except BUSY as error:  # if reading one row takes too long, nothing else would succeed
            raise Unavailable("the token could not be looked up in time") from error

    async def _read(self, prefix: str, digest: bytes, asked: Asked) -> tuple[Access, float]:
        async with self._ports.database.transaction() as transaction:
            now = await self._ports.clock.now(transaction.connection)
            token = await ApiToken.get_or_none(prefix=prefix)
            known = token.secret_hash if token is not None else bytes(len(digest))
            if not hmac.compare_digest(known, digest) or token is None or not _is_valid(token, now):
                raise Unauthenticated
            await _note_use(token, asked, now)
            workspace = await Workspace.get(id=token.workspace_id)
        left = _REMEMBERED_SECONDS if token.expires_at is None else (token.expires_at - now).total_seconds()
        return Access(workspace=workspace, token=token), min(left, _REMEMBERED_SECONDS)


def _admitted(access: Access, asked: Asked) -> Access:
    """The same access, if the token's networks admit the caller. Raises Unauthenticated."""
    if access.token.networks is not None and not admits(access.token.networks, asked()):
        raise Unauthenticated
    return access


async def _note_use(token: ApiToken, asked: Asked, now: datetime) -> None:
    """Remember when, from where and by what kind of program the token was used, at most once a minute. A caller who is refused does not count."""
    if token.last_used_at is not None and (now - token.last_used_at).total_seconds() <= _USE_SECONDS:
        return
    caller = asked()
    if admits(token.networks, caller):
        token.last_used_at = now
        token.last_used_address = None if caller.address is None else str(caller.address)
        token.last_used_agent = caller.agent
        await token.save(update_fields=["last_used_at", "last_used_address", "last_used_agent"])


async def good_tokens(*, ports: Ports, token_ids: Collection[int]) -> frozenset[int]:
    """Which of these tokens are still valid: neither revoked nor expired."""
    async with ports.database.acquire() as connection:
        now = await ports.clock.now(connection)
        return await definitions.good_tokens(connection, token_ids, now)


async def create_token(
    *,
    ports: Ports,
    workspace: Workspace,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | Unset | None = None,
    networks: Sequence[str] | None = None,
    only_trusted_documents: bool = False,
    with_console_documents: bool = False,
) -> tuple[ApiToken, str]:
    """Create a token. Returns it and its text, which is available only here. Raises InvalidInput.

    With UNSET, it expires after DEFAULT_DAYS; with None, never. `networks` are those from which it may be used; None for all.
    With `only_trusted_documents`, it runs no other documents; with `with_console_documents`, those of the console, too.

    Existing tokens stay valid. To replace one, create another token, and revoke the old one when nobody uses it any more.
    """
    issues = name_issues(name)
    if not scopes:
        issues.append(Issue(code="REQUIRED", message="name at least one scope", path=("scopes",)))
    if any(scope not in SCOPES for scope in scopes):
        issues.append(Issue(code="UNKNOWN", message=f"scopes are {', '.join(SCOPES)}", path=("scopes",)))
    if with_console_documents and not only_trusted_documents:
        message = "only a token that is limited to trusted documents has this choice: others run any document"
        issues.append(Issue(code="CONFLICT", message=message, path=("with_console_documents",)))
    kept = kept_networks(networks, issues)
    if issues:
        raise InvalidInput(tuple(issues))
    prefix, secret = _make()

    async def work(transaction: Transaction) -> ApiToken:
        now = await ports.clock.now(transaction.connection)
        ends_at = now + timedelta(days=DEFAULT_DAYS) if isinstance(expires_at, Unset) else expires_at
        if ends_at is not None and ends_at <= now:
            message = "a token must expire in the future"
            raise InvalidInput((Issue(code="OUT_OF_RANGE", message=message, path=("expires_at",)),))
        token = await ApiToken.create(
            id=await ports.database.ids.one(transaction.connection),
            workspace_id=workspace.id,
            name=name.strip(),
            prefix=prefix,
            secret_hash=_hash(secret),
            scopes=list(dict.fromkeys(scopes)),
            created_at=now,
            expires_at=ends_at,
            networks=kept,
            only_trusted_documents=only_trusted_documents,
            with_console_documents=with_console_documents,
        )
        await record(ports, transaction, workspace.id, now, _creation(token))
        return token

    return await ports.database.run(work), secret


async def rotate_token(
    *, ports: Ports, workspace: Workspace, token_id: int | None, overlap: timedelta
) -> tuple[ApiToken, str]:
    """Create a token with the name, scopes, limits and length of life of another one, which ends after the overlap.

    Returns the new token and its text, which is available only here. Raises NotFound, also for a token that is revoked.
    """
    prefix, secret = _make()

    async def work(transaction: Transaction) -> ApiToken:
        now = await ports.clock.now(transaction.connection)
        old = await _locked(workspace, token_id)
        life = None if old.expires_at is None else old.expires_at - old.created_at
        new = await ApiToken.create(
            id=await ports.database.ids.one(transaction.connection),
            workspace_id=workspace.id,
            name=old.name,
            prefix=prefix,
            secret_hash=_hash(secret),
            scopes=old.scopes,
            created_at=now,
            expires_at=None if life is None else now + life,
            networks=old.networks,
            only_trusted_documents=old.only_trusted_documents,
            with_console_documents=old.with_console_documents,
        )
        before = portraits.of_token(old)
        old.expires_at = min(now + overlap, old.expires_at or now + overlap)
        await old.save(update_fields=["expires_at"])
        rotation = Change(
            kind="API_TOKEN_ROTATED",
            object_id=old.id,
            object_name=old.name,
            before=before,
            after=portraits.of_token(old),
        )
        await record(ports, transaction, workspace.id, now, rotation, _creation(new))
        return new

    return await ports.database.run(work), secret


async def revoke_token(*, ports: Ports, workspace: Workspace, token_id: int | None) -> None:
    """Refuse a token from now on, permanently. Its sockets close within seconds.

    Raises NotFound, also for a token that is already revoked.
    """

    async def work(transaction: Transaction) -> None:
        now = await ports.clock.now(transaction.connection)
        token = await _locked(workspace, token_id)
        token.revoked_at = now
        await token.save(update_fields=["revoked_at"])
        change = Change(
            kind="API_TOKEN_REVOKED",
            object_id=token.id,
            object_name=token.name,
            before=portraits.of_token(token),
        )
        await record(ports, transaction, workspace.id, now, change)

    await ports.database.run(work)


async def _locked(workspace: Workspace, token_id: int | None) -> ApiToken:
    """A token that nobody else revokes before the end of the transaction. Raises NotFound."""
    rows = ApiToken.filter(id=token_id, workspace_id=workspace.id, revoked_at__isnull=True)
    token = None if token_id is None else await rows.select_for_update().first()
    if token is None:
        raise NotFound("there is no token with this id", ("id",))
    return token


def _creation(token: ApiToken) -> Change:
    after = portraits.of_token(token)
    return Change(kind="API_TOKEN_CREATED", object_id=token.id, object_name=token.name, after=after)


def _make() -> tuple[str, str]:
    prefix, secret = _random(8), _random(32)
    body = f"agq_{prefix}_{secret}"
    return prefix, body + _checksum(body)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(6):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def _hash(secret: str) -> bytes:
    """A secret of 32 random characters needs no slow hash, because nobody can guess 190 bits."""
    return hashlib.sha256(secret.encode()).digest()


def _is_valid(token: ApiToken, now: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)
