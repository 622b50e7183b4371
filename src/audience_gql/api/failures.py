"""Expected failures as types of the schema: every mutation returns its subject or one of these.

A failure of the application becomes the matching type if the field's result union contains that type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeAlias, TypeVar

import strawberry
from graphql import OperationType
from strawberry.types.field import StrawberryField

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.paths import INPUT, spelled
from audience_gql.api.shapes import enum
from audience_gql.audience import failures
from audience_gql.audience.definitions import segments
from audience_gql.audience.failures import Failure
from audience_gql.storage.acting.models import Automation
from audience_gql.storage.orm import models

if TYPE_CHECKING:
    from audience_gql.api.lists.segments import Segment

_Failure = TypeVar("_Failure", bound=Failure)
_MESSAGE: Final = "What is wrong, as a sentence for people."
_Spell: TypeAlias = Callable[[failures.Path], list[str]]
_PATH: Final = "The path of the problem in the arguments: names, and indexes as text."
Segments = list[Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")]]


@enum(
    "The kind of a problem with an input.",
    REQUIRED="A required value is missing or blank.",
    MALFORMED="The value does not have the required form.",
    OUT_OF_RANGE="The value is too small, too large, too long, too deep, too early or too late.",
    TOO_MANY="There are more values than allowed.",
    UNKNOWN="The value names something that does not exist.",
    WRONG_TYPE="The value has another type than its field or property.",
    CONFLICT="The value contradicts another value that is given or stored.",
    CONSENT="The person refused messages, and the input gives no reason to end the refusal.",
)
class ProblemCode(StrEnum):
    REQUIRED = "REQUIRED"
    MALFORMED = "MALFORMED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    TOO_MANY = "TOO_MANY"
    UNKNOWN = "UNKNOWN"
    WRONG_TYPE = "WRONG_TYPE"
    CONFLICT = "CONFLICT"
    CONSENT = "CONSENT"


@strawberry.interface(description="An expected failure. Every mutation returns its subject or one of these.")
class UserError:
    message: str = strawberry.field(description=_MESSAGE)
    path: list[str] = strawberry.field(description=_PATH)


@strawberry.type(description="One problem with an input.")
class InputIssue:
    code: ProblemCode = strawberry.field(description="The kind of the problem.")
    message: str = strawberry.field(description=_MESSAGE)
    path: list[str] = strawberry.field(description=_PATH)


@strawberry.type(description="The input has the right types but breaks other rules. Nothing was changed.")
class InvalidInput(UserError):
    issues: list[InputIssue] = strawberry.field(
        description="All problems of the input, not only the first one."
    )


@strawberry.type(description="Nothing in this workspace has the given id or key.")
class NotFound(UserError): ...


@strawberry.type(
    description="The name or key is in use in this workspace. Names are compared regardless of case."
)
class NameTaken(UserError): ...


@strawberry.type(
    description="The condition would make the segment read itself, directly or through other segments."
)
class SegmentCycle(UserError):
    segment_ids: strawberry.Private[tuple[int, ...]]

    @strawberry.field(
        description="The segments of the cycle in order: each reads the next, and the last is the first again.",
        graphql_type=Segments,
    )
    @staticmethod
    async def cycle(parent: strawberry.Parent[SegmentCycle], info: Info) -> list[models.Segment]:
        return await _segments(info, parent.segment_ids)


@strawberry.type(
    description="The segment, group, custom field or webhook endpoint cannot be deleted or paused, because segments or automations use it."
)
class InUse(UserError):
    segment_ids: strawberry.Private[tuple[int, ...]]
    automation_ids: strawberry.Private[tuple[int, ...]]

    @strawberry.field(description="The segments that read the object.", graphql_type=Segments)
    @staticmethod
    async def used_by(parent: strawberry.Parent[InUse], info: Info) -> list[models.Segment]:
        return await _segments(info, parent.segment_ids)

    @strawberry.field(
        description="The automations that the object starts, or that name it.",
        graphql_type=list[Annotated["Automation", strawberry.lazy("audience_gql.api.acting.automations")]],
    )
    @staticmethod
    async def automations(parent: strawberry.Parent[InUse], info: Info) -> list[Automation]:
        found = await info.context.loaders.automations.load_many(parent.automation_ids)
        return [automation for automation in found if automation is not None]


@strawberry.type(
    description="The segment was edited after the revision `ifRevision`. This edit was not applied."
)
class RevisionConflict(UserError):
    segment_id: strawberry.Private[int]

    @strawberry.field(
        description="The segment as it is now.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")],
    )
    @staticmethod
    async def current(parent: strawberry.Parent[RevisionConflict], info: Info) -> models.Segment | None:
        return await info.context.loaders.segments.load(parent.segment_id)


@strawberry.type(
    description="An item of a batch that was refused and changed nothing. The other items were applied."
)
class Reject:
    index: int = strawberry.field(description="The item's index in the batch, from 0.")
    code: ProblemCode = strawberry.field(description="The kind of the problem.")

    @strawberry.field(description=_PATH)
    @staticmethod
    def path(parent: strawberry.Parent[failures.Reject]) -> list[str]:
        return spelled(parent.path, INPUT)

    @strawberry.field(description=_MESSAGE)
    @staticmethod
    def message(parent: strawberry.Parent[failures.Reject]) -> str:
        return ids.with_people(parent.message, parent.people)


@strawberry.type(description="The result of a deletion.")
class DeletePayload:
    deleted_id: strawberry.ID = strawberry.field(description="The id of the deleted object.")


@dataclass(frozen=True, slots=True)
class Handler(Generic[_Failure]):
    """Converts one failure of the application to its type, for fields whose result union contains that type."""

    exception_type: type[_Failure]
    error_type: type[UserError]
    convert: Callable[[_Failure, _Spell], UserError]

    def handle(self, exception: _Failure, *, field: StrawberryField, info: Info) -> UserError | None:  # noqa: ARG002  # the library's protocol
        if info.context.is_on_replica:
            return None  # it stays an error, after which the primary answers: what is unknown to a replica may exist by now
        is_mutation = info.operation.operation is OperationType.MUTATION
        return self.convert(exception, _spelled_in_input if is_mutation else spelled)


def _spelled_in_input(path: failures.Path) -> list[str]:
    return spelled(path, INPUT)


def _invalid_input(failure: failures.InvalidInput, spell: _Spell) -> UserError:
    issues = [
        InputIssue(code=ProblemCode(issue.code), message=issue.message, path=spell(issue.path))
        for issue in failure.issues
    ]
    return InvalidInput(message=failure.message, path=spell(failure.path), issues=issues)


HANDLERS: Final[list[Handler[Any]]] = [  # Any: each handles another class of failure
    Handler(failures.InvalidInput, InvalidInput, _invalid_input),
    Handler(failures.NotFound, NotFound, lambda it, spell: NotFound(message=it.message, path=spell(it.path))),
    Handler(
        failures.NameTaken, NameTaken, lambda it, spell: NameTaken(message=it.message, path=spell(it.path))
    ),
    Handler(
        segments.SegmentCycle,
        SegmentCycle,
        lambda it, spell: SegmentCycle(message=it.message, path=spell(it.path), segment_ids=it.cycle),
    ),
    Handler(
        segments.InUse,
        InUse,
        lambda it, spell: InUse(
            message=it.message, path=spell(it.path), segment_ids=it.used_by, automation_ids=it.automation_ids
        ),
    ),
    Handler(
        segments.RevisionConflict,
        RevisionConflict,
        lambda it, spell: RevisionConflict(message=it.message, path=spell(it.path), segment_id=it.segment_id),
    ),
]


async def _segments(info: Info, segment_ids: tuple[int, ...]) -> list[models.Segment]:
    found = await info.context.loaders.segments.load_many(segment_ids)
    return [segment for segment in found if segment is not None]
