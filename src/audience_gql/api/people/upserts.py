"""The mutation that creates and changes people."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import strawberry
from strawberry.scalars import JSON

from audience_gql.api import ids
from audience_gql.api.channels import Channel, ChannelStatus
from audience_gql.api.context import Info
from audience_gql.api.failures import InvalidInput, Reject
from audience_gql.api.ids import Kind
from audience_gql.api.paths import INPUT, spelled
from audience_gql.api.people.subscribers import Subscriber
from audience_gql.api.shapes import as_given
from audience_gql.audience.people import subscribers
from audience_gql.audience.people.keys import SubscriberRef
from audience_gql.audience.people.subscribers import BATCH_LIMIT, Upserted, upsert_subscribers
from audience_gql.storage.reads.records import SubscriberRecord


@strawberry.input(description="A value for a custom field.")
class FieldValueInput:
    key: str = strawberry.field(description="The field's key.")
    value: JSON | None = strawberry.field(
        description="The new value, as JSON of the field's type. Null and '' remove the present value.",
        default=strawberry.UNSET,
    )


@strawberry.input(
    description="A person's status on a channel. An upsert never ends a refusal: a channel that is UNSUBSCRIBED, BOUNCED or SPAM_REPORTED "
    "does not become ACTIVE or UNCONFIRMED. It stays as it is and is listed in `kept`."
)
class ChannelStatusInput:
    channel: Channel = strawberry.field(description="The channel.")
    status: ChannelStatus = strawberry.field(
        description="Whether the person may be reached through the channel."
    )
    reason: str | None = strawberry.field(
        description="Why, up to 1,000 characters.", default=strawberry.UNSET
    )


@strawberry.input(
    name="SubscriberInput",
    description=(
        "A person to create or change. An omitted field keeps its value; null and '' remove it. At least one of id, externalId, email "
        "and phone is required. A known one of these finds the person, and the others become theirs. If they belong to different "
        "people, the item is a Reject with the code CONFLICT, and the message says which key belongs to which person. Texts have up to 1,000 "
        "characters."
    ),
)
class _SubscriberInput:
    id: strawberry.ID | None = strawberry.field(
        description="The id of a known person. An unknown id is a Reject.", default=strawberry.UNSET
    )
    external_id: str | None = strawberry.field(
        description="The person's id in the system that they come from, unique in the workspace. Case matters.",
        default=strawberry.UNSET,
    )
    email: str | None = strawberry.field(
        description="Email address, unique in the workspace regardless of case.", default=strawberry.UNSET
    )
    phone: str | None = strawberry.field(
        description="Phone number in E.164 format, for example +37060000000; unique in the workspace.",
        default=strawberry.UNSET,
    )
    first_name: str | None = strawberry.field(description="Given name.", default=strawberry.UNSET)
    last_name: str | None = strawberry.field(description="Family name.", default=strawberry.UNSET)
    language: str | None = strawberry.field(
        description="Language as a BCP 47 tag, for example en or pt-BR.", default=strawberry.UNSET
    )
    timezone: str | None = strawberry.field(
        description="Time zone of the IANA database, for example Europe/Vilnius.", default=strawberry.UNSET
    )
    birthday: date | None = strawberry.field(description="Date of birth.", default=strawberry.UNSET)
    latitude: float | None = strawberry.field(
        description="Degrees north of the equator, from -90 to 90. Give `longitude`, too: both are numbers, or both are null.",
        default=strawberry.UNSET,
    )
    longitude: float | None = strawberry.field(
        description="Degrees east of Greenwich, from -180 to 180. Give `latitude`, too: both are numbers, or both are null.",
        default=strawberry.UNSET,
    )
    country: str | None = strawberry.field(
        description="Country as an ISO 3166-1 alpha-2 code, for example LT.", default=strawberry.UNSET
    )
    region: str | None = strawberry.field(description="State, county or province.", default=strawberry.UNSET)
    city: str | None = strawberry.field(description="City.", default=strawberry.UNSET)
    postal_code: str | None = strawberry.field(description="Postal code.", default=strawberry.UNSET)
    fields: list[FieldValueInput] | None = strawberry.field(
        description="Values for custom fields. Fields that are not listed keep their values.",
        default=strawberry.UNSET,
    )
    channels: list[ChannelStatusInput] | None = strawberry.field(
        description="Statuses on channels. Channels that are not listed keep theirs.",
        default=strawberry.UNSET,
    )
    add_to_group_ids: list[strawberry.ID] | None = strawberry.field(
        description="The ids of groups to add the person to.", default=strawberry.UNSET
    )
    remove_from_group_ids: list[strawberry.ID] | None = strawberry.field(
        description="The ids of groups to remove the person from.", default=strawberry.UNSET
    )


if TYPE_CHECKING:
    SubscriberInput: TypeAlias = Mapping[str, Any]  # Any: the fields' own types
else:
    SubscriberInput = as_given(_SubscriberInput)


@strawberry.input(description="People to create or change.")
class UpsertSubscribersInput:
    subscribers: list[SubscriberInput] = strawberry.field(
        description=f"Up to {BATCH_LIMIT:,} people. The result is the same as if each item were a call of its own, in this order."
    )
    add_to_group_ids: list[strawberry.ID] | None = strawberry.field(
        description="The ids of groups to add all these people to. An unknown id is InvalidInput.",
        default=strawberry.UNSET,
    )


@strawberry.type(
    description="A channel status that an item asked for and did not get, because it would have ended a refusal. The channel keeps its "
    "status. The rest of the item was applied."
)
class KeptChannel:
    index: int = strawberry.field(description="The item's index in the batch, from 0.")
    channel: Channel = strawberry.field(description="The channel.")
    status: ChannelStatus = strawberry.field(
        description="The status that the channel keeps: UNSUBSCRIBED, BOUNCED or SPAM_REPORTED."
    )
    message: str = strawberry.field(description="What was not done and why, as a sentence for people.")

    @strawberry.field(
        description="The path of the requested status in the arguments: names, and indexes as text."
    )
    @staticmethod
    def path(parent: strawberry.Parent[subscribers.KeptChannel]) -> list[str]:
        return spelled(parent.path, INPUT)


@strawberry.type(description="The result of a batch of people.")
class UpsertSubscribersPayload:
    created: int = strawberry.field(description="The number of people that the call created.")
    updated: int = strawberry.field(
        description="The number of people who existed before the call and changed. Each counts once."
    )
    rejects: list[Reject] = strawberry.field(
        description="The items that were refused; [] for none. The others were applied."
    )
    kept: list[KeptChannel] = strawberry.field(
        description="The channels that kept their status, because an upsert never ends a refusal; [] for none."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, Upserted)

    @strawberry.field(
        description="The people in the order of the input; null for an item that was refused.",
        graphql_type=list[Subscriber | None],
        metadata={"up_to": BATCH_LIMIT, "per_item": True},
    )
    @staticmethod
    async def subscribers(parent: strawberry.Parent[Upserted], info: Info) -> list[SubscriberRecord | None]:
        found = await info.context.loaders.subscribers.load_many(
            [(ref.bucket_id, ref.id) for ref in parent.subscribers if ref is not None]
        )
        waiting = iter(found)
        return [None if ref is None else next(waiting) for ref in parent.subscribers]


UpsertSubscribersResult: TypeAlias = Annotated[
    UpsertSubscribersPayload | InvalidInput,
    strawberry.union(
        "UpsertSubscribersResult",
        description="The result of the batch, or the reason why no item was read.",
    ),
]


@strawberry.type
class UpsertMutation:
    @strawberry.mutation(
        description="Creates people, or changes those who are known.", graphql_type=UpsertSubscribersResult
    )
    @staticmethod
    async def upsert_subscribers(
        info: Info,
        batch: Annotated[
            UpsertSubscribersInput,
            strawberry.argument(name="input", description="The people to create or change."),
        ],
    ) -> Upserted:
        return await upsert_subscribers(
            ports=info.context.ports,
            workspace=info.context.workspace,
            items=[_item(given) for given in batch.subscribers],
            add_to_group_ids=_group_ids(batch.add_to_group_ids or ()),
        )


def _item(given: SubscriberInput) -> dict[str, object]:
    """An item in the form that the application reads: the same keys, with numbers instead of opaque ids."""
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
