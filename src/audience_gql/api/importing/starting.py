"""Mutations that start an import of people from a CSV file, which is uploaded to its own URL, and that cancel it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.channels import Channel
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, NotFound
from audience_gql.api.ids import Kind
from audience_gql.api.importing.imports import Import
from audience_gql.api.shapes import enum
from audience_gql.audience.imports.lifecycle import FILE_NAME_LIMIT, cancel_import, start_import
from audience_gql.audience.imports.plans import ColumnPlan, ImportPlan
from audience_gql.storage.imports.imports import ImportRecord


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
    file_name: str | None = strawberry.field(
        description=f"The name of the file, by which people recognise the import: one line of up to {FILE_NAME_LIMIT} characters.",
        default=strawberry.UNSET,
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
            file_name=wanted.file_name or None,
            started_by=info.context.access.token.name,
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
