"""The mutations that rename and delete groups."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import DeletePayload, InUse, InvalidInput, NameTaken, NotFound
from audience_gql.api.ids import Kind
from audience_gql.api.lists.groups import Group
from audience_gql.audience.definitions.deletions import delete_group
from audience_gql.audience.definitions.groups import update_group
from audience_gql.audience.people.keys import UNSET
from audience_gql.storage import models


@strawberry.input(description="A group's edit. What is left out stays.")
class UpdateGroupInput:
    id: strawberry.ID = strawberry.field(description="Which group.")
    name: strawberry.Maybe[str | None] = strawberry.field(description="Its new name.")
    description: strawberry.Maybe[str | None] = strawberry.field(
        description="What it is for by now; null clears."
    )


@strawberry.input(description="A group to delete.")
class DeleteGroupInput:
    id: strawberry.ID = strawberry.field(description="Which group.")


UpdateGroupResult: TypeAlias = Annotated[
    Group | InvalidInput | NotFound | NameTaken,
    strawberry.union("UpdateGroupResult", description="The group as edited, or why it stays as it was."),
]
DeleteGroupResult: TypeAlias = Annotated[
    DeletePayload | NotFound | InUse,
    strawberry.union("DeleteGroupResult", description="What is gone, or why it is not."),
]


@strawberry.type
class GroupEditMutation:
    @strawberry.mutation(description="Rename a group, or say what it is for.", graphql_type=UpdateGroupResult)
    @staticmethod
    async def update_group(
        info: Info,
        edit: Annotated[UpdateGroupInput, strawberry.argument(name="input", description="The edit.")],
    ) -> models.Group:
        return await update_group(
            ports=info.context.ports,
            workspace=info.context.workspace,
            group_id=ids.number_of(Kind.GROUP, edit.id),
            name=edit.name.value if edit.name else UNSET,
            description=edit.description.value if edit.description else UNSET,
        )

    @strawberry.mutation(
        description="Delete a group that no segment reads. It is gone at once, and its name free; its members leave it "
        "in the background, which the log says of each.",
        graphql_type=DeleteGroupResult,
    )
    @staticmethod
    async def delete_group(
        info: Info,
        group: Annotated[DeleteGroupInput, strawberry.argument(name="input", description="Which group.")],
    ) -> DeletePayload:
        group_id = ids.number_of(Kind.GROUP, group.id)
        await delete_group(ports=info.context.ports, workspace=info.context.workspace, group_id=group_id)
        return DeletePayload(deleted_id=group.id)
