"""The audit trail: who changed which definition, when, and how. It needs the scope ADMIN."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import strawberry
from strawberry.scalars import JSON

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.errors import BadUserInput
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
from audience_gql.api.scalars import instant_at
from audience_gql.api.shapes import enum
from audience_gql.api.trail.rendering import object_id, shown
from audience_gql.api.viewer import Scope
from audience_gql.storage import trail
from audience_gql.storage.trail import EntryRecord, TrailFilter

_ENTRIES: Final = Listing("auditTrail", datetime, int)


@enum(
    "Who changed something.",
    TOKEN="A caller of the API, with a token.",  # noqa: S106  # a description
    COMMAND_LINE="Somebody who ran a command of `audience-gql` on a machine of the deployment.",
    SERVER="The server itself, for example when it disables a webhook endpoint that always fails.",
)
class AuditActorKind(StrEnum):
    TOKEN = "TOKEN"  # noqa: S105  # the word for a kind of actor
    COMMAND_LINE = "COMMAND_LINE"
    SERVER = "SERVER"


@enum(
    "What was changed, and how.",
    SEGMENT_CREATED="A segment was created, also as a share of a split.",
    SEGMENT_EDITED="A segment was edited.",
    SEGMENT_PAUSED="A segment was paused.",
    SEGMENT_RESUMED="A paused segment was resumed.",
    SEGMENT_DELETED="A segment was deleted.",
    GROUP_CREATED="A group was created.",
    GROUP_EDITED="The name or description of a group was edited. Its members are in the log instead.",
    GROUP_DELETED="A group was deleted.",
    CUSTOM_FIELD_DEFINED="A custom field was defined.",
    CUSTOM_FIELD_EDITED="The label or the options of a custom field were edited.",
    CUSTOM_FIELD_DELETED="A custom field was deleted, with its values.",
    AUTOMATION_CREATED="An automation was created.",
    AUTOMATION_EDITED="An automation was edited.",
    AUTOMATION_PAUSED="An automation was paused.",
    AUTOMATION_RESUMED="A paused automation was resumed.",
    AUTOMATION_DELETED="An automation was deleted.",
    WEBHOOK_ENDPOINT_CREATED="A webhook endpoint was created.",
    WEBHOOK_ENDPOINT_EDITED="A webhook endpoint was edited.",
    WEBHOOK_ENDPOINT_ENABLED="A disabled webhook endpoint was enabled.",
    WEBHOOK_ENDPOINT_DISABLED="A webhook endpoint was disabled, by a caller or by the server.",
    WEBHOOK_ENDPOINT_DELETED="A webhook endpoint was deleted.",
    WEBHOOK_SECRET_ROTATED="A webhook endpoint got another secret.",  # noqa: S106  # a description
    API_TOKEN_CREATED="A token was created.",  # noqa: S106  # a description
    API_TOKEN_REVOKED="A token was revoked.",  # noqa: S106  # a description
    API_TOKEN_ROTATED="A token was replaced by another one, and ends soon. The other one has an entry of its own.",  # noqa: S106  # a description
    TRUSTED_DOCUMENT_PUBLISHED="A trusted document was published.",
    TRUSTED_DOCUMENT_WITHDRAWN="A trusted document was withdrawn.",
    IMPORT_STARTED="An import was started.",
    IMPORT_CANCELLED="An import was cancelled.",
    IMPORT_UNDONE="Somebody asked to undo an import. The people whom the undo erases have no entries of their own.",
    EXPORT_STARTED="An export of a list was requested.",
    SUBSCRIBER_ERASED="A person was erased. The entry has only their former id.",
    SUBSCRIBER_EXPORTED="Everything about one person was read. The entry has only their id.",
    WORKSPACE_CREATED="The workspace was created.",
    WORKSPACE_EDITED="The name or the calendar of the workspace was changed.",
)
class AuditKind(StrEnum):
    SEGMENT_CREATED = "SEGMENT_CREATED"
    SEGMENT_EDITED = "SEGMENT_EDITED"
    SEGMENT_PAUSED = "SEGMENT_PAUSED"
    SEGMENT_RESUMED = "SEGMENT_RESUMED"
    SEGMENT_DELETED = "SEGMENT_DELETED"
    GROUP_CREATED = "GROUP_CREATED"
    GROUP_EDITED = "GROUP_EDITED"
    GROUP_DELETED = "GROUP_DELETED"
    CUSTOM_FIELD_DEFINED = "CUSTOM_FIELD_DEFINED"
    CUSTOM_FIELD_EDITED = "CUSTOM_FIELD_EDITED"
    CUSTOM_FIELD_DELETED = "CUSTOM_FIELD_DELETED"
    AUTOMATION_CREATED = "AUTOMATION_CREATED"
    AUTOMATION_EDITED = "AUTOMATION_EDITED"
    AUTOMATION_PAUSED = "AUTOMATION_PAUSED"
    AUTOMATION_RESUMED = "AUTOMATION_RESUMED"
    AUTOMATION_DELETED = "AUTOMATION_DELETED"
    WEBHOOK_ENDPOINT_CREATED = "WEBHOOK_ENDPOINT_CREATED"
    WEBHOOK_ENDPOINT_EDITED = "WEBHOOK_ENDPOINT_EDITED"
    WEBHOOK_ENDPOINT_ENABLED = "WEBHOOK_ENDPOINT_ENABLED"
    WEBHOOK_ENDPOINT_DISABLED = "WEBHOOK_ENDPOINT_DISABLED"
    WEBHOOK_ENDPOINT_DELETED = "WEBHOOK_ENDPOINT_DELETED"
    WEBHOOK_SECRET_ROTATED = "WEBHOOK_SECRET_ROTATED"  # noqa: S105  # the word for a kind of change
    API_TOKEN_CREATED = "API_TOKEN_CREATED"  # noqa: S105  # the same
    API_TOKEN_REVOKED = "API_TOKEN_REVOKED"  # noqa: S105  # the same
    API_TOKEN_ROTATED = "API_TOKEN_ROTATED"  # noqa: S105  # the same
    TRUSTED_DOCUMENT_PUBLISHED = "TRUSTED_DOCUMENT_PUBLISHED"
    TRUSTED_DOCUMENT_WITHDRAWN = "TRUSTED_DOCUMENT_WITHDRAWN"
    IMPORT_STARTED = "IMPORT_STARTED"
    IMPORT_CANCELLED = "IMPORT_CANCELLED"
    IMPORT_UNDONE = "IMPORT_UNDONE"
    EXPORT_STARTED = "EXPORT_STARTED"
    SUBSCRIBER_ERASED = "SUBSCRIBER_ERASED"
    SUBSCRIBER_EXPORTED = "SUBSCRIBER_EXPORTED"
    WORKSPACE_CREATED = "WORKSPACE_CREATED"
    WORKSPACE_EDITED = "WORKSPACE_EDITED"


@strawberry.type(description="Who made a change, as they were called at that time.")
class AuditActor:
    kind: AuditActorKind = strawberry.field(description="A token, the command line, or the server.")
    name: str = strawberry.field(description="The name that the token had at that time, or what acted.")
    token_id: strawberry.ID | None = strawberry.field(
        description="The id of the token, which may be revoked by now. Null for other actors."
    )


@strawberry.type(
    description="One change of one object. Entries are written in the transaction of the change, and are never changed or deleted."
)
class AuditEntry(Node):
    at: datetime = strawberry.field(description="When the change was made, by the clock of the database.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return type(row) is EntryRecord  # a revision is one, too

    @strawberry.field(description="What was changed, and how.")
    @staticmethod
    def kind(parent: strawberry.Parent[EntryRecord]) -> AuditKind:
        return AuditKind(parent.kind)

    @strawberry.field(description="Who changed it.")
    @staticmethod
    def actor(parent: strawberry.Parent[EntryRecord]) -> AuditActor:
        token_id = None if parent.token_id is None else ids.encode(Kind.API_TOKEN, parent.token_id)
        return AuditActor(
            kind=AuditActorKind(parent.actor_kind),
            name=parent.actor_name,
            token_id=None if token_id is None else strawberry.ID(token_id),
        )

    @strawberry.field(
        description="The id of the object, which may be deleted by now. The id of an erased person leads nowhere."
    )
    @staticmethod
    def object_id(parent: strawberry.Parent[EntryRecord]) -> strawberry.ID:
        return strawberry.ID(object_id(parent))

    @strawberry.field(
        description="The name of the object after the change. Null for a person, and for what has no name."
    )
    @staticmethod
    def object_name(parent: strawberry.Parent[EntryRecord]) -> str | None:
        return parent.object_name

    @strawberry.field(
        description="The object before the change, with the names that its fields have in this schema. It has no secrets. Null for a new "
        "object, and when nothing is told, as for a person."
    )
    @staticmethod
    def before(parent: strawberry.Parent[EntryRecord]) -> JSON | None:
        return shown(parent.before)  # type: ignore[return-value]  # JSON is a type of any value

    @strawberry.field(description="The object after the change, in the same way. Null for a deleted object.")
    @staticmethod
    def after(parent: strawberry.Parent[EntryRecord]) -> JSON | None:
        return shown(parent.after)  # type: ignore[return-value]  # the same


@strawberry.type(description="An entry of the audit trail, in a list.")
class AuditEntryEdge(ListEdge):
    node: AuditEntry = strawberry.field(description="The entry.")


@strawberry.type(description="A page of the audit trail.")
class AuditEntryConnection(ListConnection[AuditEntryEdge]): ...


@strawberry.input(one_of=True, description="Who made the changes that are looked for.")
class AuditActorKey:
    token_id: strawberry.Maybe[strawberry.ID] = strawberry.field(
        description="The id of a token of the workspace, also of a revoked one."
    )
    kind: strawberry.Maybe[AuditActorKind] = strawberry.field(description="All actors of a kind.")


@strawberry.type
class TrailQuery:
    @strawberry.field(
        description="The audit trail: each change of segments, groups, custom fields, automations, webhook endpoints, tokens and trusted documents, each start of an "
        "import or export, and each erasure. The latest entry comes first. It needs the scope ADMIN.",
        graphql_type=AuditEntryConnection,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def audit_trail(
        info: Info,
        first: First = LONG_PAGE_SIZE,
        after: After = None,
        actor: Annotated[
            AuditActorKey | None,
            strawberry.argument(description="Only changes by this actor; by anybody for null."),
        ] = None,
        kinds: Annotated[
            list[AuditKind] | None,
            strawberry.argument(description="Only changes of these kinds; all kinds for null or []."),
        ] = None,
        about: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                name="object", description="Only changes of the object with this id, which may be deleted."
            ),
        ] = None,
        since: Annotated[
            datetime | None, strawberry.argument(description="Only changes at this instant or later.")
        ] = None,
        until: Annotated[
            datetime | None, strawberry.argument(description="Only changes before this instant.")
        ] = None,
    ) -> Page[EntryRecord]:
        part = _ENTRIES.slice(first, after, default=LONG_PAGE_SIZE)
        bucket, number = (None, None) if about is None else _object(about)
        wanted = TrailFilter(
            actor_kind=actor.kind.value.value if actor and actor.kind else None,
            token_id=_token_id(actor),
            kinds=tuple(sorted({kind.value for kind in kinds or ()})),
            object_id=number,
            object_bucket=bucket,
            since=instant_at(since, "since") if since else None,
            until=instant_at(until, "until") if until else None,
        )
        database, workspace = info.context.ports.database, info.context.workspace
        return _ENTRIES.page(await trail.entries(database, workspace.id, part, wanted), part)


def _token_id(actor: AuditActorKey | None) -> int | None:
    if actor is None or not actor.token_id:
        return None
    number = ids.number_of(Kind.API_TOKEN, actor.token_id.value)
    if number is None:
        raise BadUserInput("`actor.tokenId` is not the id of a token.", argument="actor")
    return number


def _object(text: str) -> tuple[int | None, int]:
    """The bucket, for a person, and the number of the object that an id names. Raises BadUserInput."""
    kind = ids.kind_of(text)
    numbers = None if kind is None else ids.decode(kind, text)
    match numbers:
        case (number,):
            return None, number
        case (bucket_id, number) if kind is Kind.SUBSCRIBER:
            return bucket_id, number
    raise BadUserInput("`object` is not the id of anything in the audit trail.", argument="object")
