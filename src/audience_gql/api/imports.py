"""Imports: creating and changing many people from a CSV file, which is uploaded to its own URL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.channels import Channel
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, NotFound
from audience_gql.api.ids import Kind
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import (
    LONG_PAGE_SIZE,
    After,
    First,
    ListConnection,
    ListEdge,
    Listing,
    Page,
)
from audience_gql.api.shapes import enum
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


@enum(
    "A field of the profile that a column can contain.",
    EXTERNAL_ID="The person's id in the system that they come from.",
    EMAIL="Email address.",
    PHONE="Phone number in E.164 format, for example +37060000000.",
    FIRST_NAME="Given name.",
    LAST_NAME="Family name.",
    LANGUAGE="Language as a BCP 47 tag, for example pt-BR.",
    TIMEZONE="Time zone of the IANA database, for example Europe/Vilnius.",
    BIRTHDAY="Date of birth, for example 1990-03-01.",
    LATITUDE="Degrees north, for example 54.6872. It needs a column with LONGITUDE, too.",
    LONGITUDE="Degrees east, for example 25.2797. It needs a column with LATITUDE, too.",
    COUNTRY="Country as an ISO 3166-1 alpha-2 code, for example LT.",
    REGION="State, county or province.",
    CITY="City.",
    POSTAL_CODE="Postal code.",
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
    LATITUDE = "latitude"
    LONGITUDE = "longitude"
    COUNTRY = "country"
    REGION = "region"
    CITY = "city"
    POSTAL_CODE = "postalCode"


@strawberry.type(description="A row of an import that was refused. It changed nothing.")
class ImportReject(Node):
    line: int = strawberry.field(description="The line of the file on which the row begins, from 1.")

    @strawberry.field(description="What is wrong with the row, as a sentence for people.")
    @staticmethod
    def message(parent: strawberry.Parent[RejectRecord]) -> str:
        return ids.with_people(parent.message, parent.people)

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, RejectRecord) and not row.is_notice


@strawberry.type(description="A refused row in a list.")
class ImportRejectEdge(ListEdge):
    node: ImportReject = strawberry.field(description="The row.")


@strawberry.type(description="A page of refused rows, sorted by line.")
class ImportRejectConnection(ListConnection[ImportRejectEdge]): ...


@strawberry.type(
    description="A row of an import that was written except for a part, for example a channel status that would have ended a refusal."
)
class ImportNotice(Node):
    line: int = strawberry.field(description="The line of the file on which the row begins, from 1.")
    message: str = strawberry.field(description="What was not written, and why.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, RejectRecord) and row.is_notice


@strawberry.type(description="A row with a notice in a list.")
class ImportNoticeEdge(ListEdge):
    node: ImportNotice = strawberry.field(description="The row.")


@strawberry.type(description="A page of rows with notices, sorted by line.")
class ImportNoticeConnection(ListConnection[ImportNoticeEdge]): ...


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
    created_at: datetime = strawberry.field(description="When the import was started.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, ImportRecord)

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
            await imports.rejects(database, info.context.workspace.id, parent.id, part, are_notices=False),
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
            await imports.rejects(database, info.context.workspace.id, parent.id, part, are_notices=True),
            part,
        )


@strawberry.input(one_of=True, description="The value that the cells of a column contain.")
class ImportTarget:
    profile: strawberry.Maybe[ProfileColumn] = strawberry.field(description="A field of the profile.")
    field: strawberry.Maybe[str] = strawberry.field(
        description="A custom field, by key. A cell is read by the field's type. The texts of a LIST are separated by semicolons, or are a JSON array."
    )
    channel: strawberry.Maybe[Channel] = strawberry.field(
        description="A channel. A cell is the name of a ChannelStatus."
    )
    group_id: strawberry.Maybe[strawberry.ID] = strawberry.field(
        description="A group, by id. The cells true, yes and 1 add the person to it; false, no and 0 remove them from it."
    )


@strawberry.input(
    description="A column of the file, and what it contains. To use a column for several targets, list it several times."
)
class ImportColumnInput:
    header: str = strawberry.field(
        description="The column's name in the first line of the file. Blanks around it are ignored. Case is ignored if only one column then "
        "matches."
    )
    to: ImportTarget = strawberry.field(description="What the column contains.")


@strawberry.input(
    description="How to read a CSV file that will be uploaded. Columns that are not listed are ignored."
)
class StartImportInput:
    columns: list[ImportColumnInput] = strawberry.field(
        description="The columns to read, up to 200. At least one has the target EXTERNAL_ID, EMAIL or PHONE. No target occurs twice."
    )
    add_to_group_ids: list[strawberry.ID] | None = strawberry.field(
        description="The ids of groups to add every imported person to.", default=strawberry.UNSET
    )
    delimiter: str = strawberry.field(
        description='The character between cells: a tab, or one visible character except letters, digits, _ and ".',
        default=",",
    )
    empty_clears: bool = strawberry.field(
        description="Whether an empty cell removes the value of a profile field or custom field. Otherwise the value stays.",
        default=False,
    )
    dry_run: bool = strawberry.field(
        description="Whether the import only reports what it would do, and writes nothing.", default=False
    )


@dataclass(frozen=True, slots=True)
class _Started:
    started: ImportRecord
    upload_url: str


@strawberry.type(description="An import that waits for its file.")
class StartImportPayload:
    started: Import = strawberry.field(name="import", description="The import.")
    upload_url: str = strawberry.field(
        description="The URL of the upload, relative to the server. PUT the file there once, as text/csv in UTF-8, up to 1 GiB. The URL "
        "is a secret and is returned only here."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, _Started)


@strawberry.input(description="An import to stop.")
class CancelImportInput:
    id: strawberry.ID = strawberry.field(description="The import's id.")


StartImportResult: TypeAlias = Annotated[
    StartImportPayload | InvalidInput,
    strawberry.union(
        "StartImportResult", description="The new import, or the reason why it was not started."
    ),
]
CancelImportResult: TypeAlias = Annotated[
    Import | NotFound,
    strawberry.union("CancelImportResult", description="The import, or NotFound for an unknown id."),
]


@strawberry.type
class ImportMutation:
    @strawberry.mutation(
        description="Prepares an import of people from a CSV file. It begins when the file is uploaded to `uploadUrl`.",
        graphql_type=StartImportResult,
    )
    @staticmethod
    async def start_import(
        info: Info,
        wanted: Annotated[
            StartImportInput, strawberry.argument(name="input", description="How to read the file.")
        ],
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
        return _Started(started, f"/imports/{ids.encode(Kind.IMPORT, started.id)}/{secret}")

    @strawberry.mutation(
        description="Stops an import. Rows that were written before stay. An import that has ended does not change.",
        graphql_type=CancelImportResult,
    )
    @staticmethod
    async def cancel_import(
        info: Info,
        cancelled: Annotated[
            CancelImportInput, strawberry.argument(name="input", description="The import to stop.")
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
        description="The state of an import: now, and again after each step of progress until the import ends. An unknown id is the error "
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
