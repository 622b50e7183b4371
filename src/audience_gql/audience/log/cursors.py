"""Feed cursors: a reader's position in every bucket of one log. They are signed, so that forged and foreign cursors are refused."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from audience_gql.storage.orm.models import Workspace

_SIGNATURE_BYTES: Final = 16
_FORMAT: Final = 2


class CursorInvalid(Exception):
    """The cursor was made by another installation or for another workspace."""


class CursorOutdated(CursorInvalid):
    """The cursor belongs to the log before the database was restored. That log has diverged from the present one."""


class CursorExpired(Exception):
    """The changes after this cursor are not in the log, or no longer. `oldest` is the oldest usable cursor."""

    def __init__(self, oldest: str) -> None:
        super().__init__(
            "the log no longer holds the changes after this cursor; take a snapshot and continue from `oldestCursor`"
        )
        self.oldest = oldest


@dataclass(frozen=True, slots=True)
class CursorCodec:
    """Encodes and decodes cursors. The first key signs and all keys verify, so that a key can be rotated."""

    keys: Sequence[str]

    def encode(
        self, workspace: Workspace, positions: Mapping[int, int], *, message: int | None = None
    ) -> str:
        """The cursor of these positions by bucket. `message` makes the cursors of webhooks with the same positions different."""
        parts = [_FORMAT, workspace.id, workspace.log_epoch, sorted(positions.items())]
        body = orjson.dumps(parts if message is None else [*parts, message])
        return base64.urlsafe_b64encode(_sign(self.keys[0], body) + body).rstrip(b"=").decode()

    def decode(self, workspace: Workspace, cursor: str) -> dict[int, int]:
        """The positions by bucket. Raises CursorInvalid, CursorOutdated."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise CursorInvalid("this is not a cursor") from error
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not any(hmac.compare_digest(_sign(key, body), signature) for key in self.keys):
            raise CursorInvalid("this is not a cursor")
        form, owner, *rest = orjson.loads(body)
        if form != _FORMAT or owner != workspace.id:
            raise CursorInvalid("this is not a cursor")
        epoch, positions, *_ = rest
        if epoch != workspace.log_epoch:
            raise CursorOutdated("this cursor is from before the database was restored")
        return dict(positions)


def _sign(key: str, body: bytes) -> bytes:
    return hmac.new(key.encode(), body, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
