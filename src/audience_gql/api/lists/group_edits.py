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
from audience_gql.storage.orm import models


@strawberry.input(description="Changes to a group. An omitted field stays as it is.")
class UpdateGroupInput:
    id: strawberry.ID = strawberry.field(description="The group's id.")
    name: strawberry.Maybe[str | None] = strawberry.field(
        description="The new name: 1 to 200 characters, unique among groups regardless of case. It cannot be null."
    )
    description: strawberry.Maybe[str | None] = strawberry.field(
        description="The new description, up to 2,000 characters. Null removes it."
    )


@strawberry.input(description="A group to delete.")
class DeleteGroupInput:
    id: strawberry.ID = strawberry.field(description="The group's id.")


UpdateGroupResult: TypeAlias = Annotated[
    Group | InvalidInput | NotFound | NameTaken,
    strawberry.union(
        "UpdateGroupResult", description="The changed group, or the reason why nothing changed."
    ),
]
DeleteGroupResult: TypeAlias = Annotated[
    DeletePayload | NotFound | InUse,
    strawberry.union(
        "DeleteGroupResult", description="The id of the deleted group, or the reason why it was not deleted."
    ),
]


@strawberry.type
class GroupEditMutation:
    @strawberry.mutation(description="Changes a group's name or description.", graphql_type=UpdateGroupResult)
    @staticmethod
    async def update_group(
        info: Info,
        edit: Annotated[UpdateGroupInput, strawberry.argument(name="input", description="The changes.")],
    ) -> models.Group:
        return await update_group(
            ports=info.context.ports,
            workspace=info.context.workspace,
            group_id=ids.number_of(Kind.GROUP, edit.id),
            name=edit.name.value if edit.name else UNSET,
            description=edit.description.value if edit.description else UNSET,
        )

    @strawberry.mutation(
        description="Deletes a group. A group that a segment reads is InUse. The group disappears at once and its name becomes free. Its members "
        "leave in the background, and the log has a change for each.",
        graphql_type=DeleteGroupResult,
    )
    @staticmethod
    async def delete_group(
        info: Info,
        group: Annotated[
            DeleteGroupInput, strawberry.argument(name="input", description="The group to delete.")
        ],
    ) -> DeletePayload:
        group_id = ids.number_of(Kind.GROUP, group.id)
        await delete_group(ports=info.context.ports, workspace=info.context.workspace, group_id=group_id)
        return DeletePayload(deleted_id=group.id)
