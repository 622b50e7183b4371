"""Requests and ends exports of lists to files, and reports progress.

A worker writes the file (runner.py). It is then read from an address of its own (reading.py).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from audience_gql.audience.exports.plans import ExportPlan
from audience_gql.audience.failures import InvalidInput, Issue, NotFound, Path
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail.entries import Change, record
from audience_gql.storage import definitions, exports
from audience_gql.storage.engine.membership import ListKind
from audience_gql.storage.exports import ExportedList, ExportRecord
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Connection, Transaction

KEPT: Final = timedelta(hours=24)
"""How long after its request an export expires."""
OPEN_LIMIT: Final = 5
"""How many exports of a workspace may wait or run."""
FILES_LIMIT: Final = 50
"""How many exports of a workspace may have a file."""
FILE_BYTES: Final = 2**31 - 1
"""The longest file. GraphQL's Int has no larger number."""
PIECE_BYTES: Final = 256 * 1024
"""The size of every piece of a file except the last one."""
_PROGRESS_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKey:
    """The list to export. `id` is None if the caller's text is no id."""

    kind: ListKind
    id: int | None


async def export_list(
    *, ports: Ports, workspace: Workspace, key: ListKey, plan: ExportPlan
) -> tuple[ExportRecord, str]:
    """Request an export. Returns it and the secret of its download address, which is shown only once. Raises NotFound, InvalidInput."""
    secret = secrets.token_urlsafe(32)

    async def work(transaction: Transaction) -> ExportRecord:
        connection = transaction.connection
        await exports.lock_exports(connection, workspace.id)
        found, list_id = await _list(connection, workspace, key)
        if issues := plan.issues((await definitions.fields_by_key(connection, workspace.id)).keys()):
            raise InvalidInput(tuple(issues))
        await _check_counts(connection, workspace)
        export_id = await ports.database.ids.one(connection)
        now = await ports.clock.now(connection)
        await exports.add(
            connection,
            export_id=export_id,
            workspace_id=workspace.id,
            list_kind=key.kind,
            list_id=list_id,
            list_name=found.name,
            plan=plan.as_json(),
            secret_hash=hash_of(secret),
            now=now,
            expires_at=now + KEPT,
        )
        made = await exports.find(connection, export_id)
        assert made is not None  # noqa: S101  # written a moment ago, in this transaction
        change = Change(
            kind="EXPORT_STARTED",
            object_id=export_id,
            object_name=found.name,
            after={
                "list": {f"{key.kind.lower()}Id": list_id},
                "format": plan.format,
                "fields": list(plan.fields),
            },
        )
        await record(ports, transaction, workspace.id, now, change)
        transaction.after_commit(lambda: ports.jobs.run_export(export_id))
        return made

    return await ports.database.run(work), secret


async def expire_export(*, ports: Ports, workspace: Workspace, export_id: int | None) -> ExportRecord:
    """End an export and delete its file. An export that has failed or expired stays as it is. Raises NotFound."""
    number = export_id or 0

    async def work(transaction: Transaction) -> ExportRecord:
        connection = transaction.connection
        await exports.expire(connection, workspace.id, number)
        found = await exports.find(connection, number)
        if found is None or found.workspace_id != workspace.id:
            raise _not_found()
        return found

    return await ports.database.run(work)


async def export_progress(
    *, ports: Ports, workspace: Workspace, export_id: int | None
) -> AsyncIterator[ExportRecord]:
    """The export as it is now, and again after each change, until it has ended. Raises NotFound."""
    number = export_id or 0
    async with ports.signals.changes(workspace.id) as wakeups:
        last: ExportRecord | None = None
        while True:
            found = (await exports.exports_by_ids(ports.database, workspace.id, [number])).get(number)
            if found is None:
                raise _not_found()
            if found != last:
                yield found
                last = found
            if found.state not in ("WAITING", "RUNNING"):
                return
            await wakeups.wait(_PROGRESS_SECONDS)


def why_not_whole(found: ExportedList) -> str | None:
    """Why the stored members of a list are not all of its members, or None."""
    if found.state == "COMPUTING":
        return "the segment is being computed; export it when its state is READY"
    if found.state == "FAILED":
        return "the segment's condition failed; edit it, and export it when its state is READY"
    return None


def hash_of(secret: str) -> bytes:
    """A secret of 32 random bytes needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


async def _list(connection: Connection, workspace: Workspace, key: ListKey) -> tuple[ExportedList, int]:
    path: Path = ("list", f"{key.kind.lower()}_id")
    found = None if key.id is None else await exports.find_list(connection, workspace.id, key.kind, key.id)
    if found is None or key.id is None:
        raise NotFound(f"there is no {key.kind.lower()} with this id", path)
    if problem := why_not_whole(found):
        raise InvalidInput((Issue(code="CONFLICT", message=problem, path=path),))
    return found, key.id


async def _check_counts(connection: Connection, workspace: Workspace) -> None:
    waiting, files = await exports.counts(connection, workspace.id)
    if waiting >= OPEN_LIMIT:
        message = (
            f"at most {OPEN_LIMIT} exports of a workspace run at a time; wait for one of them, or expire it"
        )
    elif files >= FILES_LIMIT:
        message = (
            f"a workspace has at most {FILES_LIMIT} exported files; expire one that is not needed any more"
        )
    else:
        return
    raise InvalidInput((Issue(code="TOO_MANY", message=message, path=()),))


def _not_found() -> NotFound:
    return NotFound("there is no export with this id", ("id",))
