"""Imports as callers see them: their state, their progress, and the list of all imports."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.ids import Kind
from audience_gql.api.importing.rows import ImportNoticeConnection, ImportRejectConnection
from audience_gql.api.importing.undoing import ImportUndo, UndoRefusal
from audience_gql.api.lists.groups import Group
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import (
    LONG_PAGE_SIZE,
    PAGE_SIZE,
    After,
    First,
    ListConnection,
    ListEdge,
    Listing,
    Page,
)
from audience_gql.api.shapes import enum
from audience_gql.audience.imports.lifecycle import MESSAGE_DAYS, REJECTS_KEPT, import_progress
from audience_gql.audience.imports.plans import ImportPlan
from audience_gql.audience.imports.undo_requests import undo_refusal
from audience_gql.storage.imports import import_messages, imports
from audience_gql.storage.imports.import_messages import RejectRecord
from audience_gql.storage.imports.imports import ImportRecord
from audience_gql.storage.orm import models

_REJECTS: Final = Listing("import.rejects", int)
_NOTICES: Final = Listing("import.notices", int)
_IMPORTS: Final = Listing("imports", datetime, int)
_MOST_GROUPS: Final = 20


@enum(
    "The state of an import.",
    WAITING="The import waits for its file, or for a worker.",
    RUNNING="A worker is writing the rows.",
    DONE="Every row is written or refused.",
    FAILED="The file cannot be read. Rows that were written before stay.",
    CANCELLED="A caller stopped the import. Rows that were written before stay.",
)
class ImportState(StrEnum):
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@strawberry.type(name="Import", description="A CSV file whose rows create and change people.")
class Import(Node):
    state: ImportState = strawberry.field(description="The state of the import.")
    dry_run: bool = strawberry.field(
        description="Whether the import only reports what it would do. It may then count a person as new twice if their lines are far "
        "apart."
    )
    rows_read: int = strawberry.field(description="The number of rows read so far.")
    created: int = strawberry.field(description="The number of people created so far.")
    updated: int = strawberry.field(description="The number of known people changed so far.")
    rejected: int = strawberry.field(description="The number of rows refused so far.")
    noticed: int = strawberry.field(
        description="The number of rows so far that were written except for a part."
    )
    fraction: float = strawberry.field(description="The finished share of the file, from 0 to 1.")
    failure: str | None = strawberry.field(
        description="Why reading the file stopped. Null unless the import is FAILED. The text is kept for "
        f"{MESSAGE_DAYS} days, or until a person that it quotes is erased."
    )
    file_name: str | None = strawberry.field(
        description="The name of the file, as `startImport` was told; null when it was not told, or quotes a person who is erased."
    )
    started_by: str | None = strawberry.field(
        description="The name that the token had with which the import was started. Null for imports of older versions."
    )
    created_at: datetime = strawberry.field(description="When the import was started.")
    ended_at: datetime | None = strawberry.field(
        description="When the import was done, failed or was cancelled. Null before, and for imports that ended under older versions."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, ImportRecord)

    @strawberry.field(
        description="What undoing the import has done so far; null if nobody has asked for it.",
        graphql_type=ImportUndo | None,
    )
    @staticmethod
    def undo(parent: strawberry.Parent[ImportRecord]) -> ImportRecord | None:
        return None if parent.undo_state is None else parent

    @strawberry.field(
        description="Why `undoImport` would refuse the import now. Null if it can be undone, and after somebody has asked for it.",
        graphql_type=UndoRefusal | None,
    )
    @staticmethod
    async def undo_refusal(parent: strawberry.Parent[ImportRecord], info: Info) -> UndoRefusal | None:
        refusal = undo_refusal(parent, await info.context.loaders.now.load(None))
        return None if refusal is None else UndoRefusal(refusal.reason)

    @strawberry.field(
        description=f"The groups that the import adds people to, every person or by a column of the file. The first {_MOST_GROUPS} that "
        "exist.",
        graphql_type=list[Group],
        metadata={"up_to": _MOST_GROUPS},
    )
    @staticmethod
    async def groups(parent: strawberry.Parent[ImportRecord], info: Info) -> list[models.Group]:
        group_ids = ImportPlan.from_json(parent.plan).group_ids()
        found = await info.context.loaders.groups.load_many(group_ids)
        return [group for group in found if group is not None][:_MOST_GROUPS]

    @strawberry.field(
        description=f"The first {REJECTS_KEPT:,} refused rows, sorted by line. They are kept for {MESSAGE_DAYS} days after `createdAt`, or "
        "until their person is erased. `rejected` counts all.",
        graphql_type=ImportRejectConnection,
    )
    @staticmethod
    async def rejects(
        parent: strawberry.Parent[ImportRecord],
        info: Info,
        first: First = LONG_PAGE_SIZE,
        after: After = None,
    ) -> Page[RejectRecord]:
        part = _REJECTS.slice(first, after, default=LONG_PAGE_SIZE)
        database = info.context.ports.database
        return _REJECTS.page(
            await import_messages.rejects(
                database, info.context.workspace.id, parent.id, part, are_notices=False
            ),
            part,
        )

    @strawberry.field(
        description=f"The first {REJECTS_KEPT:,} rows with notices, sorted by line. They are kept for {MESSAGE_DAYS} days after `createdAt`, "
        "or until their person is erased. `noticed` counts all.",
        graphql_type=ImportNoticeConnection,
    )
    @staticmethod
    async def notices(
        parent: strawberry.Parent[ImportRecord],
        info: Info,
        first: First = LONG_PAGE_SIZE,
        after: After = None,
    ) -> Page[RejectRecord]:
        part = _NOTICES.slice(first, after, default=LONG_PAGE_SIZE)
        database = info.context.ports.database
        return _NOTICES.page(
            await import_messages.rejects(
                database, info.context.workspace.id, parent.id, part, are_notices=True
            ),
            part,
        )


@strawberry.type(description="An import in a list.")
class ImportEdge(ListEdge):
    node: Import = strawberry.field(description="The import.")


@strawberry.type(description="A page of imports.")
class ImportConnection(ListConnection[ImportEdge]): ...


@strawberry.type
class ImportQuery:
    @strawberry.field(
        description="The imports of the workspace. The latest comes first.", graphql_type=ImportConnection
    )
    @staticmethod
    async def imports(info: Info, first: First = PAGE_SIZE, after: After = None) -> Page[ImportRecord]:
        part = _IMPORTS.slice(first, after)
        context = info.context
        return _IMPORTS.page(await imports.latest(context.ports.database, context.workspace.id, part), part)


@strawberry.type
class ImportSubscription:
    @strawberry.subscription(
        description="The state of an import: now, and again after each step of progress until the import, or its undo, ends. An unknown id is the error "
        "NOT_FOUND.",
        graphql_type=AsyncGenerator[Import, None],
    )
    @staticmethod
    async def import_progress(
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The import's id.")],  # noqa: A002  # the schema's name
    ) -> AsyncGenerator[ImportRecord, None]:
        context = info.context
        reported = import_progress(
            ports=context.ports, workspace=context.workspace, import_id=ids.number_of(Kind.IMPORT, id)
        )
        async with aclosing(reported) as reports:  # type: ignore[type-var]  # an async generator, declared as an iterator
            async for report in reports:
                context.forget()
                yield report
