"""The mutation that creates and changes people."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import strawberry
from strawberry.scalars import JSON

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, Reject
from audience_gql.api.ids import Kind
from audience_gql.api.people.channels import Channel, ChannelStatus
from audience_gql.api.people.subscribers import Subscriber
from audience_gql.api.shapes import as_given
from audience_gql.audience.people.keys import SubscriberRef
from audience_gql.audience.people.subscribers import BATCH_LIMIT, Upserted, upsert_subscribers
from audience_gql.storage.reads.records import SubscriberRecord


@strawberry.input(description="A value for a custom field.")
class FieldValueInput:
    key: str = strawberry.field(description="The field's key.")
    value: JSON | None = strawberry.field(
        description="JSON of the field's type; null removes what was there.", default=strawberry.UNSET
    )


@strawberry.input(
    description="A person's wish for a channel. An upsert brings nobody back who unsubscribed, bounced or complained: the channel stays "
    "as it is, and is among the `kept`."
)
class ChannelStatusInput:
    channel: Channel = strawberry.field(description="Which channel.")
    status: ChannelStatus = strawberry.field(description="Whether she may be reached through it.")
    reason: str | None = strawberry.field(description="Why.", default=strawberry.UNSET)


@strawberry.input(
    name="SubscriberInput",
    description=(
        "A person to create or change. Left out keeps, null clears, '' counts as null. Any of id, externalId, email and phone "
        "that is known finds the person, and the others become theirs; keys that lead to different people are a Reject CONFLICT, "
        "whose message says which key leads to whom."
    ),
)
class _SubscriberInput:
    id: strawberry.ID | None = strawberry.field(
        description="Her id here, when she is known.", default=strawberry.UNSET
    )
    external_id: str | None = strawberry.field(
        description="Her id in the system that she comes from.", default=strawberry.UNSET
    )
    email: str | None = strawberry.field(description="Her email address.", default=strawberry.UNSET)
    phone: str | None = strawberry.field(
        description="Her phone number in E.164, such as +37060000000.", default=strawberry.UNSET
    )
    first_name: str | None = strawberry.field(description="Her given name.", default=strawberry.UNSET)
    last_name: str | None = strawberry.field(description="Her family name.", default=strawberry.UNSET)
    language: str | None = strawberry.field(
        description="Her language: a BCP 47 tag, such as en or pt-BR.", default=strawberry.UNSET
    )
    timezone: str | None = strawberry.field(
        description="Her time zone in the IANA database, such as Europe/Vilnius.", default=strawberry.UNSET
    )
    birthday: date | None = strawberry.field(description="The day she was born.", default=strawberry.UNSET)
    country: str | None = strawberry.field(
        description="ISO 3166-1 alpha-2, such as LT.", default=strawberry.UNSET
    )
    region: str | None = strawberry.field(
        description="Her state, county or province.", default=strawberry.UNSET
    )
    city: str | None = strawberry.field(description="Her city.", default=strawberry.UNSET)
    postal_code: str | None = strawberry.field(description="Her postal code.", default=strawberry.UNSET)
    fields: list[FieldValueInput] | None = strawberry.field(
        description="Custom fields; only the given keys change.", default=strawberry.UNSET
    )
    channels: list[ChannelStatusInput] | None = strawberry.field(
        description="Her wishes; only the given channels change.", default=strawberry.UNSET
    )
    add_to_group_ids: list[strawberry.ID] | None = strawberry.field(
        description="Groups to put her into.", default=strawberry.UNSET
    )
    remove_from_group_ids: list[strawberry.ID] | None = strawberry.field(
        description="Groups to take her out of.", default=strawberry.UNSET
    )


if TYPE_CHECKING:
    SubscriberInput: TypeAlias = Mapping[str, Any]  # Any: the fields' own types
else:
    SubscriberInput = as_given(_SubscriberInput)


@strawberry.input(description="People to create or change.")
class UpsertSubscribersInput:
    subscribers: list[SubscriberInput] = strawberry.field(
        description=f"Up to {BATCH_LIMIT:,}. The result equals that of the same items in their order, each in a call of its own."
    )
    add_to_group_ids: list[strawberry.ID] | None = strawberry.field(
        description="Groups to put all of them into.", default=strawberry.UNSET
    )


@strawberry.type(
    description="A wish of an item that would have brought back somebody who refused. The channel stays as it is; the rest of the item "
    "went through."
)
class KeptChannel:
    index: int = strawberry.field(description="The item's place in the batch, from 0.")
    channel: Channel = strawberry.field(description="Which channel.")
    status: ChannelStatus = strawberry.field(description="The refusal that it keeps.")
    message: str = strawberry.field(description="What was not done and why, in words for people.")
    path: list[str] = strawberry.field(
        description="Where the wish is in the arguments: names, and indexes as text."
    )


@strawberry.type(description="What became of a batch of people.")
class UpsertSubscribersPayload:
    created: int = strawberry.field(description="How many people the call made.")
    updated: int = strawberry.field(
        description="How many people changed who were there before the call, each counted once."
    )
    rejects: list[Reject] = strawberry.field(description="Those that were refused.")
    kept: list[KeptChannel] = strawberry.field(
        description="Channels that stayed as they are, because an upsert brings nobody back who refused."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, Upserted)

    @strawberry.field(
        description="The people in the order of the input; null where refused.",
        graphql_type=list[Subscriber | None],
        metadata={"up_to": BATCH_LIMIT},
    )
    @staticmethod
    async def subscribers(parent: strawberry.Parent[Upserted], info: Info) -> list[SubscriberRecord | None]:
        found = await info.context.loaders.subscribers.load_many(
            (ref.bucket_id, ref.id) for ref in parent.subscribers if ref is not None
        )
        waiting = iter(found)
        return [None if ref is None else next(waiting) for ref in parent.subscribers]


UpsertSubscribersResult: TypeAlias = Annotated[
    UpsertSubscribersPayload | InvalidInput,
    strawberry.union(
        "UpsertSubscribersResult", description="What became of the people, or why none was looked at."
    ),
]


@strawberry.type
class UpsertMutation:
    @strawberry.mutation(
        description="Create people, or change those who are known.", graphql_type=UpsertSubscribersResult
    )
    @staticmethod
    async def upsert_subscribers(
        info: Info,
        batch: Annotated[
            UpsertSubscribersInput, strawberry.argument(name="input", description="The people.")
        ],
    ) -> Upserted:
        return await upsert_subscribers(
            ports=info.context.ports,
            workspace=info.context.workspace,
            items=[_item(given) for given in batch.subscribers],
            add_to_group_ids=_group_ids(batch.add_to_group_ids or ()),
        )


def _item(given: SubscriberInput) -> dict[str, object]:
    """A person as the application takes her: the same keys, with numbers for ids."""
    item = dict(given)
    if item.get("id") is not None:
        owner = ids.owner_of(item["id"])
        item["id"] = owner and SubscriberRef(*owner)
    elif "id" in item:
        del item["id"]
    for name in ("addToGroupIds", "removeFromGroupIds"):
        if name in item:
            item[name] = _group_ids(item[name] or ())
    return item


def _group_ids(texts: Collection[str]) -> list[int | None]:
    return [ids.number_of(Kind.GROUP, text) for text in texts]
