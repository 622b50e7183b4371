"""The mutation that forgets a person."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import DeletePayload, NotFound
from audience_gql.api.keys import SubscriberKey, subscriber_key
from audience_gql.audience.people.erasure import erase_subscriber


@strawberry.input(description="A person to forget.")
class EraseSubscriberInput:
    subscriber: SubscriberKey = strawberry.field(description="Who.")


EraseSubscriberResult: TypeAlias = Annotated[
    DeletePayload | NotFound,
    strawberry.union("EraseSubscriberResult", description="Whose id leads nowhere any more, or why not."),
]


@strawberry.type
class ErasureMutation:
    @strawberry.mutation(
        description="Forget a person, at once and for good: she leaves every list, which the log says, and everything about "
        "her goes. In the log only her id stays, which is random and never used again.",
        graphql_type=EraseSubscriberResult,
    )
    @staticmethod
    async def erase_subscriber(
        info: Info,
        erasure: Annotated[EraseSubscriberInput, strawberry.argument(name="input", description="Who.")],
    ) -> DeletePayload:
        ref = await erase_subscriber(
            ports=info.context.ports,
            workspace=info.context.workspace,
            subscriber=subscriber_key(erasure.subscriber),
        )
        return DeletePayload(deleted_id=strawberry.ID(ids.subscriber_id((ref.bucket_id, ref.id))))
