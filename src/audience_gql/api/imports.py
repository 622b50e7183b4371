"""Imports: many people from a CSV file, which goes to an address of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, NotFound
from audience_gql.api.ids import Kind
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import CURSOR, EDGES, After, Connection, First, Listing, Page
from audience_gql.api.people.channels import Channel
from audience_gql.api.shapes import enum
from audience_gql.api.transport.uploads import upload_path
from audience_gql.audience.imports.lifecycle import (
    MESSAGE_DAYS,
    REJECTS_KEPT,
    cancel_import,
    import_progress,
    start_import,
)
from audience_gql.audience.imports.plans import ColumnPlan, ImportPlan
from audience_gql.storage import imports
from audience_gql.storage.imports import ImportRecord, RejectRecord

_REJECTS: Final = Listing("import.rejects", int)
_NOTICES: Final = Listing("import.notices", int)


@enum(
    "How far an import is.",
    WAITING="For its file, or for a worker.",
    RUNNING="Its rows are being written.",
    DONE="Every row is written or refused.",
    FAILED="The file cannot be read; what was written before stays.",
    CANCELLED="Somebody stopped it; what was written before stays.",
)
class ImportState(StrEnum):
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@enum(
    "A part of a person's profile that a column can be.",
    EXTERNAL_ID="Her id in the system that she comes from.",
    EMAIL="Her email address.",
    PHONE="Her phone number in E.164.",
    FIRST_NAME="Her given name.",
    LAST_NAME="Her family name.",
    LANGUAGE="Her language: a BCP 47 tag.",
    TIMEZONE="Her time zone in the IANA database.",
    BIRTHDAY="The day she was born, such as 1990-03-01.",
    COUNTRY="ISO 3166-1 alpha-2.",
    REGION="Her state, county or province.",
    CITY="Her city.",
    POSTAL_CODE="Her postal code.",
)
class ProfileColumn(StrEnum):
    EXTERNAL_ID = "externalId"
    EMAIL = "email"
    PHONE = "phone"
    FIRST_NAME = "firstName"
    LAST_NAME = "lastName"
    LANGUAGE = "language"
    TIMEZONE = "timezone"
    BIRTHDAY = "birthday"
    COUNTRY = "country"
    REGION = "region"
    CITY = "city"
    POSTAL_CODE = "postalCode"


@strawberry.type(description="A row that was refused; the others went through.")
class ImportReject(Node):
    line: int = strawberry.field(description="The line of the file on which the row begins, from 1.")

    @strawberry.field(description="What is wrong with it.")
    @staticmethod
    def message(parent: strawberry.Parent[RejectRecord]) -> str:
        return ids.with_people(parent.message, parent.people)

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, RejectRecord) and not row.is_notice


@strawberry.type(description="A refused row in a list.")
class ImportRejectEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: ImportReject = strawberry.field(description="The row.")


@strawberry.type(description="A page of refused rows, by line.")
class ImportRejectConnection(Connection):
    edges: list[ImportRejectEdge] = strawberry.field(description=EDGES)


@strawberry.type(
    description="A row that was written but for some part, such as a wish of somebody who refused."
)
class ImportNotice(Node):
    line: int = strawberry.field(description="The line of the file on which the row begins, from 1.")
    message: str = strawberry.field(description="What was not written, and why.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, RejectRecord) and row.is_notice


@strawberry.type(description="A row with a notice in a list.")
class ImportNoticeEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: ImportNotice = strawberry.field(description="The row.")


@strawberry.type(description="A page of rows with notices, by line.")
class ImportNoticeConnection(Connection):
    edges: list[ImportNoticeEdge] = strawberry.field(description=EDGES)


@strawberry.type(name="Import", description="Many people from a file.")
class Import(Node):
    state: ImportState = strawberry.field(description="How far it is.")
    dry_run: bool = strawberry.field(
        description="Whether it only tells what it would do. A person on lines far apart may be counted as new twice."
    )
    rows_read: int = strawberry.field(description="How many rows were looked at.")
    created: int = strawberry.field(description="How many people are new.")
    updated: int = strawberry.field(description="How many others changed.")
    rejected: int = strawberry.field(description="How many rows were refused.")
    noticed: int = strawberry.field(description="How many rows were written but for some part.")
    fraction: float = strawberry.field(description="How much of the file is done, from 0 to 1.")
    failure: str | None = strawberry.field(
        description=f"Why the file could not be read on. Kept for {MESSAGE_DAYS} days, unless it quotes somebody who is erased."
    )
    created_at: datetime = strawberry.field(description="When it was started.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, ImportRecord)

    @strawberry.field(
        description=f"The first refused rows, by line: up to {REJECTS_KEPT:,} are kept, for {MESSAGE_DAYS} days after the import was started, "
        "or until their person is erased. `rejected` counts all.",
        graphql_type=ImportRejectConnection,
    )
    @staticmethod
    async def rejects(
        parent: strawberry.Parent[ImportRecord], info: Info, first: First = 50, after: After = None
    ) -> Page[RejectRecord]:
        part = _REJECTS.slice(first, after)
        database = info.context.ports.database
        return _REJECTS.page(
            await imports.rejects(database, info.context.workspace.id, parent.id, part, are_notices=False),
            part,
        )

    @strawberry.field(
        description=f"The first rows with notices, by line: up to {REJECTS_KEPT:,} are kept, for {MESSAGE_DAYS} days after the import was "
        "started, or until their person is erased. `noticed` counts all.",
        graphql_type=ImportNoticeConnection,
    )
    @staticmethod
    async def notices(
        parent: strawberry.Parent[ImportRecord], info: Info, first: First = 50, after: After = None
    ) -> Page[RejectRecord]:
        part = _NOTICES.slice(first, after)
        database = info.context.ports.database
        return _NOTICES.page(
            await imports.rejects(database, info.context.workspace.id, parent.id, part, are_notices=True),
            part,
        )


@strawberry.input(one_of=True, description="What a column is.")
class ImportTarget:
    profile: strawberry.Maybe[ProfileColumn] = strawberry.field(description="A part of the profile.")
    field: strawberry.Maybe[str] = strawberry.field(
        description="A custom field, by key. Its values are read by its type; those of a LIST are parted by semicolons."
    )
    channel: strawberry.Maybe[Channel] = strawberry.field(
        description="A channel; its cells are names of a ChannelStatus."
    )
    group_id: strawberry.Maybe[strawberry.ID] = strawberry.field(
        description="A group: true, yes and 1 put into it; false, no and 0 take out of it."
    )


@strawberry.input(
    description="A column of the file. One column may be named several times, for several targets."
)
class ImportColumnInput:
    header: str = strawberry.field(
        description="What the file's first line calls it. Blanks around it do not count, nor does case where that leaves one column."
    )
    to: ImportTarget = strawberry.field(description="What it is.")


@strawberry.input(description="A file to come. Columns that are not named are passed over.")
class StartImportInput:
    columns: list[ImportColumnInput] = strawberry.field(
        description="The columns to read; one of them is externalId, email or phone. Each target is given once."
    )
    add_to_group_ids: list[strawberry.ID] | None = strawberry.field(
        description="Groups to put everybody into.", default=strawberry.UNSET
    )
    delimiter: str = strawberry.field(
        description="What parts the cells: one visible character that is no letter, digit or quote; or a tab.",
        default=",",
    )
    empty_clears: bool = strawberry.field(
        description="Whether an empty cell clears what was there; otherwise it keeps it.", default=False
    )
    dry_run: bool = strawberry.field(description="Tell what would happen, and write nothing.", default=False)


@dataclass(frozen=True, slots=True)
class _Started:
    started: ImportRecord
    upload_url: str


@strawberry.type(description="An import that waits for its file.")
class StartImportPayload:
    started: Import = strawberry.field(name="import", description="The import.")
    upload_url: str = strawberry.field(
        description="PUT the file here once, as text/csv in UTF-8, up to 1 GiB. The address is a secret, and is shown only now."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, _Started)


@strawberry.input(description="An import to stop.")
class CancelImportInput:
    id: strawberry.ID = strawberry.field(description="Which import.")


StartImportResult: TypeAlias = Annotated[
    StartImportPayload | InvalidInput,
    strawberry.union("StartImportResult", description="The import, or why there is none."),
]
CancelImportResult: TypeAlias = Annotated[
    Import | NotFound,
    strawberry.union("CancelImportResult", description="The import, or why nothing was stopped."),
]


@strawberry.type
class ImportMutation:
    @strawberry.mutation(
        description="Prepare to create and change people from a CSV file.", graphql_type=StartImportResult
    )
    @staticmethod
    async def start_import(
        info: Info,
        wanted: Annotated[StartImportInput, strawberry.argument(name="input", description="The file.")],
    ) -> _Started:
        plan = ImportPlan(
            columns=tuple(_column(column) for column in wanted.columns),
            delimiter=wanted.delimiter,
            empty_clears=wanted.empty_clears,
            add_to_group_ids=tuple(
                ids.number_of(Kind.GROUP, text) or 0 for text in wanted.add_to_group_ids or ()
            ),
        )
        started, secret = await start_import(
            ports=info.context.ports,
            workspace=info.context.workspace,
            plan=plan,
            dry_run=wanted.dry_run,
        )
        return _Started(started, upload_path(started.id, secret))

    @strawberry.mutation(
        description="Stop an import; what it has written stays.", graphql_type=CancelImportResult
    )
    @staticmethod
    async def cancel_import(
        info: Info,
        cancelled: Annotated[
            CancelImportInput, strawberry.argument(name="input", description="Which import.")
        ],
    ) -> ImportRecord:
        return await cancel_import(
            ports=info.context.ports,
            workspace=info.context.workspace,
            import_id=ids.number_of(Kind.IMPORT, cancelled.id),
        )


@strawberry.type
class ImportSubscription:
    @strawberry.subscription(
        description="An import now, and whenever it has come further, until it is over.",
        graphql_type=AsyncGenerator[Import, None],
    )
    @staticmethod
    async def import_progress(
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which import.")],  # noqa: A002  # the schema's name
    ) -> AsyncGenerator[ImportRecord, None]:
        context = info.context
        reported = import_progress(
            ports=context.ports, workspace=context.workspace, import_id=ids.number_of(Kind.IMPORT, id)
        )
        async with aclosing(reported) as reports:  # type: ignore[type-var]  # an async generator, declared as an iterator
            async for report in reports:
                context.forget()
                yield report


def _column(given: ImportColumnInput) -> ColumnPlan:
    to = given.to
    if to.profile:
        return ColumnPlan(header=given.header, kind="profile", target=str(to.profile.value.value))
    if to.field:
        return ColumnPlan(header=given.header, kind="field", target=to.field.value)
    if to.channel:
        return ColumnPlan(header=given.header, kind="channel", target=str(to.channel.value.value))
    group_id = ids.number_of(Kind.GROUP, to.group_id.value) if to.group_id else None
    return ColumnPlan(header=given.header, kind="group", target=group_id)
