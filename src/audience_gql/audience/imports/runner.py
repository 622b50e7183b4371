"""Writes the rows of imports, a thousand at a time, each batch and how far it got in one transaction.

It may be killed anywhere: whoever comes next goes on where the last commit was. Memory holds a window of the file, never the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Final

from audience_gql.audience.failures import InvalidInput, Reject
from audience_gql.audience.imports.lifecycle import PIECE_BYTES, REJECTS_KEPT
from audience_gql.audience.imports.plans import BadCell, ImportPlan
from audience_gql.audience.imports.records import RECORD_BYTES, Record, Unreadable, records
from audience_gql.audience.people.buckets import open_another_if_full
from audience_gql.audience.people.subscribers import BATCH_LIMIT, Upserted, upsert_within
from audience_gql.audience.ports import Ports
from audience_gql.storage import definitions, imports
from audience_gql.storage.database import Connection, Transaction
from audience_gql.storage.imports import ImportRecord, RejectRecord
from audience_gql.storage.models import Workspace

_SILENCE: Final = timedelta(hours=1)
_MESSAGE_LIMIT: Final = 500
_WINDOW_BYTES: Final = 2 * RECORD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What is to be written next: the import as it was looked at, and the records that follow."""

    before: ImportRecord
    records: list[Record]
    is_end: bool
    """Whether there are none, and will be none."""


class ImportRunner:
    """The imports of one worker process."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._under_way: set[int] = set()

    async def sweep(self) -> None:
        """Ask for every import whose job was lost, and drop pieces of files that nobody wants any more."""
        async with self._ports.database.acquire() as connection:
            for import_id in await imports.to_work_off(connection):
                if import_id not in self._under_way:
                    self._ports.jobs.run_import(import_id)
            now = await self._ports.clock.now(connection)
            await imports.forget_leftovers(connection, now - _SILENCE)

    async def work_off(self, import_id: int) -> None:
        """Write the rows that are not written yet. What cannot be done now, the sweep brings again."""
        if import_id in self._under_way:
            return
        self._under_way.add(import_id)
        try:
            window = _Window()
            while await self._step(import_id, window):
                pass
        finally:
            self._under_way.discard(import_id)

    async def _step(self, import_id: int, window: _Window) -> bool:
        """Write one batch. False when nothing is left to do here."""
        async with self._ports.database.acquire() as connection:
            before = await imports.find(connection, import_id)
            if before is None or before.upload_id is None or before.state not in ("WAITING", "RUNNING"):
                return False
            await window.move(connection, before)
        plan = ImportPlan.from_json(before.plan)
        try:
            batch = window.batch(before, plan)
            return await self._write(batch, plan)
        except (Unreadable, InvalidInput) as error:
            message = str(error)

            async def fail(transaction: Transaction) -> None:
                current = await imports.lock(transaction.connection, import_id)
                if current is not None and current.bytes_read == before.bytes_read and _is_open(current):
                    await imports.end(transaction.connection, import_id, "FAILED", message)

            await self._ports.database.run(fail)
            return False

    async def _write(self, batch: _Batch, plan: ImportPlan) -> bool:
        before = batch.before

        async def work(transaction: Transaction) -> tuple[bool, int | None]:
            connection = transaction.connection
            current = await imports.lock(connection, before.id)
            if current is None or not _is_open(current) or current.bytes_read != before.bytes_read:
                return False, None  # cancelled, or another worker is at it
            if before.header is None:
                await _begin(transaction, before, plan, batch.records)
                return True, None
            grown = await self._write_rows(transaction, before, before.header, plan, batch.records)
            if batch.is_end:
                await imports.end(connection, before.id, "DONE")
            return not batch.is_end, grown

        goes_on, grown_bucket_id = await self._ports.database.run(work)
        if grown_bucket_id is not None:
            await open_another_if_full(
                ports=self._ports, workspace_id=before.workspace_id, bucket_id=grown_bucket_id
            )
        return goes_on

    async def _write_rows(
        self,
        transaction: Transaction,
        before: ImportRecord,
        header: Sequence[str],
        plan: ImportPlan,
        rows: Sequence[Record],
    ) -> int | None:
        """Upsert the rows, and say so in the import. Returns a bucket that may be full by now."""
        connection = transaction.connection
        if not rows:
            return None
        fields = await definitions.fields_by_key(connection, before.workspace_id)
        items, lines, refused = [], [], []
        for row in rows:
            try:
                if row.problem:
                    raise BadCell(row.problem)  # noqa: TRY301  # refused like a bad cell
                items.append(plan.item(header, row.cells, fields))
                lines.append(row.line)
            except BadCell as error:
                refused.append(RejectRecord(row.line, str(error)[:_MESSAGE_LIMIT]))
        upserted, grown = await self._upsert(transaction, before, plan, items)
        refused += [RejectRecord(lines[it.index], _said(it), it.people) for it in upserted.rejects]
        kept = sorted(refused, key=lambda reject: reject.line)[: max(0, REJECTS_KEPT - before.rejected)]
        if kept:
            await imports.add_rejects(connection, before.id, kept)
        end = rows[-1].end
        await imports.advance(
            connection,
            before.id,
            bytes_read=end,
            lines_read=rows[-1].end_line,
            rows=len(rows),
            created=upserted.created,
            updated=upserted.updated,
            rejected=len(refused),
        )
        await imports.forget_pieces(connection, before.id, before=_floor(end))
        return grown

    async def _upsert(
        self,
        transaction: Transaction,
        before: ImportRecord,
        plan: ImportPlan,
        items: list[dict[str, object]],
    ) -> tuple[Upserted, int | None]:
        """Write people; of a dry run, find out what would be written and take it back."""
        workspace = await Workspace.get(id=before.workspace_id)
        savepoint = transaction.connection.transaction()
        await savepoint.start()
        try:
            upserted, grown = await upsert_within(
                transaction,
                ports=self._ports,
                workspace=workspace,
                items=items,
                add_to_group_ids=plan.add_to_group_ids,
                bulk=True,
            )
        except BaseException:
            await savepoint.rollback()
            raise
        if before.dry_run:
            await savepoint.rollback()
            return upserted, None
        await savepoint.commit()
        return upserted, grown


class _Window:
    """The part of a file that is in memory: from where the import has come to, enough for any record that may follow."""

    def __init__(self) -> None:
        self._start = 0
        self._content = b""

    async def move(self, connection: Connection, of: ImportRecord) -> None:
        if self._start <= of.bytes_read <= self._end:
            self._content = self._content[of.bytes_read - self._start :]
            self._start = of.bytes_read
        else:
            self._start, self._content = _floor(of.bytes_read), b""
        if of.upload_id is not None and len(self._content) <= RECORD_BYTES and self._end < of.bytes:
            read = await imports.read_chunks(
                connection, of.id, of.upload_id, start=self._end, stop=self._end + _WINDOW_BYTES
            )
            self._content += b"".join(content for _, content in read)
        if self._start < of.bytes_read:
            self._content = self._content[of.bytes_read - self._start :]
            self._start = of.bytes_read

    def batch(self, before: ImportRecord, plan: ImportPlan) -> _Batch:
        """The next records: the header alone, or up to a thousand rows. Raises Unreadable."""
        wanted = 1 if before.header is None else BATCH_LIMIT
        is_last = self._end >= before.bytes
        found = list(
            islice(
                records(
                    self._content,
                    start=self._start,
                    lines_before=before.lines_read,
                    delimiter=plan.delimiter,
                    is_last=is_last,
                ),
                wanted,
            )
        )
        return _Batch(before=before, records=found, is_end=is_last and not found)

    @property
    def _end(self) -> int:
        return self._start + len(self._content)


def _is_open(record: ImportRecord) -> bool:
    return record.state in ("WAITING", "RUNNING")


def _floor(position: int) -> int:
    """Where the piece begins that a position lies in."""
    return position // PIECE_BYTES * PIECE_BYTES


def _said(reject: Reject) -> str:
    where = ".".join(reject.path[3:4])
    return f"{where}: {reject.message}"[:_MESSAGE_LIMIT] if where else reject.message[:_MESSAGE_LIMIT]


async def _begin(
    transaction: Transaction, before: ImportRecord, plan: ImportPlan, rows: Sequence[Record]
) -> None:
    """Read the header. Raises Unreadable."""
    if not rows:
        raise Unreadable("the file is empty")
    first = rows[0]
    if first.problem:
        raise Unreadable(f"line {first.line}: {first.problem}")
    header = [cell.strip() for cell in first.cells]
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise Unreadable(f"the header names {', '.join(map(repr, twice))} twice")
    if missing := plan.missing(header):
        raise Unreadable(
            f"the header has no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, header))}"[
                :_MESSAGE_LIMIT
            ]
        )
    await imports.set_header(
        transaction.connection, before.id, header=header, bytes_read=first.end, lines_read=first.end_line
    )
