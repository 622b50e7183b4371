"""Writes the files of exports, each from one snapshot of the database, and deletes files that are not needed any more.

It may be killed anywhere: another worker then begins the file again, with a new snapshot.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from audience_gql.audience.exports.lifecycle import FILE_BYTES, PIECE_BYTES, why_not_whole
from audience_gql.audience.exports.plans import ExportPlan, channels_needed, columns_needed
from audience_gql.audience.exports.rows import RowWriter
from audience_gql.audience.ports import Ports
from audience_gql.audience.webhooks.messages import MessageIds
from audience_gql.storage import definitions, exports, log
from audience_gql.storage.exports import ExportRecord
from audience_gql.storage.postgres.database import Connection, Transaction

_SILENCE: Final = timedelta(seconds=20)
"""After this time without a sign of life of its worker, an export is begun again. A worker gives a sign after each batch of rows."""
_ATTEMPTS_LIMIT: Final = 20
_AT_ONCE: Final = 2
"""How many exports one worker writes at a time. No two of them are of the same workspace."""
_BATCH_ROWS: Final = 1_000
"""Encoding them takes about ten milliseconds, in which the worker does nothing else."""
_FEWEST_ROWS: Final = 50
_BATCH_BYTES: Final = 1024 * 1024
"""A batch of rows that is longer than this makes the next one shorter."""
_TOO_LARGE: Final = (
    f"the file would have more than {FILE_BYTES:,} bytes; name fewer fields, or export parts of the list"
)


class _Over(Exception):
    """The attempt is over: the export has expired, or another worker has begun it again."""


class _Failed(Exception):
    """The export cannot be written. The message says why."""


class ExportRunner:
    """The exports of one worker process."""

    def __init__(self, ports: Ports, ids: MessageIds, *, batch_rows: int = _BATCH_ROWS) -> None:
        self._ports = ports
        self._ids = ids
        self._batch_rows = batch_rows
        self._under_way: dict[int, int] = {}
        """The workspaces of the exports that this process writes, by export id."""

    async def sweep(self) -> None:
        """End exports whose time is over, request those that nobody writes, and delete pieces that are never read."""
        async with self._ports.database.acquire() as connection:
            now = await self._ports.clock.now(connection)
            await exports.expire_due(connection, now)
            for export_id, workspace_id in await exports.to_work_off(connection, now - _SILENCE):
                if self._has_room(export_id, workspace_id):
                    self._ports.jobs.run_export(export_id)
            while await exports.forget_leftovers(connection):
                pass

    async def work_off(self, export_id: int) -> None:
        """Write the file of an export that nobody writes. After a failure, the sweep requests it again."""
        async with self._ports.database.acquire() as connection:
            found = await exports.find(connection, export_id)
        if found is None or not self._has_room(found.id, found.workspace_id):
            return
        self._under_way[found.id] = found.workspace_id
        try:
            claimed = await self._claim(found)
            if claimed is not None:
                await self._write(claimed)
        finally:
            del self._under_way[found.id]
        await self.sweep()  # those that found no room

    def _has_room(self, export_id: int, workspace_id: int) -> bool:
        is_taken = export_id in self._under_way or workspace_id in self._under_way.values()
        return not is_taken and len(self._under_way) < _AT_ONCE

    async def _claim(self, found: ExportRecord) -> ExportRecord | None:
        async def work(transaction: Transaction) -> ExportRecord | None:
            connection = transaction.connection
            # After this, the snapshot shows every erasure that has not seen this export as RUNNING: see forget_files.
            await exports.lock_exports(connection, found.workspace_id)
            now = await self._ports.clock.now(connection)
            claimed = await exports.claim(connection, found.id, now=now, silent_since=now - _SILENCE)
            if claimed is not None and claimed.attempt > _ATTEMPTS_LIMIT:
                message = f"the file was begun {_ATTEMPTS_LIMIT} times and never finished"
                await exports.fail(connection, claimed, message)
                return None
            return claimed

        return await self._ports.database.run(work)

    async def _write(self, claimed: ExportRecord) -> None:
        try:
            async with self._ports.database.snapshot() as snapshot:
                await _Attempt(self._ports, self._ids, claimed, snapshot, self._batch_rows).write()
        except _Over:
            pass
        except _Failed as error:
            async with self._ports.database.acquire() as connection:
                await exports.fail(connection, claimed, str(error))


class _Attempt:
    """One attempt to write one file. It reads from a snapshot, and stores pieces through other connections."""

    def __init__(
        self, ports: Ports, ids: MessageIds, export: ExportRecord, snapshot: Connection, batch_rows: int
    ) -> None:
        self._ports = ports
        self._ids = ids
        self._export = export
        self._plan = ExportPlan.from_json(export.plan)
        self._snapshot = snapshot
        self._batch_rows = batch_rows
        self._waiting = bytearray()
        """The end of the file that is not stored yet."""
        self._stored = 0
        self._rows = 0

    async def write(self) -> None:
        """Write the whole file. Raises _Over, _Failed."""
        # The first statement takes the snapshot, which therefore has everything that was committed before this instant.
        taken_at = await self._ports.clock.now(self._snapshot)
        await self._check_list()
        bucket_ids = await self._begin(taken_at)
        custom = await definitions.fields_by_key(self._snapshot, self._export.workspace_id)
        writer = RowWriter(self._plan, custom, self._ids)
        self._waiting += writer.head()
        for bucket_id in bucket_ids:
            async with aclosing(self._batches(writer, bucket_id)) as batches:
                async for rows in batches:
                    self._waiting += rows
                    await self._store(is_last=False)
        await self._store(is_last=True)

    async def _check_list(self) -> None:
        export = self._export
        found = await exports.find_list(self._snapshot, export.workspace_id, export.list_kind, export.list_id)
        if found is None:
            raise _Failed("the list was deleted before its members were read")
        if problem := why_not_whole(found):
            raise _Failed(problem)

    async def _begin(self, taken_at: datetime) -> list[int]:
        """Record what the snapshot shows. Returns the workspace's buckets."""
        export = self._export
        heads = (await log.extent(self._snapshot, export.workspace_id)).heads
        total = 0
        for bucket_id in heads:
            total += await exports.count_members(self._snapshot, bucket_id, export.list_kind, export.list_id)
        async with self._ports.database.acquire() as connection:
            now = await self._ports.clock.now(connection)
            if not await exports.begin(
                connection, export, total=total, heads=heads, now=now, taken_at=taken_at
            ):
                raise _Over
        return list(heads)

    async def _batches(self, writer: RowWriter, bucket_id: int) -> AsyncGenerator[bytes, None]:
        """The rows of one bucket, a batch at a time, ordered by the people's ids."""
        export, after, size = self._export, -1, self._batch_rows
        while members := await exports.members(
            self._snapshot,
            bucket_id,
            export.list_kind,
            export.list_id,
            after=after,
            limit=size,
            columns=columns_needed(self._plan.fields),
            with_channels=channels_needed(self._plan.fields),
        ):
            rows = writer.rows(bucket_id, members)
            self._rows += len(members)
            yield rows
            if len(members) < size:
                return
            after = members[-1]["id"]
            fitting = len(members) * _BATCH_BYTES // (len(rows) + 1)
            size = max(_FEWEST_ROWS, min(self._batch_rows, fitting))

    async def _store(self, *, is_last: bool) -> None:
        """Store the pieces that are complete, and the progress. Raises _Over, _Failed."""
        if self._stored + len(self._waiting) > FILE_BYTES:
            raise _Failed(_TOO_LARGE)
        whole = len(self._waiting) // PIECE_BYTES * PIECE_BYTES
        end = len(self._waiting) if is_last else whole
        pieces = [bytes(self._waiting[at : min(at + PIECE_BYTES, end)]) for at in range(0, end, PIECE_BYTES)]

        async def work(transaction: Transaction) -> bool:
            connection = transaction.connection
            now = await self._ports.clock.now(connection)
            return await exports.advance(
                connection,
                self._export,
                rows=self._rows,
                position=self._stored,
                pieces=pieces,
                is_last=is_last,
                now=now,
            )

        if not await self._ports.database.run(work):
            raise _Over
        del self._waiting[:end]
        self._stored += end
