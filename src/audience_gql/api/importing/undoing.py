"""Undoing an import: the mutation, what an undo has done so far, and why an import cannot be undone."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import Handler, NotFound, UserError
from audience_gql.api.ids import Kind
from audience_gql.api.shapes import enum
from audience_gql.audience.imports import undo_requests
from audience_gql.audience.imports.lifecycle import MESSAGE_DAYS
from audience_gql.storage.imports.imports import ImportRecord

if TYPE_CHECKING:
    from audience_gql.api.importing.imports import Import


@enum(
    "The state of an undo.",
    RUNNING="A worker undoes the import, batch by batch, the latest first.",
    DONE="Everything has gone back, except for what is counted as kept.",
)
class ImportUndoState(StrEnum):
    RUNNING = "RUNNING"
    DONE = "DONE"


@enum(
    "The reason why an import cannot be undone.",
    DRY_RUN="The import only checked its file, so there is nothing to undo.",
    STILL_RUNNING="The import has not ended. Cancel it first.",
    TOO_OLD=f"It is not known any more what the import did: this is kept for {MESSAGE_DAYS} days after `createdAt`, and was not recorded by "
    "older versions.",
)
class UndoRefusal(StrEnum):
    DRY_RUN = "DRY_RUN"
    STILL_RUNNING = "STILL_RUNNING"
    TOO_OLD = "TOO_OLD"


def _counted(name: str, description: str) -> Any:  # Any: what strawberry.field returns
    @strawberry.field(description=description)
    def count(parent: strawberry.Parent[ImportRecord]) -> int:
        return parent.undo_counts.get(name, 0)

    return count


@strawberry.type(
    description="What undoing an import has done so far. Values and groups of people who were erased are not counted."
)
class ImportUndo:
    people_erased = _counted(
        "people_erased",
        "The people whom the import had created and nobody has touched since. They are erased.",
    )
    people_kept = _counted(
        "people_kept",
        "The people whom the import had created and who are kept, because they have events, or somebody has changed them since. Their "
        "profile stays as it is.",
    )
    memberships_undone = _counted(
        "memberships_undone",
        "The memberships in groups that the import had added and that ended, and those that it had ended and that are there again.",
    )
    memberships_kept = _counted(
        "memberships_kept",
        "The memberships that the import had added and that stay, because somebody has removed and added the person again since.",
    )
    values_restored = _counted(
        "values_restored",
        "The values that are as before the import: fields of profiles, custom fields and channel statuses.",
    )
    values_kept = _counted(
        "values_kept", "The values that stay as they are, because somebody has changed them since."
    )
    refusals_kept = _counted(
        "refusals_kept",
        "The channel statuses that stay, because they are refusals of messages that the import set. Only `setChannelStatus` may end a "
        "refusal.",
    )
    keys_kept = _counted(
        "keys_kept", "The keys that did not go back to their person, because somebody else has them now."
    )

    @strawberry.field(description="The state of the undo.", graphql_type=ImportUndoState)
    @staticmethod
    def state(parent: strawberry.Parent[ImportRecord]) -> ImportUndoState:
        return ImportUndoState(parent.undo_state or "")

    @strawberry.field(description="The finished share of the undo, from 0 to 1.")
    @staticmethod
    def fraction(parent: strawberry.Parent[ImportRecord]) -> float:
        return parent.undone_fraction

    @strawberry.field(description="When somebody asked for the undo.")
    @staticmethod
    def started_at(parent: strawberry.Parent[ImportRecord]) -> datetime:
        assert parent.undo_started_at is not None  # noqa: S101  # written together with the state
        return parent.undo_started_at

    @strawberry.field(description="The name that the token had with which somebody asked for the undo.")
    @staticmethod
    def started_by(parent: strawberry.Parent[ImportRecord]) -> str | None:
        return parent.undo_started_by

    @strawberry.field(description="When the undo was done; null before.")
    @staticmethod
    def ended_at(parent: strawberry.Parent[ImportRecord]) -> datetime | None:
        return parent.undo_ended_at

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, ImportRecord)


@strawberry.type(description="The import cannot be undone. Nothing was changed.")
class ImportNotUndoable(UserError):
    reason: UndoRefusal = strawberry.field(description="Why it cannot be undone.")


@strawberry.input(description="An import to undo.")
class UndoImportInput:
    id: strawberry.ID = strawberry.field(description="The import's id.")


UndoImportResult: TypeAlias = Annotated[
    Annotated["Import", strawberry.lazy("audience_gql.api.importing.imports")] | ImportNotUndoable | NotFound,
    strawberry.union(
        "UndoImportResult", description="The import, whose undo has begun, or the reason why it has not."
    ),
]

UNDO_HANDLERS: Final[list[Handler[Any]]] = [  # Any: as HANDLERS
    Handler(
        undo_requests.UndoRefused,
        ImportNotUndoable,
        lambda it, spell: ImportNotUndoable(
            message=it.message, path=spell(it.path), reason=UndoRefusal(it.reason)
        ),
    )
]


@strawberry.type
class ImportUndoMutation:
    @strawberry.mutation(
        description="Undoes what an import did: a worker erases the people whom it created, ends the memberships that it added, and restores "
        "the values that it changed, unless somebody has changed them since. It returns at once; `undo` and `importProgress` show the "
        "progress. An undo cannot be stopped or undone. An import that is undone already does not change.",
        graphql_type=UndoImportResult,
    )
    @staticmethod
    async def undo_import(
        info: Info,
        undone: Annotated[
            UndoImportInput, strawberry.argument(name="input", description="The import to undo.")
        ],
    ) -> ImportRecord:
        return await undo_requests.undo_import(
            ports=info.context.ports,
            workspace=info.context.workspace,
            import_id=ids.number_of(Kind.IMPORT, undone.id),
            by=info.context.access.token.name,
        )
