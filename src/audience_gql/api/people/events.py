"""Events: what people did, and the mutation that stores them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry
from strawberry.scalars import JSON

from audience_gql.api.context import Info
from audience_gql.api.declaring import FOR_EACH, READS
from audience_gql.api.failures import InvalidInput, Reject
from audience_gql.api.keys import SubscriberKey, subscriber_key
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import ListConnection, ListEdge
from audience_gql.api.viewer import Scope
from audience_gql.audience.people.events import EventItem, Tracked, track_events
from audience_gql.storage.reads.records import EventRecord, SubscriberRecord

if TYPE_CHECKING:
    from audience_gql.api.people.subscribers import Subscriber


def _values(events: Sequence[EventRecord]) -> list[float | None]:
    return [None if (value := event["value"]) is None else float(value) for event in events]


@strawberry.type(description="Something that a person did, or that happened to them, at an instant.")
class Event(Node):
    name: str = strawberry.field(description="What happened, for example order_placed.")
    occurred_at: datetime = strawberry.field(
        description="When it happened. This does not depend on when the event was tracked."
    )
    properties: JSON = strawberry.field(
        description="The event's properties: an object, {} when none were given."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, EventRecord)

    @strawberry.field(
        description="The value of the event, for example an order's total. The unit is the caller's. Null when none was given.",
        metadata={FOR_EACH: _values, READS: ("value",)},
    )
    @staticmethod
    def value(parent: strawberry.Parent[EventRecord]) -> float | None:
        (value,) = _values([parent])
        return value

    @strawberry.field(
        description="The person whose event this is.",
        graphql_type=Annotated["Subscriber", strawberry.lazy("audience_gql.api.people.subscribers")],
    )
    @staticmethod
    async def subscriber(parent: strawberry.Parent[EventRecord], info: Info) -> SubscriberRecord | None:
        return await info.context.loaders.subscribers.load((parent.bucket_id, parent.subscriber_id))


@strawberry.type(description="An event in a list.")
class EventEdge(ListEdge):
    node: Event = strawberry.field(description="The event.")


@strawberry.type(description="A page of events. The latest comes first.")
class EventConnection(ListConnection[EventEdge]): ...


@strawberry.input(description="Something that a person did, or that happened to them.")
class EventInput:
    subscriber: SubscriberKey = strawberry.field(description="The person whose event this is.")
    name: str = strawberry.field(
        description="What happened: any name of up to 100 characters. A workspace has at most 1,000 names. `email_bounced`, "
        "`email_unsubscribed` and `email_complained` also set the EMAIL channel to BOUNCED, UNSUBSCRIBED or SPAM_REPORTED, unless its "
        "status was set after the event happened or is already a stronger refusal. Such an event in the future sets the channel at "
        "once."
    )
    occurred_at: datetime | None = strawberry.field(
        description="When it happened, at most one day in the future. Default: now.",
        default=strawberry.UNSET,
    )
    value: float | None = strawberry.field(
        description="The value of the event, for example an order's total: a number between -1e300 and 1e300.",
        default=strawberry.UNSET,
    )
    properties: JSON | None = strawberry.field(
        description="Further facts about the event: an object of up to 256 keys and 64 KiB, nested at most 8 levels deep, with texts of up to 10,000 characters. An empty text counts as missing.",
        default=strawberry.UNSET,
    )
    key: str | None = strawberry.field(
        description="A key that is unique among the person's events, up to 200 characters. An event with a key is stored once, however "
        "often it is sent.",
        default=strawberry.UNSET,
    )


@strawberry.input(description="Events to store.")
class TrackEventsInput:
    events: list[EventInput] = strawberry.field(description="Up to 1,000 events, in any order.")
    create_missing: bool = strawberry.field(
        description="Whether to create unknown people from their email, phone or external id. Otherwise their events are rejected. A "
        "rejected event creates nobody. If a person cannot be created from a key, the event is rejected and the message says what is "
        "wrong with the key.",
        default=False,
    )


@strawberry.type(description="The result of a batch of events.")
class TrackEventsPayload:
    accepted: int = strawberry.field(description="The number of events that were stored.")
    duplicates: int = strawberry.field(
        description="The number of events whose key the person already had. They change nothing."
    )
    rejects: list[Reject] = strawberry.field(
        description="The events that were refused; [] for none. The others were stored."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, Tracked)


TrackEventsResult: TypeAlias = Annotated[
    TrackEventsPayload | InvalidInput,
    strawberry.union(
        "TrackEventsResult", description="The result of the batch, or the reason why no event was read."
    ),
]


@strawberry.type
class EventMutation:
    @strawberry.mutation(
        description="Stores events of people. Events may arrive late, repeatedly and out of order.",
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
