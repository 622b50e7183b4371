"""The mutations that define, edit, pause and delete segments, and have them recomputed."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.conditions.inputs import ConditionInput
from audience_gql.api.context import Info
from audience_gql.api.failures import (
    DeletePayload,
    InUse,
    InvalidInput,
    NameTaken,
    NotFound,
    RevisionConflict,
    SegmentCycle,
)
from audience_gql.api.ids import OPAQUE_IDS, Kind
from audience_gql.api.lists.segments import Segment
from audience_gql.audience.definitions.definition_limits import SEGMENTS_A_WORKSPACE
from audience_gql.audience.definitions.pausing import pause_segment, resume_segment
from audience_gql.audience.definitions.segments import (
    create_segment,
    delete_segment,
    request_recompute,
    update_segment,
)
from audience_gql.audience.people.keys import UNSET
from audience_gql.storage import models


@strawberry.input(description="A segment to define.")
class CreateSegmentInput:
    name: str = strawberry.field(description="Up to 200 characters; unique, upper and lower case aside.")
    description: str | None = strawberry.field(
        description="What it is for, up to 2,000 characters.", default=strawberry.UNSET
    )
    condition: ConditionInput = strawberry.field(description="Whom it holds.")


@strawberry.input(description="A segment's edit. What is left out stays.")
class UpdateSegmentInput:
    id: strawberry.ID = strawberry.field(description="Which segment.")
    name: strawberry.Maybe[str | None] = strawberry.field(description="Its new name.")
    description: strawberry.Maybe[str | None] = strawberry.field(
        description="What it is for by now; null clears."
    )
    condition: strawberry.Maybe[ConditionInput | None] = strawberry.field(
        description="Whom it holds from now on; it and the segments that read it are filled anew."
    )
    if_revision: int | None = strawberry.field(
        description="Refuse the edit when the segment was edited since this revision.",
        default=strawberry.UNSET,
    )


@strawberry.input(description="A segment to delete.")
class DeleteSegmentInput:
    id: strawberry.ID = strawberry.field(description="Which segment.")


@strawberry.input(description="A segment to pause.")
class PauseSegmentInput:
    id: strawberry.ID = strawberry.field(description="Which segment.")


@strawberry.input(description="A paused segment to go on with.")
class ResumeSegmentInput:
    id: strawberry.ID = strawberry.field(description="Which segment.")


@strawberry.input(description="A segment to find the members of again.")
class RecomputeSegmentInput:
    id: strawberry.ID = strawberry.field(description="Which segment.")


CreateSegmentResult: TypeAlias = Annotated[
    Segment | InvalidInput | NameTaken | SegmentCycle,
    strawberry.union("CreateSegmentResult", description="The segment, or why there is none."),
]
UpdateSegmentResult: TypeAlias = Annotated[
    Segment | InvalidInput | NotFound | NameTaken | SegmentCycle | RevisionConflict,
    strawberry.union("UpdateSegmentResult", description="The segment as edited, or why it stays as it was."),
]
DeleteSegmentResult: TypeAlias = Annotated[
    DeletePayload | NotFound | InUse,
    strawberry.union("DeleteSegmentResult", description="What is gone, or why it is not."),
]
PauseSegmentResult: TypeAlias = Annotated[
    Segment | NotFound | InUse,
    strawberry.union(
        "PauseSegmentResult",
        description="The segment, paused by now; or why it goes on: one that others read cannot be paused (InUse).",
    ),
]
ResumeSegmentResult: TypeAlias = Annotated[
    Segment | NotFound,
    strawberry.union("ResumeSegmentResult", description="The segment, not paused any more."),
]
RecomputeSegmentResult: TypeAlias = Annotated[
    Segment | NotFound,
    strawberry.union(
        "RecomputeSegmentResult",
        description="The segment, whose recompute is on its way; a paused one stays PAUSED, as it is.",
    ),
]


@strawberry.type
class SegmentMutation:
    @strawberry.mutation(
        description="Define a segment. Its members are found at once, in the background. "
        f"A workspace has at most {SEGMENTS_A_WORKSPACE:,}; more are InvalidInput with TOO_MANY.",
        graphql_type=CreateSegmentResult,
    )
    @staticmethod
    async def create_segment(
        info: Info,
        segment: Annotated[
            CreateSegmentInput, strawberry.argument(name="input", description="The segment to define.")
        ],
    ) -> models.Segment:
        return await create_segment(
            ports=info.context.ports,
            workspace=info.context.workspace,
            name=segment.name,
            description=segment.description or None,
            condition=segment.condition,
            ids=OPAQUE_IDS,
        )

    @strawberry.mutation(description="Edit a segment.", graphql_type=UpdateSegmentResult)
    @staticmethod
    async def update_segment(
        info: Info,
        edit: Annotated[UpdateSegmentInput, strawberry.argument(name="input", description="The edit.")],
    ) -> models.Segment:
        return await update_segment(
            ports=info.context.ports,
            workspace=info.context.workspace,
            segment_id=ids.number_of(Kind.SEGMENT, edit.id),
            name=edit.name.value if edit.name else UNSET,
            description=edit.description.value if edit.description else UNSET,
            condition=edit.condition.value if edit.condition else UNSET,
            if_revision=None if edit.if_revision is strawberry.UNSET else edit.if_revision,
            ids=OPAQUE_IDS,
        )

    @strawberry.mutation(
        description="Delete a segment. Its members are let go in the background.",
        graphql_type=DeleteSegmentResult,
    )
    @staticmethod
    async def delete_segment(
        info: Info,
        segment: Annotated[
            DeleteSegmentInput, strawberry.argument(name="input", description="Which segment.")
        ],
    ) -> DeletePayload:
        segment_id = ids.number_of(Kind.SEGMENT, segment.id)
        await delete_segment(
            ports=info.context.ports, workspace=info.context.workspace, segment_id=segment_id
        )
        return DeletePayload(deleted_id=segment.id)

    @strawberry.mutation(
        description="Have a segment keep the members that it has, whatever happens. One that others read is refused: "
        "edit or delete those first. No condition may name it until it is resumed.",
        graphql_type=PauseSegmentResult,
    )
    @staticmethod
    async def pause_segment(
        info: Info,
        segment: Annotated[
            PauseSegmentInput, strawberry.argument(name="input", description="Which segment.")
        ],
    ) -> models.Segment:
        segment_id = ids.number_of(Kind.SEGMENT, segment.id)
        return await pause_segment(
            ports=info.context.ports, workspace=info.context.workspace, segment_id=segment_id
        )

    @strawberry.mutation(
        description="Have a paused segment kept right again. Its members are found anew, in the background.",
        graphql_type=ResumeSegmentResult,
    )
    @staticmethod
    async def resume_segment(
        info: Info,
        segment: Annotated[
            ResumeSegmentInput, strawberry.argument(name="input", description="Which segment.")
        ],
    ) -> models.Segment:
        segment_id = ids.number_of(Kind.SEGMENT, segment.id)
        return await resume_segment(
            ports=info.context.ports, workspace=info.context.workspace, segment_id=segment_id
        )

    @strawberry.mutation(
        description="Have a segment's members found again from the raw facts, or join the recompute under way.",
        graphql_type=RecomputeSegmentResult,
    )
    @staticmethod
    async def recompute_segment(
        info: Info,
        segment: Annotated[
            RecomputeSegmentInput, strawberry.argument(name="input", description="Which segment.")
        ],
    ) -> models.Segment:
        segment_id = ids.number_of(Kind.SEGMENT, segment.id)
        return await request_recompute(
            ports=info.context.ports, workspace=info.context.workspace, segment_id=segment_id
        )
