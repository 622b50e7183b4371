"""Reads an import's file from its pieces in the database, and returns the next records.

Memory holds a window of the file, never the whole file. This module must not write anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Final

from audience_gql.audience.imports.headers import refuse_foreign
from audience_gql.audience.imports.lifecycle import PIECE_BYTES
from audience_gql.audience.imports.records import RECORD_BYTES, TOO_LONG, Reader, Record, Unreadable
from audience_gql.audience.people.subscribers import BATCH_LIMIT
from audience_gql.storage.imports import import_files
from audience_gql.storage.imports.imports import ImportRecord
from audience_gql.storage.postgres.database import Connection

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_WINDOW_BYTES: Final = 2 * RECORD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The next records, and the import's position after them."""

    records: list[Record]
    end: int
    """Where the next batch begins, in bytes from the start of the file."""
    end_line: int
    is_end: bool
    """Whether the whole file has been read."""


class Window:
    """The part of one file that is in memory. It begins at the import's position and has room for the longest record."""

    def __init__(self) -> None:
        self._start = 0
        self._content = b""

    async def next_batch(self, connection: Connection, of: ImportRecord) -> Batch:
        """The header alone, or up to 1,000 rows. No records if only blank rows were found. Raises Unreadable."""
        await self._move(connection, of)
        if of.bytes_read == 0:
            refuse_foreign(self._content)
        reader = Reader(
            self._content,
            start=self._start,
            lines_before=of.lines_read,
            delimiter=of.plan["delimiter"],
            is_last=self._end >= of.bytes,
        )
        found = list(islice(reader, 1 if of.header is None else BATCH_LIMIT))
        if not found and reader.is_stuck:
            return await self._pass_over_line(connection, of)
        return Batch(records=found, end=reader.end, end_line=reader.end_line, is_end=reader.is_at_end)

    async def _move(self, connection: Connection, of: ImportRecord) -> None:
        if self._start <= of.bytes_read <= self._end:
            self._content = self._content[of.bytes_read - self._start :]
            self._start = of.bytes_read
        else:
            self._start, self._content = floor(of.bytes_read), b""
        if len(self._content) <= RECORD_BYTES and self._end < of.bytes:
            self._content += await _read(connection, of, self._end, _WINDOW_BYTES)
        if self._start < of.bytes_read:
            self._content = self._content[of.bytes_read - self._start :]
            self._start = of.bytes_read

    async def _pass_over_line(self, connection: Connection, of: ImportRecord) -> Batch:
        """Refuse a line that is longer than the window: find its end, piece by piece."""
        position, part = self._end - 1, self._content[-1:]  # the last byte may be a CR
        while True:
            after = position + len(part)
            part += await _read(connection, of, after, PIECE_BYTES)
            is_end = position + len(part) >= of.bytes
            found = _LINE_END.search(part)
            if found and (found[0] != b"\r" or found.end() < len(part) or is_end):
                end = position + found.end()
                break
            if is_end:
                end = of.bytes
                break
            position, part = position + len(part) - 1, part[-1:]
        line = of.lines_read + 1
        refused = Record(line=line, cells=[], problem=TOO_LONG)
        return Batch(records=[refused], end=end, end_line=line, is_end=end >= of.bytes)

    @property
    def _end(self) -> int:
        return self._start + len(self._content)


async def _read(connection: Connection, of: ImportRecord, start: int, size: int) -> bytes:
    """`size` bytes of the file from `start` on, where a piece begins. Raises Unreadable if a part is missing."""
    assert of.upload_id is not None  # noqa: S101  # only imports whose file has arrived are read
    read = await import_files.read_chunks(connection, of.id, of.upload_id, start=start, stop=start + size)
    content = b"".join(piece for _, piece in read)
    if len(content) < min(size, of.bytes - start):
        raise Unreadable("a part of the file is missing; import it again")
    return content


def floor(position: int) -> int:
    """Where the piece begins that contains this position."""
    return position // PIECE_BYTES * PIECE_BYTES
