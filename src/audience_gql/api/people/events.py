"""Events: what people did, and the mutation that takes them in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry
from strawberry.scalars import JSON

from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, Reject
from audience_gql.api.keys import SubscriberKey, subscriber_key
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import CURSOR, EDGES, Connection
from audience_gql.api.viewer import Scope
from audience_gql.audience.people.events import EventItem, Tracked, track_events
from audience_gql.storage.reads.records import EventRecord, SubscriberRecord

if TYPE_CHECKING:
    from audience_gql.api.people.subscribers import Subscriber


@strawberry.type(description="Something that a person did, or that happened to her.")
class Event(Node):
    name: str = strawberry.field(description="What happened, such as order_placed.")
    occurred_at: datetime = strawberry.field(description="When it happened, whenever it was told.")
    properties: JSON = strawberry.field(description="What else was told of it: an object.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, EventRecord)

    @strawberry.field(description="What it was worth, such as an order's total.")
    @staticmethod
    def value(parent: strawberry.Parent[EventRecord]) -> float | None:
        return None if parent.value is None else float(parent.value)

    @strawberry.field(
        description="Whose event it is.",
        graphql_type=Annotated["Subscriber", strawberry.lazy("audience_gql.api.people.subscribers")],
    )
    @staticmethod
    async def subscriber(parent: strawberry.Parent[EventRecord], info: Info) -> SubscriberRecord | None:
        return await info.context.loaders.subscribers.load((parent.bucket_id, parent.subscriber_id))


@strawberry.type(description="An event in a list.")
class EventEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Event = strawberry.field(description="The event.")


@strawberry.type(description="A page of events, the latest first.")
class EventConnection(Connection):
    edges: list[EventEdge] = strawberry.field(description=EDGES)


@strawberry.input(description="Something that a person did.")
class EventInput:
    subscriber: SubscriberKey = strawberry.field(description="Whose event it is.")
    name: str = strawberry.field(
        description="What happened, up to 100 characters; any name will do. `email_bounced`, `email_unsubscribed` and "
        "`email_complained` also move the EMAIL channel, unless its status was set since they happened or is a stronger "
        "refusal already; one of the future moves it at once, since a refusal is never put off."
    )
    occurred_at: datetime | None = strawberry.field(
        description="When it happened, at most a day ahead; now when left out.", default=strawberry.UNSET
    )
    value: float | None = strawberry.field(
        description="What it was worth, such as an order's total.", default=strawberry.UNSET
    )
    properties: JSON | None = strawberry.field(
        description="What else is to be said of it: an object of up to 256 keys and 64 kB.",
        default=strawberry.UNSET,
    )
    key: str | None = strawberry.field(
        description="Makes it count once, however often it is sent: unique for the person, up to 200 characters.",
        default=strawberry.UNSET,
    )


@strawberry.input(description="Events to take in.")
class TrackEventsInput:
    events: list[EventInput] = strawberry.field(description="Up to 1,000, in any order.")
    create_missing: bool = strawberry.field(
        description="Make unknown people from their email, phone or external id; otherwise their events are refused. Nobody is "
        "made of an event that is refused, and a key of which nobody can be made is refused with what is wrong with it.",
        default=False,
    )


@strawberry.type(description="What became of a batch of events.")
class TrackEventsPayload:
    accepted: int = strawberry.field(description="How many were taken in.")
    duplicates: int = strawberry.field(
        description="How many had a key that their person's events already had."
    )
    rejects: list[Reject] = strawberry.field(description="Those that were refused.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, Tracked)


TrackEventsResult: TypeAlias = Annotated[
    TrackEventsPayload | InvalidInput,
    strawberry.union(
        "TrackEventsResult", description="What became of the events, or why none was looked at."
    ),
]


@strawberry.type
class EventMutation:
    @strawberry.mutation(
        description="Take in what people did; late, twice and out of order is fine.",
        graphql_type=TrackEventsResult,
        metadata={"scope": Scope.TRACK},
    )
    @staticmethod
    async def track_events(
        info: Info,
        batch: Annotated[TrackEventsInput, strawberry.argument(name="input", description="The events.")],
    ) -> Tracked:
        return await track_events(
            ports=info.context.ports,
            workspace=info.context.workspace,
            items=[_item(event) for event in batch.events],
            create_missing=batch.create_missing,
        )


def _item(event: EventInput) -> EventItem:
    return EventItem(
        subscriber=subscriber_key(event.subscriber),
        name=event.name,
        occurred_at=None if event.occurred_at is strawberry.UNSET else event.occurred_at,
        value=None if event.value is strawberry.UNSET else event.value,
        properties=None if event.properties is strawberry.UNSET else event.properties,
        key=None if event.key is strawberry.UNSET else event.key,
    )
