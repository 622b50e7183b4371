"""The mutation that erases a person."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import DeletePayload, NotFound
from audience_gql.api.keys import SubscriberKey, subscriber_key
from audience_gql.audience.people.erasure import erase_subscriber


@strawberry.input(description="A person to erase.")
class EraseSubscriberInput:
    subscriber: SubscriberKey = strawberry.field(description="The person.")


EraseSubscriberResult: TypeAlias = Annotated[
    DeletePayload | NotFound,
    strawberry.union(
        "EraseSubscriberResult",
        description="The id of the erased person, or NotFound when there is no such person.",
    ),
]


@strawberry.type
class ErasureMutation:
    @strawberry.mutation(
        description="Erases a person at once and for good. They leave every list, with entries in the log, and all data about them is "
        "deleted. Only their id stays in the log. It is random and never reused.",
        graphql_type=EraseSubscriberResult,
    )
    @staticmethod
    async def erase_subscriber(
        info: Info,
        erasure: Annotated[
            EraseSubscriberInput, strawberry.argument(name="input", description="The person to erase.")
        ],
    ) -> DeletePayload:
        ref = await erase_subscriber(
            ports=info.context.ports,
            workspace=info.context.workspace,
            subscriber=subscriber_key(erasure.subscriber),
        )
        return DeletePayload(deleted_id=strawberry.ID(ids.subscriber_id((ref.bucket_id, ref.id))))
