"""The inputs by which callers name one person, group or segment: by id or by another unique key."""

from __future__ import annotations

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Context
from audience_gql.api.ids import Kind
from audience_gql.audience.people import keys
from audience_gql.audience.people.profiles import named_identity
from audience_gql.conditions.given_values import BadValue, given_line
from audience_gql.conditions.values import fold
from audience_gql.storage.orm.models import Group, Segment
from audience_gql.storage.reads import batches
from audience_gql.storage.reads.records import Columns, Identity, Owner, SubscriberRecord


@strawberry.input(one_of=True, description="A key that names one person of the workspace.")
class SubscriberKey:
    id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="The person's id.")
    email: strawberry.Maybe[str] = strawberry.field(
        description="The person's email address, regardless of case."
    )
    phone: strawberry.Maybe[str] = strawberry.field(
        description="The person's phone number in E.164 format, for example +37060000000."
    )
    external_id: strawberry.Maybe[str] = strawberry.field(
        description="The person's id in the system that they come from. Case matters."
    )


@strawberry.input(one_of=True, description="A key that names one group of the workspace.")
class GroupKey:
    id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="The group's id.")
    name: strawberry.Maybe[str] = strawberry.field(description="The group's name, regardless of case.")


@strawberry.input(one_of=True, description="A key that names one segment of the workspace.")
class SegmentKey:
    id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="The segment's id.")
    name: strawberry.Maybe[str] = strawberry.field(description="The segment's name, regardless of case.")


def subscriber_key(key: SubscriberKey) -> keys.SubscriberKey:
    """The key in the application's form."""
    if key.id:
        owner = ids.owner_of(key.id.value)
        return keys.SubscriberKey(kind="id", value=owner and keys.SubscriberRef(*owner))
    if key.email:
        return keys.SubscriberKey(kind="email", value=key.email.value)
    if key.phone:
        return keys.SubscriberKey(kind="phone", value=key.phone.value)
    return keys.SubscriberKey(kind="externalId", value=key.external_id.value if key.external_id else None)


async def find_subscriber(
    context: Context, key: SubscriberKey, columns: Columns = None
) -> SubscriberRecord | None:
    """The person that a key names. None when there is no such person."""
    database = context.ports.database
    if key.id:
        owner = ids.owner_of(key.id.value)
        if owner is None:
            return None
        found = await batches.subscribers_by_owners(database, context.workspace.id, [owner], columns)
        return found.get(owner)
    named = identity_of(key)
    if named is None:
        return None
    return await batches.subscriber_by_identity(database, context.workspace.id, named, columns)


async def find_owner(context: Context, key: SubscriberKey) -> Owner | None:
    """The bucket and number of the person that a key names. None when there is no such person.

    An id is only decoded: its person may not exist any more.
    """
    if key.id:
        return ids.owner_of(key.id.value)
    named = identity_of(key)
    if named is None:
        return None
    return await batches.find_owner(context.services.ports.database, context.workspace.id, named)


def identity_of(key: SubscriberKey) -> Identity | None:
    """The key in the form that storage compares. None for an id, and for text that cannot be a key."""
    named = subscriber_key(key)
    return named_identity(named.kind, named.value)


async def find_group(context: Context, key: GroupKey) -> Group | None:
    if key.id:
        number = ids.number_of(Kind.GROUP, key.id.value)
        return None if number is None else await context.loaders.groups.load(number)
    name = folded_name(key.name.value if key.name else "")
    return (
        None
        if name is None
        else await batches.find_group_by_name(context.services.ports.database, context.workspace.id, name)
    )


async def find_segment(context: Context, key: SegmentKey, columns: Columns = None) -> Segment | None:
    if key.id and columns is None:
        number = ids.number_of(Kind.SEGMENT, key.id.value)
        return None if number is None else await context.loaders.segments.load(number)
    by = named_segment(key)
    if by is None:
        return None
    found = await batches.find_segment(context.services.ports.database, context.workspace.id, by, columns)
    if found is None:
        return None
    segment, figures = found
    if figures is not None:
        context.loaders.figures.prime(segment.id, figures)
    return segment


def named_segment(key: SegmentKey) -> int | str | None:
    """The number or the folded name of a segment. None for a text that is neither."""
    return (
        ids.number_of(Kind.SEGMENT, key.id.value)
        if key.id
        else folded_name(key.name.value if key.name else "")
    )


def folded_name(name: str) -> str | None:
    """A name in the form that storage compares. None for text that cannot be a name."""
    try:
        text = given_line(name)
    except BadValue:
        return None
    return None if text is None else fold(text)
