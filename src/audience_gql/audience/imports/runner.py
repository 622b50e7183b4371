"""Writes the rows of imports, up to 1,000 at a time. One transaction writes a batch and the import's position after it.

It may be killed anywhere: another worker continues from the last commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from audience_gql.audience.failures import InvalidInput, People, Reject
from audience_gql.audience.imports.effects import effects_of
from audience_gql.audience.imports.headers import layout, read_header
from audience_gql.audience.imports.lifecycle import MESSAGE_DAYS, REJECTS_KEPT
from audience_gql.audience.imports.plans import BadCell, ImportPlan
from audience_gql.audience.imports.records import Record, Unreadable
from audience_gql.audience.imports.undoing import UndoneStep
from audience_gql.audience.imports.windows import Batch, Window, floor
from audience_gql.audience.people.bucket_writer import BucketWriter
from audience_gql.audience.people.buckets import open_another_if_full
from audience_gql.audience.people.profiles import identity
from audience_gql.audience.people.subscribers import Upserted, upsert_within
from audience_gql.audience.ports import Ports
from audience_gql.storage import definitions
from audience_gql.storage.imports import import_effects, import_files, import_messages, imports
from audience_gql.storage.imports.import_messages import RejectRecord
from audience_gql.storage.imports.imports import ImportRecord
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.people.facts import IMPORT, Identity
from audience_gql.storage.postgres.database import Connection, Transaction

_SILENCE: Final = timedelta(hours=1)
_MESSAGE_LIMIT: Final = 500


class ImportRunner:
    """The imports of one worker process."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._under_way: set[int] = set()

    async def sweep(self) -> None:
        """Request every open import that this process does not run, because its job may be lost. Delete pieces of files that are not needed."""
        async with self._ports.database.acquire() as connection:
            for import_id in await imports.to_work_off(connection):
                if import_id not in self._under_way:
                    self._ports.jobs.run_import(import_id)
            now = await self._ports.clock.now(connection)
            await import_files.forget_leftovers(connection, now - _SILENCE)

    async def forget_messages(self) -> None:
        """Delete old messages about the rows of files, because they quote cells, and old records of what imports did to people."""
        async with self._ports.database.acquire() as connection:
            before = await self._ports.clock.now(connection) - timedelta(days=MESSAGE_DAYS)
            await import_messages.forget_messages(connection, before)
            for import_id, workspace_id in await import_effects.expired(connection, before):
                for bucket_id in await import_effects.bucket_ids(connection, workspace_id):
                    while await import_effects.forget_some(connection, bucket_id, import_id):
                        pass
                await import_effects.has_no_more(connection, import_id)

    async def work_off(self, import_id: int) -> None:
        """Write the rows that are not written yet, or undo the batches that are not undone yet. After a failure, the sweep requests the import
        again."""
        if import_id in self._under_way:
            return
        self._under_way.add(import_id)
        try:
            window = Window()
            while await self._step(import_id, window) or await self._undo_step(import_id):
                pass
        finally:
            self._under_way.discard(import_id)

    async def _step(self, import_id: int, window: Window) -> bool:
        """Write one batch. Returns False if there is nothing left to do here."""
        async with self._ports.database.acquire() as connection:
            before = await imports.find(connection, import_id)
        if before is None or before.upload_id is None or not _is_open(before):
            return False
        try:
            async with self._ports.database.acquire() as connection:
                batch = await window.next_batch(connection, before)
            return await self._write(before, batch)
        except (Unreadable, InvalidInput) as error:
            await self._fail(before, str(error))
            return False

    async def _undo_step(self, import_id: int) -> bool:
        """Undo one batch if somebody asked to undo the import. Returns False if there is nothing left to do."""

        async def work(transaction: Transaction) -> bool:
            current = await imports.lock(transaction.connection, import_id)
            if current is None or current.undo_state != "RUNNING":
                return False
            return await UndoneStep(self._ports, transaction, current).run()

        return await self._ports.database.run(work)

    async def _fail(self, before: ImportRecord, message: str) -> None:
        async def work(transaction: Transaction) -> None:
            current = await imports.lock(transaction.connection, before.id)
            if current is not None and current.bytes_read == before.bytes_read and _is_open(current):
                now = await self._ports.clock.now(transaction.connection)
                await imports.end(transaction.connection, before.id, "FAILED", message, now=now)

        await self._ports.database.run(work)

    async def _write(self, before: ImportRecord, batch: Batch) -> bool:
        plan = ImportPlan.from_json(before.plan)

        async def work(transaction: Transaction) -> tuple[bool, int | None]:
            connection = transaction.connection
            current = await imports.lock(connection, before.id)
            if current is None or not _is_open(current) or current.bytes_read != before.bytes_read:
                return False, None  # the import was cancelled, or another worker runs it
            if before.header is None:
                await _begin(connection, before, plan, batch)
                return True, None
            grown = await self._write_rows(transaction, before, before.header, plan, batch)
            if batch.is_end:
                await imports.end(connection, before.id, "DONE", now=await self._ports.clock.now(connection))
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
        batch: Batch,
    ) -> int | None:
        """Upsert the rows and update the import. Returns a bucket that may be full now, or None."""
        connection = transaction.connection
        fields = await definitions.fields_by_key(connection, before.workspace_id)
        where = layout(plan, header)

        def keys_of(row: Record) -> list[Identity]:
            return [identity(kind, text) for kind, text in plan.keys(where, row.cells) if text]

        items, taken, refused = [], [], []
        for row in batch.records:
            try:
                if row.problem:
                    raise BadCell(row.problem)  # noqa: TRY301  # refused like a bad cell
                items.append(plan.item(where, row.cells, fields))
                taken.append(row)
            except BadCell as error:
                refused.append(RejectRecord(row.line, str(error)[:_MESSAGE_LIMIT], keys=keys_of(row)))
        recorder = _Recorder(connection, before)
        upserted, grown = await self._upsert(transaction, before, plan, items, recorder)
        for it in upserted.rejects:
            row = taken[it.index]
            refused.append(RejectRecord(row.line, _said(it), it.people, keys_of(row)))
        noticed = [
            RejectRecord(taken[index].line, message, people, keys_of(taken[index]), is_notice=True)
            for index, message, people in _notices(upserted)
        ]
        told = [*_first(refused, before.rejected), *_first(noticed, before.noticed)]
        if told:
            await import_messages.add_rejects(connection, before.id, told)
        await imports.advance(
            connection,
            before.id,
            bytes_read=batch.end,
            lines_read=batch.end_line,
            rows=len(batch.records),
            created=upserted.created,
            updated=upserted.updated,
            rejected=len(refused),
            noticed=len(noticed),
            recorded=recorder.count,
        )
        await import_files.forget_pieces(connection, before.id, before=floor(batch.end))
        return grown

    async def _upsert(
        self,
        transaction: Transaction,
        before: ImportRecord,
        plan: ImportPlan,
        items: list[dict[str, object]],
        recorder: _Recorder,
    ) -> tuple[Upserted, int | None]:
        """Write people. In a dry run, find out what would be written and roll it back."""
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
                source=IMPORT,
                written=None if before.dry_run else recorder.record,
            )
        except BaseException:
            await savepoint.rollback()
            raise
        if before.dry_run:
            await savepoint.rollback()
            return upserted, None
        await savepoint.commit()
        return upserted, grown


class _Recorder:
    """Records what a batch does to each person, so that the import can be undone."""

    def __init__(self, connection: Connection, of: ImportRecord) -> None:
        self._connection = connection
        self._import = of
        self.count = 0

    async def record(self, writer: BucketWriter) -> None:
        if effects := effects_of(writer):
            await import_effects.add(
                self._connection,
                writer.bucket_id,
                import_id=self._import.id,
                step=self._import.bytes_read,
                effects=effects,
            )
            self.count += len(effects)


def _is_open(record: ImportRecord) -> bool:
    return record.state in ("WAITING", "RUNNING")


def _first(rows: list[RejectRecord], kept_before: int) -> list[RejectRecord]:
    """The first rows by line, as many as the import can still keep."""
    return sorted(rows, key=lambda row: row.line)[: max(0, REJECTS_KEPT - kept_before)]


def _notices(upserted: Upserted) -> Iterator[tuple[int, str, People]]:
    """(index, message, people) of each item that was applied, except for channels that kept their status."""
    kept: dict[int, list[str]] = defaultdict(list)
    for it in upserted.kept:
        kept[it.index].append(it.message)
    for index, messages in kept.items():
        ref = upserted.subscribers[index]
        people: People = () if ref is None else ((ref.bucket_id, ref.id),)
        yield index, "; ".join(messages)[:_MESSAGE_LIMIT], people


def _said(reject: Reject) -> str:
    where = ".".join(map(str, reject.path[2:3]))
    return f"{where}: {reject.message}"[:_MESSAGE_LIMIT] if where else reject.message[:_MESSAGE_LIMIT]


async def _begin(connection: Connection, before: ImportRecord, plan: ImportPlan, batch: Batch) -> None:
    """Read the header and store it. Raises Unreadable."""
    if batch.is_end and not batch.records:
        raise Unreadable("the file is empty")
    await imports.begin(
        connection,
        before.id,
        header=read_header(batch.records[0], plan) if batch.records else None,  # only blank rows so far
        bytes_read=batch.end,
        lines_read=batch.end_line,
    )
