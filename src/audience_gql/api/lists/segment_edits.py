"""The mutations that create, edit, pause, resume, recompute and delete segments."""

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
from audience_gql.audience.definitions.recomputes import request_recompute
from audience_gql.audience.definitions.segments import create_segment, delete_segment, update_segment
from audience_gql.audience.people.keys import UNSET
from audience_gql.storage.orm import models


@strawberry.input(description="A segment to create.")
class CreateSegmentInput:
    name: str = strawberry.field(
        description="The name: 1 to 200 characters, unique among segments regardless of case."
    )
    description: str | None = strawberry.field(
        description="What the segment is for, up to 2,000 characters.", default=strawberry.UNSET
    )
    condition: ConditionInput = strawberry.field(description="The condition that members match.")


@strawberry.input(description="Changes to a segment. An omitted field stays as it is.")
class UpdateSegmentInput:
    id: strawberry.ID = strawberry.field(description="The segment's id.")
    name: strawberry.Maybe[str | None] = strawberry.field(
        description="The new name: 1 to 200 characters, unique among segments regardless of case. It cannot be null."
    )
    description: strawberry.Maybe[str | None] = strawberry.field(
        description="The new description, up to 2,000 characters. Null removes it."
    )
    condition: strawberry.Maybe[ConditionInput | None] = strawberry.field(
        description="The new condition; it cannot be null. The segment and all segments that read it are COMPUTING until their new "
        "members are found."
    )
    if_revision: int | None = strawberry.field(
        description="The revision that the edit is based on. If the segment was edited since then, the result is a RevisionConflict. "
        "Without it, the edit is not checked.",
        default=strawberry.UNSET,
    )


@strawberry.input(description="A segment to delete.")
class DeleteSegmentInput:
    id: strawberry.ID = strawberry.field(description="The segment's id.")


@strawberry.input(description="A segment to pause.")
class PauseSegmentInput:
    id: strawberry.ID = strawberry.field(description="The segment's id.")


@strawberry.input(description="A paused segment to resume.")
class ResumeSegmentInput:
    id: strawberry.ID = strawberry.field(description="The segment's id.")


@strawberry.input(description="A segment to recompute.")
class RecomputeSegmentInput:
    id: strawberry.ID = strawberry.field(description="The segment's id.")


CreateSegmentResult: TypeAlias = Annotated[
    Segment | InvalidInput | NameTaken | SegmentCycle,
    strawberry.union(
        "CreateSegmentResult", description="The new segment, or the reason why it was not created."
    ),
]
UpdateSegmentResult: TypeAlias = Annotated[
    Segment | InvalidInput | NotFound | NameTaken | SegmentCycle | RevisionConflict,
    strawberry.union(
        "UpdateSegmentResult", description="The changed segment, or the reason why nothing changed."
    ),
]
DeleteSegmentResult: TypeAlias = Annotated[
    DeletePayload | NotFound | InUse,
    strawberry.union(
        "DeleteSegmentResult",
        description="The id of the deleted segment, or the reason why it was not deleted.",
    ),
]
PauseSegmentResult: TypeAlias = Annotated[
    Segment | NotFound | InUse,
    strawberry.union(
        "PauseSegmentResult",
        description="The paused segment, or the reason why it is not paused. A segment that other segments read is InUse.",
    ),
]
ResumeSegmentResult: TypeAlias = Annotated[
    Segment | NotFound,
    strawberry.union(
        "ResumeSegmentResult", description="The resumed segment, or NotFound for an unknown id."
    ),
]
RecomputeSegmentResult: TypeAlias = Annotated[
    Segment | NotFound,
    strawberry.union(
        "RecomputeSegmentResult",
        description="The segment, whose recompute is requested, or NotFound for an unknown id. A paused segment stays PAUSED and is not "
        "recomputed.",
    ),
]


@strawberry.type
class SegmentMutation:
    @strawberry.mutation(
        description="Creates a segment. It is COMPUTING while a worker finds its members. "
        f"A workspace has at most {SEGMENTS_A_WORKSPACE:,} segments; one more is InvalidInput with the code TOO_MANY.",
        graphql_type=CreateSegmentResult,
    )
    @staticmethod
    async def create_segment(
        info: Info,
        segment: Annotated[
            CreateSegmentInput, strawberry.argument(name="input", description="The segment to create.")
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

    @strawberry.mutation(
        description="Changes a segment's name, description or condition. Every edit raises its revision.",
        graphql_type=UpdateSegmentResult,
    )
    @staticmethod
    async def update_segment(
        info: Info,
        edit: Annotated[UpdateSegmentInput, strawberry.argument(name="input", description="The changes.")],
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
        description="Deletes a segment. A segment that other segments read is InUse. The segment disappears at once. Its memberships are removed in the background, without entries in the log.",
        graphql_type=DeleteSegmentResult,
    )
    @staticmethod
    async def delete_segment(
        info: Info,
        segment: Annotated[
            DeleteSegmentInput, strawberry.argument(name="input", description="The segment to delete.")
        ],
    ) -> DeletePayload:
        segment_id = ids.number_of(Kind.SEGMENT, segment.id)
        await delete_segment(
            ports=info.context.ports, workspace=info.context.workspace, segment_id=segment_id
        )
        return DeletePayload(deleted_id=segment.id)

    @strawberry.mutation(
        description="Pauses a segment: it keeps its present members whatever happens, and no new condition may name it until "
        "`resumeSegment`. A segment that other segments read is InUse: edit or delete those first. A paused segment stays as it is.",
        graphql_type=PauseSegmentResult,
    )
    @staticmethod
    async def pause_segment(
        info: Info,
        segment: Annotated[
            PauseSegmentInput, strawberry.argument(name="input", description="The segment to pause.")
        ],
    ) -> models.Segment:
        segment_id = ids.number_of(Kind.SEGMENT, segment.id)
        return await pause_segment(
            ports=info.context.ports, workspace=info.context.workspace, segment_id=segment_id
        )

    @strawberry.mutation(
        description="Resumes a paused segment. It is COMPUTING while a worker finds its members again. A segment that is not paused stays "
        "as it is.",
        graphql_type=ResumeSegmentResult,
    )
    @staticmethod
    async def resume_segment(
        info: Info,
        segment: Annotated[
            ResumeSegmentInput, strawberry.argument(name="input", description="The segment to resume.")
        ],
    ) -> models.Segment:
        segment_id = ids.number_of(Kind.SEGMENT, segment.id)
        return await resume_segment(
            ports=info.context.ports, workspace=info.context.workspace, segment_id=segment_id
        )

    @strawberry.mutation(
        description="Requests that a segment's members are found again from the raw facts. If a recompute is running, the request joins "
        "it. A recompute that ended within the last minute is not repeated. The subscription `recomputeSegment` reports the progress.",
        graphql_type=RecomputeSegmentResult,
    )
    @staticmethod
    async def recompute_segment(
        info: Info,
        segment: Annotated[
            RecomputeSegmentInput, strawberry.argument(name="input", description="The segment to recompute.")
        ],
    ) -> models.Segment:
        segment_id = ids.number_of(Kind.SEGMENT, segment.id)
        return await request_recompute(
            ports=info.context.ports, workspace=info.context.workspace, segment_id=segment_id
        )
