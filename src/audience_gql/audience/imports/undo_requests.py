"""Decides whether an import can be undone, and lets a worker begin (undoing.py)."""

from __future__ import annotations

from datetime import datetime, timedelta

from audience_gql.audience.failures import Failure, NotFound
from audience_gql.audience.imports.lifecycle import MESSAGE_DAYS
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail.entries import Change, record
from audience_gql.storage.imports import import_effects, imports
from audience_gql.storage.imports.imports import ImportRecord
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Transaction


class UndoRefused(Failure):
    """The import cannot be undone. `reason` is one of STILL_RUNNING, DRY_RUN and TOO_OLD."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message, ("id",))
        self.reason = reason


async def undo_import(
    *, ports: Ports, workspace: Workspace, import_id: int | None, by: str | None = None
) -> ImportRecord:
    """Let a worker undo an import. If it is being undone or has been undone already, nothing changes. `by` is the name of a token.

    Raises NotFound, UndoRefused.
    """

    async def work(transaction: Transaction) -> ImportRecord:
        connection = transaction.connection
        found = None if import_id is None else await imports.lock(connection, import_id)
        if found is None or found.workspace_id != workspace.id:
            raise NotFound("there is no import with this id", ("id",))
        if found.undo_state is None:
            now = await ports.clock.now(connection)
            if refusal := undo_refusal(found, now):
                raise refusal
            await import_effects.begin(connection, found.id, by=by, now=now)
            change = Change(kind="IMPORT_UNDONE", object_id=found.id, object_name=None)
            await record(ports, transaction, workspace.id, now, change)
            transaction.after_commit(lambda: ports.jobs.run_import(found.id))
        begun = await imports.find(connection, found.id)
        return begun or found

    return await ports.database.run(work)


def undo_refusal(found: ImportRecord, now: datetime) -> UndoRefused | None:
    """Why an import cannot be undone at this instant; None if it can be, or if somebody asked for it already."""
    if found.undo_state is not None:
        return None
    if found.dry_run:
        return UndoRefused("this import only checked its file; it changed nothing", "DRY_RUN")
    if found.state in ("WAITING", "RUNNING"):
        return UndoRefused("this import is still running; cancel it first", "STILL_RUNNING")
    if not found.is_recorded or found.created_at < now - timedelta(days=MESSAGE_DAYS):
        message = f"what an import did is kept for {MESSAGE_DAYS} days, and not for imports of older versions; undo this one by hand"
        return UndoRefused(message, "TOO_OLD")
    return None
