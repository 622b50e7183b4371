"""Exports: the members of a list as a CSV or NDJSON file, which is downloaded from its own URL."""

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
from audience_gql.api.lists.groups import Group
from audience_gql.api.lists.segments import Segment
from audience_gql.api.nodes import Node
from audience_gql.api.shapes import enum
from audience_gql.api.viewer import Scope
from audience_gql.audience.exports.lifecycle import (
    FILE_BYTES,
    FILES_LIMIT,
    KEPT,
    OPEN_LIMIT,
    ListKey,
    expire_export,
    export_list,
    export_progress,
)
from audience_gql.audience.exports.plans import COLUMNS_LIMIT, DEFAULT_FIELDS, ExportPlan
from audience_gql.conditions.profile import NAMES
from audience_gql.storage.exports import ExportRecord
from audience_gql.storage.orm import models

_HOURS: Final = int(KEPT.total_seconds()) // 3600
_FIELDS: Final = (
    f"id, enteredAt (when the person entered the segment, or was added to the group), createdAt, updatedAt, {', '.join(NAMES)}, the name "
    "of a channel for its status, or the key of a custom field. `field:KEY` is a custom field whose key is also one of these names."
)


@enum(
    "The state of an export.",
    WAITING="The export waits for a worker.",
    RUNNING="A worker is writing the file. The part that is written can be downloaded already.",
    DONE="The file is complete.",
    FAILED="The file cannot be written; `failure` says why. There is nothing to download.",
    EXPIRED="The file is deleted: its time is over, a caller ended the export, or a person of the workspace was erased.",
)
class ExportState(StrEnum):
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@enum(
    "The format of an exported file, in UTF-8.",
    CSV="Comma-separated values as in RFC 4180. The first line has the names of the fields. A value that is not known is an empty cell.",
    NDJSON="One JSON object per line, with the names of the fields as keys. A value that is not known is null.",
)
class ExportFormat(StrEnum):
    CSV = "CSV"
    NDJSON = "NDJSON"


@strawberry.type(name="Export", description="A file with the members of a list at one instant.")
class Export(Node):
    state: ExportState = strawberry.field(description="The state of the export.")
    list_name: str = strawberry.field(description="The name of the list when the export was requested.")
    total: int | None = strawberry.field(
        description="The number of rows that the complete file has. Null until a worker begins to write."
    )
    rows: int = strawberry.field(description="The number of rows written so far.")
    bytes: int = strawberry.field(
        description="The number of bytes that can be downloaded so far, or could until the export ended."
    )
    failure: str | None = strawberry.field(
        description=f"Why the file cannot be written, for example because it would have more than {FILE_BYTES:,} bytes. Null unless the "
        "export is FAILED."
    )
    created_at: datetime = strawberry.field(description="When the export was requested.")
    taken_at: datetime | None = strawberry.field(
        description="The instant of the file's contents: it has every change that was committed before. Null until a worker begins to write."
    )
    expires_at: datetime = strawberry.field(
        description=f"When the file is deleted: {_HOURS} hours after the request, unless something ends the export earlier."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, ExportRecord)

    @strawberry.field(description="The format of the file.", graphql_type=ExportFormat)
    @staticmethod
    def format(parent: strawberry.Parent[ExportRecord]) -> ExportFormat:
        return ExportFormat(ExportPlan.from_json(parent.plan).format)

    @strawberry.field(description="The file's columns, in their order.")
    @staticmethod
    def fields(parent: strawberry.Parent[ExportRecord]) -> list[str]:
        return list(ExportPlan.from_json(parent.plan).fields)

    @strawberry.field(
        description="The segment whose members the file has. Null for a group, and after the segment was deleted.",
        graphql_type=Segment | None,
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[ExportRecord], info: Info) -> models.Segment | None:
        is_it = parent.list_kind == "SEGMENT"
        return await info.context.loaders.segments.load(parent.list_id) if is_it else None

    @strawberry.field(
        description="The group whose members the file has. Null for a segment, and after the group was deleted.",
        graphql_type=Group | None,
    )
    @staticmethod
    async def group(parent: strawberry.Parent[ExportRecord], info: Info) -> models.Group | None:
        is_it = parent.list_kind == "GROUP"
        return await info.context.loaders.groups.load(parent.list_id) if is_it else None

    @strawberry.field(
        description="The position of the live feed at the instant of the file's contents. To hold a copy of a segment, read the file, then "
        "continue with `membershipChanges(after:)` from this cursor. Null until a worker begins to write."
    )
    @staticmethod
    def feed_cursor(parent: strawberry.Parent[ExportRecord], info: Info) -> str | None:
        if parent.heads is None:
            return None
        return info.context.services.cursors.encode(info.context.workspace, parent.heads)


@strawberry.input(one_of=True, description="The list whose members are exported.")
class ExportedListInput:
    segment_id: strawberry.Maybe[strawberry.ID] = strawberry.field(
        description="The id of a segment whose state is READY or PAUSED."
    )
    group_id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="The id of a group.")


@strawberry.input(description="The members to export, and what the file tells about them.")
class ExportListInput:
    exported: ExportedListInput = strawberry.field(name="list", description="The list.")
    format: ExportFormat = strawberry.field(description="The format of the file.")
    fields: list[str] | None = strawberry.field(
        description=f"The file's columns, 1 to {COLUMNS_LIMIT} different names: {_FIELDS} Default: {', '.join(DEFAULT_FIELDS)}.",
        default=strawberry.UNSET,
    )
    escape_formulas: bool = strawberry.field(
        description="Whether a text in a CSV file that begins with = + - @, a tab or a carriage return gets an apostrophe before it, so that "
        "no spreadsheet takes it for a formula. Such a file does not import as it was.",
        default=False,
    )


@dataclass(frozen=True, slots=True)
class _Exported:
    export: ExportRecord
    download_url: str


@strawberry.type(description="An export that waits for a worker.")
class ExportListPayload:
    export: Export = strawberry.field(description="The export.")
    download_url: str = strawberry.field(
        description="The URL of the file, relative to the server. GET it at any time until `expiresAt`, without a token: a response that "
        "begins before the file is complete ends with it. The URL is a secret and is returned only here."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, _Exported)


@strawberry.input(description="An export to end.")
class ExpireExportInput:
    id: strawberry.ID = strawberry.field(description="The export's id.")


ExportListResult: TypeAlias = Annotated[
    ExportListPayload | InvalidInput | NotFound,
    strawberry.union("ExportListResult", description="The new export, or the reason why it was not started."),
]
ExpireExportResult: TypeAlias = Annotated[
    Export | NotFound,
    strawberry.union("ExpireExportResult", description="The export, or NotFound for an unknown id."),
]


@strawberry.type
class ExportQuery:
    @strawberry.field(
        description="The export with this id; null when there is none.", graphql_type=Export | None
    )
    @staticmethod
    async def export(
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The export's id.")],  # noqa: A002  # the schema's name
    ) -> ExportRecord | None:
        number = ids.number_of(Kind.EXPORT, id)
        return None if number is None else await info.context.loaders.exports.load(number)


@strawberry.type
class ExportMutation:
    @strawberry.mutation(
        description=f"Writes the members of a list to a file, as they are at one instant. At most {OPEN_LIMIT} exports of a workspace wait or "
        f"run, and at most {FILES_LIMIT} have a file; another one is InvalidInput with the code TOO_MANY. A segment that is COMPUTING or "
        "FAILED is InvalidInput with the code CONFLICT. It needs the scope READ, because it changes nothing about people.",
        graphql_type=ExportListResult,
        metadata={"scope": Scope.READ},
    )
    @staticmethod
    async def export_list(
        info: Info,
        wanted: Annotated[ExportListInput, strawberry.argument(name="input", description="What to export.")],
    ) -> _Exported:
        plan = ExportPlan(
            format=wanted.format.value,
            fields=DEFAULT_FIELDS if not isinstance(wanted.fields, list) else tuple(wanted.fields),
            escape_formulas=wanted.escape_formulas,
        )
        made, secret = await export_list(
            ports=info.context.ports, workspace=info.context.workspace, key=_key(wanted.exported), plan=plan
        )
        if made.list_kind == "SEGMENT":
            info.context.note_reads([made.list_id])
        return _Exported(made, f"/exports/{ids.encode(Kind.EXPORT, made.id)}/{secret}")

    @strawberry.mutation(
        description="Ends an export and deletes its file. An export that has failed or expired does not change. It needs the scope READ.",
        graphql_type=ExpireExportResult,
        metadata={"scope": Scope.READ},
    )
    @staticmethod
    async def expire_export(
        info: Info,
        ended: Annotated[
            ExpireExportInput, strawberry.argument(name="input", description="The export to end.")
        ],
    ) -> ExportRecord:
        return await expire_export(
            ports=info.context.ports,
            workspace=info.context.workspace,
            export_id=ids.number_of(Kind.EXPORT, ended.id),
        )


@strawberry.type
class ExportSubscription:
    @strawberry.subscription(
        description="The state of an export: now, and again after each step of progress until the export ends. An unknown id is the error "
        "NOT_FOUND.",
        graphql_type=AsyncGenerator[Export, None],
    )
    @staticmethod
    async def export_progress(
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The export's id.")],  # noqa: A002  # the schema's name
    ) -> AsyncGenerator[ExportRecord, None]:
        context = info.context
        reported = export_progress(
            ports=context.ports, workspace=context.workspace, export_id=ids.number_of(Kind.EXPORT, id)
        )
        async with aclosing(reported) as reports:  # type: ignore[type-var]  # an async generator, declared as an iterator
            async for report in reports:
                context.forget()
                yield report


def _key(given: ExportedListInput) -> ListKey:
    if given.segment_id:
        return ListKey(kind="SEGMENT", id=ids.number_of(Kind.SEGMENT, given.segment_id.value))
    group_id = given.group_id.value if given.group_id else ""
    return ListKey(kind="GROUP", id=ids.number_of(Kind.GROUP, group_id))
