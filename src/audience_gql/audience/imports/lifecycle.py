"""Starts and cancels imports of people from files, receives the files, and reports progress.

Each import has an address of its own to which its file is sent. A worker then writes the rows (runner.py).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from typing import Final

from audience_gql.audience.failures import Failure, InvalidInput, Issue, NotFound
from audience_gql.audience.imports.plans import ImportPlan
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail.entries import Change, record
from audience_gql.conditions.given_values import BadValue, given_line
from audience_gql.storage import definitions
from audience_gql.storage.imports import import_files, imports
from audience_gql.storage.imports.imports import ImportRecord
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Transaction

FILE_BYTES: Final = 1024**3
PIECE_BYTES: Final = 256 * 1024
FILE_NAME_LIMIT: Final = 255
REJECTS_KEPT: Final = 1000
MESSAGE_DAYS: Final = 30
"""For how many days after its start an import keeps its refused rows and the reason why it failed."""
_PROGRESS_SECONDS: Final = 0.5


class AlreadyUploaded(Failure):
    """The import already has its file or has ended, so it accepts no more data."""


class FileTooLarge(Failure):
    """The file has more bytes than an import accepts."""


async def start_import(
    *,
    ports: Ports,
    workspace: Workspace,
    plan: ImportPlan,
    dry_run: bool,
    file_name: str | None = None,
    started_by: str | None = None,
) -> tuple[ImportRecord, str]:
    """Start an import. Returns it and the secret of its upload address, which is shown only once. Raises InvalidInput.

    `file_name` and `started_by`, the name of a token, are only shown to people.
    """
    known_as = _file_name(file_name)
    secret = secrets.token_urlsafe(32)

    async def work(transaction: Transaction) -> ImportRecord:
        connection = transaction.connection
        fields = await definitions.fields_by_key(connection, workspace.id)
        if issues := plan.issues(fields, await definitions.all_group_ids(connection, workspace.id)):
            raise InvalidInput(tuple(issues))
        import_id = await ports.database.ids.one(connection)
        now = await ports.clock.now(connection)
        await imports.add(
            connection,
            import_id=import_id,
            workspace_id=workspace.id,
            plan=plan.as_json(),
            dry_run=dry_run,
            file_name=known_as,
            started_by=started_by,
            secret_hash=_hash(secret),
            now=now,
        )
        made = await imports.find(connection, import_id)
        assert made is not None  # noqa: S101  # written a moment ago, in this transaction
        change = Change(
            kind="IMPORT_STARTED",
            object_id=import_id,
            object_name=None,
            after=plan.portrait(is_dry_run=dry_run),
        )
        await record(ports, transaction, workspace.id, now, change)
        return made

    return await ports.database.run(work), secret


async def receive_file(
    *, ports: Ports, import_id: int | None, secret: str, content: AsyncIterator[bytes]
) -> None:
    """Store a file piece by piece, and have its rows written when it is complete.

    An upload that breaks off stays invisible, and the same address accepts another attempt. Raises NotFound, AlreadyUploaded, FileTooLarge.
    """
    async with ports.database.acquire() as connection:
        found = None if import_id is None else await imports.find(connection, import_id)
        if found is None or not hmac.compare_digest(found.secret_hash, _hash(secret)):
            raise NotFound("there is no such import", ())
        if found.state != "WAITING" or found.upload_id is not None:
            raise _already_uploaded()
        upload_id = await ports.database.ids.one(connection)
    size = await _keep(ports, found.id, upload_id, content)

    async def work(transaction: Transaction) -> None:
        if not await import_files.accept_upload(transaction.connection, found.id, upload_id, size):
            raise _already_uploaded()
        transaction.after_commit(lambda: ports.jobs.run_import(found.id))

    await ports.database.run(work)


async def cancel_import(*, ports: Ports, workspace: Workspace, import_id: int | None) -> ImportRecord:
    """Stop an import after the batch that is being written. Rows already written stay. An import that has ended stays as it is.

    Raises NotFound.
    """

    async def work(transaction: Transaction) -> ImportRecord:
        connection = transaction.connection
        found = None if import_id is None else await imports.lock(connection, import_id)
        if found is None or found.workspace_id != workspace.id:
            raise NotFound("there is no import with this id", ("id",))
        if found.state in ("WAITING", "RUNNING"):
            now = await ports.clock.now(connection)
            await imports.end(connection, found.id, "CANCELLED", now=now)
            change = Change(kind="IMPORT_CANCELLED", object_id=found.id, object_name=None)
            await record(ports, transaction, workspace.id, now, change)
        ended = await imports.find(connection, found.id)
        return ended or found

    return await ports.database.run(work)


async def import_progress(
    *, ports: Ports, workspace: Workspace, import_id: int | None
) -> AsyncIterator[ImportRecord]:
    """The import as it is now, and again after each change, until it has ended and is not being undone. Raises NotFound."""
    number = import_id or 0
    async with ports.signals.changes(workspace.id) as wakeups:
        last: ImportRecord | None = None
        while True:
            found = (await imports.imports_by_ids(ports.database, workspace.id, [number])).get(number)
            if found is None:
                raise NotFound("there is no import with this id", ("id",))
            if found != last:
                yield found
                last = found
            if found.state not in ("WAITING", "RUNNING") and found.undo_state != "RUNNING":
                return
            await wakeups.wait(_PROGRESS_SECONDS)


async def _keep(ports: Ports, import_id: int, upload_id: int, content: AsyncIterator[bytes]) -> int:
    """Write the file's pieces. Returns the file's size in bytes. Raises FileTooLarge."""
    piece, position = bytearray(), 0
    async for received in content:
        piece += received
        if position + len(piece) > FILE_BYTES:
            raise file_too_large()
        while len(piece) >= PIECE_BYTES:
            await _write(ports, import_id, upload_id, position, bytes(piece[:PIECE_BYTES]))
            del piece[:PIECE_BYTES]
            position += PIECE_BYTES
    if piece:
        await _write(ports, import_id, upload_id, position, bytes(piece))
    return position + len(piece)


async def _write(ports: Ports, import_id: int, upload_id: int, position: int, piece: bytes) -> None:
    async with ports.database.acquire() as connection:
        now = await ports.clock.now(connection)
        await import_files.write_chunk(
            connection, import_id, upload_id=upload_id, position=position, content=piece, now=now
        )


def file_too_large() -> FileTooLarge:
    return FileTooLarge(f"a file can have at most {FILE_BYTES:,} bytes; split it into several imports", ())


def _file_name(given: str | None) -> str | None:
    """The name as it is stored; None for blank text. Raises InvalidInput."""
    try:
        name = None if given is None else given_line(given)
    except BadValue as error:
        raise InvalidInput((Issue(code=error.code, message=error.message, path=("file_name",)),)) from error
    if name is not None and len(name) > FILE_NAME_LIMIT:
        message = f"can have at most {FILE_NAME_LIMIT} characters, not {len(name):,}"
        raise InvalidInput((Issue(code="OUT_OF_RANGE", message=message, path=("file_name",)),))
    return name


def _already_uploaded() -> AlreadyUploaded:
    return AlreadyUploaded("this import already has its file or has ended; start another one", ())


def _hash(secret: str) -> bytes:
    """A secret of 32 random bytes needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()
