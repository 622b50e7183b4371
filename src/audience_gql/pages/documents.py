"""The documents that the console of this release sends: what the build wrote beside the page."""

from __future__ import annotations

import json
from typing import Final

from audience_gql.pages.serving import CONSOLE, built

_MANIFEST: Final = "persisted-documents.json"


class ConsoleDocuments:
    """The texts of the console's documents by their SHA-256. It reads them again when the page was built again while the process runs."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._read_at: int | None = None
        """When the file that was read was written, in nanoseconds."""
        self._read()

    def text_of(self, sha256: str) -> str | None:
        """The document with this hash; None if the console does not send it."""
        text = self._texts.get(sha256)
        if text is None and self._read():
            text = self._texts.get(sha256)
        return text

    def _read(self) -> bool:
        """Read the file if it is another one than last time. Returns whether it was."""
        file = built(CONSOLE) / _MANIFEST
        try:
            written_at = file.stat().st_mtime_ns
            if written_at == self._read_at:
                return False
            texts = json.loads(file.read_bytes())
        except FileNotFoundError:  # the page is not built, or is being replaced
            return False
        self._texts, self._read_at = texts, written_at
        return True
