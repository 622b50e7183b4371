"""The interface Node, and the queries that find any object by its id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Context, Info
from audience_gql.api.declaring import FOR_EACH, READS, WRITTEN, ByType
from audience_gql.api.errors import BadUserInput
from audience_gql.api.ids import Kind
from audience_gql.api.loading.batching import Loader
from audience_gql.api.loading.loaders import Loaders

MOST_AT_ONCE: Final = 100
Finder: TypeAlias = Callable[[Context, str], Awaitable[object | None]]
Key = TypeVar("Key")


@strawberry.interface(description="An object with an id.")
class Node:
    @strawberry.field(
        description="The object's id: opaque, unique among all types, never changed and never reused.",
        metadata={FOR_EACH: ids.ids_of, READS: ("bucket_id", "id"), WRITTEN: ByType(ids.written_id)},
    )
    @staticmethod
    def id(parent: strawberry.Parent[Any]) -> strawberry.ID:  # Any: a row of any kind that has ids
        (id_,) = ids.ids_of([parent])
        return strawberry.ID(id_)


@strawberry.type
class NodeQuery:
    @strawberry.field(
        description="The object with this id. Null when nothing in this workspace has it. Without the scope ADMIN, a caller finds no token "
        "except its own, and nothing of webhooks, trusted documents and the audit trail.",
        graphql_type=Node | None,
    )
    @staticmethod
    async def node(
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of any object.")],  # noqa: A002  # the schema's name
    ) -> object | None:
        return await _find(info.context, id)

    @strawberry.field(
        description="The objects with these ids, in the order of the ids. Null for each id that nothing in this workspace has.",
        graphql_type=list[Node | None],
    )
    @staticmethod
    async def nodes(
        info: Info,
        wanted: Annotated[
            list[strawberry.ID],
            strawberry.argument(name="ids", description=f"Up to {MOST_AT_ONCE} ids, of any types."),
        ],
    ) -> list[object | None]:
        if len(wanted) > MOST_AT_ONCE:
            raise BadUserInput(f"`ids` takes at most {MOST_AT_ONCE} ids, not {len(wanted)}.", argument="ids")
        return await asyncio.gather(*(_find(info.context, id_) for id_ in wanted))


async def _find(context: Context, text: str) -> object | None:
    kind = ids.kind_of(text)
    return None if kind is None else await _FINDERS[kind](context, text)


def _loaded(
    decode: Callable[[str], Key | None], loader: Callable[[Loaders], Loader[Key, Any]]
) -> Finder:  # Any: a row of any kind
    async def find(context: Context, text: str) -> object | None:
        key = decode(text)
        return None if key is None else await loader(context.loaders).load(key)

    return find


async def _custom_field(context: Context, text: str) -> object | None:
    number = ids.number_of(Kind.CUSTOM_FIELD, text)
    fields = await context.loaders.custom_fields.load(None)
    return next((field for field in fields if field.id == number), None)


async def _workspace(context: Context, text: str) -> object | None:
    return context.workspace if ids.number_of(Kind.WORKSPACE, text) == context.workspace.id else None


async def _api_token(context: Context, text: str) -> object | None:
    """Every token may read itself. Only an ADMIN may read other tokens, as with the query `apiTokens`."""
    token, number = context.access.token, ids.number_of(Kind.API_TOKEN, text)
    if number is None or number == token.id:
        return None if number is None else token
    return await context.loaders.api_tokens.load(number) if context.access.allows("ADMIN") else None


def _for_admins(find: Finder) -> Finder:
    """The same for callers with the scope ADMIN. Others find nothing, as with queries that need this scope."""

    async def find_if_allowed(context: Context, text: str) -> object | None:
        return await find(context, text) if context.access.allows("ADMIN") else None

    return find_if_allowed


_FINDERS: Final[Mapping[Kind, Finder]] = {
    Kind.SUBSCRIBER: _loaded(ids.owner_of, lambda loaders: loaders.subscribers),
    Kind.GROUP: _loaded(partial(ids.number_of, Kind.GROUP), lambda loaders: loaders.groups),
    Kind.SEGMENT: _loaded(partial(ids.number_of, Kind.SEGMENT), lambda loaders: loaders.segments),
    Kind.CUSTOM_FIELD: _custom_field,
    Kind.EVENT: _loaded(ids.event_key_of, lambda loaders: loaders.events),
    Kind.MEMBERSHIP_CHANGE: _loaded(ids.change_key_of, lambda loaders: loaders.changes),
    Kind.WORKSPACE: _workspace,
    Kind.IMPORT: _loaded(partial(ids.number_of, Kind.IMPORT), lambda loaders: loaders.imports),
    Kind.IMPORT_ROW: _loaded(ids.reject_key_of, lambda loaders: loaders.import_rejects),
    Kind.EXPORT: _loaded(partial(ids.number_of, Kind.EXPORT), lambda loaders: loaders.exports),
    Kind.AUTOMATION: _loaded(partial(ids.number_of, Kind.AUTOMATION), lambda loaders: loaders.automations),
    Kind.AUTOMATION_RUN: _loaded(ids.run_key_of, lambda loaders: loaders.runs),
    Kind.WEBHOOK_ENDPOINT: _for_admins(
        _loaded(partial(ids.number_of, Kind.WEBHOOK_ENDPOINT), lambda loaders: loaders.endpoints)
    ),
    Kind.WEBHOOK_DELIVERY: _for_admins(_loaded(ids.delivery_key_of, lambda loaders: loaders.deliveries)),
    Kind.AUDIT_ENTRY: _for_admins(
        _loaded(partial(ids.number_of, Kind.AUDIT_ENTRY), lambda loaders: loaders.trail_entries)
    ),
    Kind.TRUSTED_DOCUMENT: _for_admins(
        _loaded(partial(ids.number_of, Kind.TRUSTED_DOCUMENT), lambda loaders: loaders.trusted_documents)
    ),
    Kind.SEGMENT_REVISION: _loaded(
        partial(ids.number_of, Kind.SEGMENT_REVISION), lambda loaders: loaders.segment_revisions
    ),
    Kind.API_TOKEN: _api_token,
}
