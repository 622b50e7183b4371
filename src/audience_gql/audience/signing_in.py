"""Signs a browser in with a link that works once: the code in it is exchanged for a token.

A code is kept for ten minutes, by its hash. The token beside it can only be read with the code itself.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final, Protocol

CODE_SECONDS: Final = 600
"""How long a code can be exchanged."""
MOST_CODES: Final = 20
"""How many codes a token may get within CODE_SECONDS. Otherwise its holder could fill the memory in which codes are kept."""


class CodeRefused(Exception):
    """The code is unknown, or was used, or is too old. The caller does not learn which."""


class TooManyCodes(Exception):
    """The token has had as many codes as it may have at present."""


class CodesAway(Exception):
    """The place where codes are kept does not answer. A token still signs in."""


class Codes(Protocol):
    """Where codes are kept for a few minutes, for all web processes. If it loses one, a link stops working. All methods raise CodesAway."""

    async def count(self, owner: str, *, seconds: int) -> int:
        """How many codes this owner has asked for within these seconds, with this one."""
        ...

    async def keep(self, digest: str, sealed: bytes, *, seconds: int) -> None:
        """Keep what is sealed under the digest of its code, for these seconds."""
        ...

    async def take(self, digest: str) -> bytes | None:
        """What is kept under this digest. Only one caller ever gets it."""
        ...


async def issue_code(*, codes: Codes, token: str) -> str:
    """A new code for this token, which the caller has authenticated. Raises TooManyCodes, CodesAway."""
    if await codes.count(_digest(token), seconds=CODE_SECONDS) > MOST_CODES:
        raise TooManyCodes
    code = secrets.token_urlsafe(32)
    await codes.keep(_digest(code), _sealed(token.encode(), code), seconds=CODE_SECONDS)
    return code


async def redeem_code(*, codes: Codes, code: str) -> str:
    """The token of this code, which is used up by this. Raises CodeRefused, CodesAway."""
    sealed = await codes.take(_digest(code))
    if sealed is None:
        raise CodeRefused
    return _sealed(sealed, code).decode()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _sealed(text: bytes, code: str) -> bytes:
    """The text under a pad that is made from the code, or out of it again. A code is random and used for one text, so the pad is, too."""
    pad = hashlib.shake_256(b"sign-in\0" + code.encode()).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, pad, strict=True))
