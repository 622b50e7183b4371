"""Finds the texts of trusted documents by their hashes, and remembers them for a short time, so that a known hash costs no statement."""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage import trusted_documents

REMEMBERED_SECONDS: Final = 3.0
"""How long a process runs a document that was withdrawn elsewhere. It is the same time as for a revoked token."""
REMEMBERED_CHARACTERS: Final = 8_000_000
_HASH: Final = re.compile(r"[0-9a-f]{64}")


def hash_of(text: str) -> str:
    """The SHA-256 of a document's text in UTF-8, in hexadecimal digits."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def is_hash(text: str) -> bool:
    """Whether a text has the form of such a hash."""
    return _HASH.fullmatch(text) is not None


class TrustedTexts:
    """The trusted documents that a process has looked up, of all workspaces. It remembers those used last, up to a number of characters."""

    def __init__(
        self,
        ports: Ports,
        now: Callable[[], float] = time.monotonic,
        *,
        of_console: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._ports = ports
        self._now = now
        self.of_console = of_console
        """The text of the console's document with this hash; None if the console does not send it. The same in every workspace."""
        self._remembered: OrderedDict[tuple[int, str], tuple[float, str]] = OrderedDict()
        self._characters = 0

    def remembered(self, workspace_id: int, sha256: str) -> str | None:
        """The text of the document with this hash, if it was looked up a moment ago."""
        key = workspace_id, sha256
        found = self._remembered.get(key)
        if found is None or found[0] <= self._now():
            return None
        self._remembered.move_to_end(key)
        return found[1]

    async def find(self, workspace_id: int, sha256: str) -> str | None:
        """The text of the document with this hash; None if the workspace does not trust it, or if the text is no hash."""
        text = self.remembered(workspace_id, sha256)
        if text is not None or not is_hash(sha256):
            return text
        key = workspace_id, sha256
        now, found = self._now(), self._remembered.get(key)
        text = await trusted_documents.text_of(self._ports.database, workspace_id, sha256)
        self._forget(key)
        if text is not None:
            # A hash names one text for ever. The text of before is kept, because Python has hashed it already.
            self._remember(key, now, text if found is None else found[1])
        return text

    async def has_any(self, workspace_id: int) -> bool:
        """Whether the workspace trusts any document."""
        return await trusted_documents.has_any(self._ports.database, workspace_id)

    def _remember(self, key: tuple[int, str], now: float, text: str) -> None:
        self._remembered[key] = now + REMEMBERED_SECONDS, text
        self._characters += len(text)
        while self._characters > REMEMBERED_CHARACTERS:
            self._forget(next(iter(self._remembered)))

    def _forget(self, key: tuple[int, str]) -> None:
        forgotten = self._remembered.pop(key, None)
        if forgotten is not None:
            self._characters -= len(forgotten[1])
