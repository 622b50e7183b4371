"""Reads the file of an export for a download, piece by piece, while a worker may still be writing it.

It holds no connection to the database between two reads. It must not write anything.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from typing import Final

from audience_gql.audience.exports.lifecycle import PIECE_BYTES, hash_of
from audience_gql.audience.failures import Failure, NotFound
from audience_gql.audience.ports import Ports
from audience_gql.storage import exports
from audience_gql.storage.exports import ExportRecord

_POLL_SECONDS: Final = 0.2
"""How often a reader that has caught up with the worker looks for the next piece. Signals would wake it with every change of the log."""


class ExportFailed(Failure):
    """The export failed, so it has no file."""


class FileGone(Exception):
    """The file has expired, or it is being written again, so what was read of it is no beginning of a file any more."""


async def open_export(*, ports: Ports, export_id: int | None, secret: str) -> ExportRecord:
    """The export with this id and secret. Raises NotFound, also for one that has expired, and ExportFailed."""
    found = None if export_id is None else await _find(ports, export_id)
    if found is None or not hmac.compare_digest(found.secret_hash, hash_of(secret)):
        raise NotFound("there is no such export, or it has expired", ())
    if found.state == "FAILED":
        raise ExportFailed(f"the export failed: {found.failure}", ())
    return found


async def pieces(*, ports: Ports, export: ExportRecord, start: int, stop: int | None) -> AsyncIterator[bytes]:
    """The bytes of a file from `start` up to `stop`, or up to its end, a piece at a time. Waits for pieces that are not written yet.

    Raises FileGone.
    """
    position = start
    while stop is None or position < stop:
        begin = position // PIECE_BYTES * PIECE_BYTES
        piece = await _piece(ports, export, begin)
        if piece is None:
            return
        if position - begin < len(piece):
            yield piece[position - begin : None if stop is None else stop - begin]
        if len(piece) < PIECE_BYTES:
            return
        position = begin + PIECE_BYTES


async def _piece(ports: Ports, export: ExportRecord, position: int) -> bytes | None:
    """The piece at a position, as soon as it is written. None if the file ends before it. Raises FileGone."""
    while True:
        current = await _find(ports, export.id)
        if current is None or current.state not in ("RUNNING", "DONE") or current.attempt != export.attempt:
            raise FileGone
        if position < current.bytes:
            async with ports.database.acquire() as connection:
                content = await exports.read_chunk(connection, export.id, export.attempt, position)
            if content is None:
                raise FileGone
            return content
        if current.state == "DONE":
            return None
        await asyncio.sleep(_POLL_SECONDS)


async def _find(ports: Ports, export_id: int) -> ExportRecord | None:
    """The export, unless it has expired."""
    async with ports.database.acquire() as connection:
        found = await exports.find(connection, export_id)
        if found is None or found.state == "EXPIRED" or found.expires_at <= await ports.clock.now(connection):
            return None
        return found
