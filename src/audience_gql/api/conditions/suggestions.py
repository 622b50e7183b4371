"""Suggestions for an editor of conditions: names of events, and values that people have."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import strawberry
from strawberry.scalars import JSON

from audience_gql.api.context import Context, Info
from audience_gql.api.errors import BadUserInput
from audience_gql.api.pagination import First, page_size
from audience_gql.api.search import Search, words
from audience_gql.conditions.given_values import is_keepable
from audience_gql.conditions.profile import TEXT_OF_NAME
from audience_gql.storage import definitions
from audience_gql.storage.reads import suggestions
from audience_gql.storage.reads.suggestions import EVENTS, MOST_BUCKETS, PEOPLE, SeenName, ValueCount

_MOST_NAMES: Final = 1_000
_SUGGESTIONS: Final = 10
"""How many values are suggested by default."""


@strawberry.type(description="A name of events.")
class EventName:
    name: str = strawberry.field(description="The name, for example order_placed.")
    last_seen_at: datetime = strawberry.field(description="When such an event last happened.")
    properties: list[str] = strawberry.field(
        description="The property keys of the latest twenty such events, sorted; up to 100."
    )


@strawberry.input(one_of=True, description="The source of suggested values.")
class ValueSource:
    profile: strawberry.Maybe[str] = strawberry.field(
        description="A text field of the profile, by its name in SubscriberInput, for example city."
    )
    field: strawberry.Maybe[str] = strawberry.field(description="A custom field, by key.")
    property: strawberry.Maybe[PropertyKey] = strawberry.field(description="A property of events.")


@strawberry.input(description="A property of the events with one name.")
class PropertyKey:
    event: str = strawberry.field(description="The name of the events.")
    key: str = strawberry.field(description="The key of the property.")


@strawberry.type(description="A value that people have.")
class ValueSuggestion:
    value: JSON = strawberry.field(
        description="The value in its commonest spelling. For a LIST field, one text of the lists."
    )
    people: int = strawberry.field(
        description=f"The number of people who have the value, regardless of case. It is exact in a workspace of up to {PEOPLE:,} people, "
        "otherwise estimated from a sample of that size. For a property: the number of people among the latest "
        f"{EVENTS:,} events with this name."
    )


@strawberry.type
class SuggestionQuery:
    @strawberry.field(
        description="The names of events that have happened, sorted. In a workspace with more than "
        f"{MOST_BUCKETS} buckets (some millions of people), the names that occur in a sample.",
        graphql_type=list[EventName],
        metadata={"up_to": _MOST_NAMES},
    )
    @staticmethod
    async def event_names(info: Info) -> list[SeenName]:
        async with info.context.ports.database.acquire() as connection:
            now = await info.context.ports.clock.now(connection)
        return await suggestions.seen_names(info.context.ports.database, info.context.workspace.id, now)

    @strawberry.field(
        description="Values that an editor can offer. The commonest comes first. [] for an unknown custom field, event or property.",
        graphql_type=list[ValueSuggestion],
    )
    @staticmethod
    async def value_suggestions(
        info: Info,
        of: Annotated[ValueSource, strawberry.argument(description="The source of the values.")],
        search: Search = None,
        first: First = _SUGGESTIONS,
    ) -> list[ValueCount]:
        more: dict[str, Any] = {  # Any: keyword arguments
            "words": words(search),
            "limit": page_size(first, default=_SUGGESTIONS),
        }
        if of.profile:
            return await _of_profile(info.context, of.profile.value, **more)
        if of.field:
            return await _of_field(info.context, of.field.value, **more)
        return await _of_property(info.context, of.property.value if of.property else None, **more)


async def _of_profile(context: Context, name: str, **more: Any) -> list[ValueCount]:  # Any: as above
    if name not in TEXT_OF_NAME:
        raise BadUserInput(f"`of.profile` must be one of {', '.join(TEXT_OF_NAME)}.", argument="of")
    return await suggestions.profile_values(
        context.ports.database, context.workspace.id, TEXT_OF_NAME[name], **more
    )


async def _of_field(context: Context, key: str, **more: Any) -> list[ValueCount]:  # Any: as above
    async with context.ports.database.acquire() as connection:
        fields = await definitions.fields_by_key(connection, context.workspace.id)
    if key not in fields:
        return []
    return await suggestions.field_values(context.ports.database, context.workspace.id, fields[key], **more)


async def _of_property(
    context: Context, wanted: PropertyKey | None, **more: Any
) -> list[ValueCount]:  # Any: as above
    if wanted is None or not is_keepable(wanted.event) or not is_keepable(wanted.key):
        return []
    return await suggestions.property_values(
        context.ports.database, context.workspace.id, wanted.event.strip(), wanted.key, **more
    )
