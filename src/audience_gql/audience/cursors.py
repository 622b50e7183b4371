"""Feed cursors: where a reader is in every bucket, signed, so that a forged or foreign one is told from a good one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

_SIGNATURE_BYTES: Final = 16
_FORMAT: Final = 1


class CursorInvalid(Exception):
    """The cursor was not made by this installation, or not for this workspace."""


class CursorExpired(Exception):
    """The log no longer reaches back to the cursor. `oldest` is the oldest usable one."""

    def __init__(self, oldest: str) -> None:
        super().__init__(
            "the log no longer reaches back to this cursor; take a snapshot and go on from `oldestCursor`"
        )
        self.oldest = oldest


@dataclass(frozen=True, slots=True)
class CursorCodec:
    """The first key signs, all verify, so that a key can be rotated."""

    keys: Sequence[str]

    def encode(self, workspace_id: int, positions: Mapping[int, int]) -> str:
        body = orjson.dumps([_FORMAT, workspace_id, sorted(positions.items())])
        return base64.urlsafe_b64encode(_sign(self.keys[0], body) + body).rstrip(b"=").decode()

    def decode(self, workspace_id: int, cursor: str) -> dict[int, int]:
        """The positions by bucket. Raises CursorInvalid."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise CursorInvalid("this is not a cursor") from error
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not any(hmac.compare_digest(_sign(key, body), signature) for key in self.keys):
            raise CursorInvalid("this is not a cursor")
        form, owner, positions = orjson.loads(body)
        if form != _FORMAT or owner != workspace_id:
            raise CursorInvalid("this is not a cursor")
        return dict(positions)


def _sign(key: str, body: bytes) -> bytes:
    return hmac.new(key.encode(), body, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
