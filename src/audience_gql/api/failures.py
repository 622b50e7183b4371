"""Expected failures as types: every mutation returns its subject or one of these.

A failure of the application becomes a member of the field's result union wherever that union has the type for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeVar

import strawberry
from strawberry.types.field import StrawberryField

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.shapes import enum
from audience_gql.audience import failures
from audience_gql.audience.definitions import segments
from audience_gql.audience.failures import Failure
from audience_gql.storage import models

if TYPE_CHECKING:
    from audience_gql.api.lists.segments import Segment

_Failure = TypeVar("_Failure", bound=Failure)
_MESSAGE: Final = "What is wrong, in words for people."
_PATH: Final = "Where in the arguments: names, and indexes as text."
Segments = list[Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")]]


@enum(
    "What kind of thing is wrong with an input.",
    REQUIRED="Something that is needed is missing.",
    MALFORMED="It does not have the form that it must have.",
    OUT_OF_RANGE="It is too small, too large, too long or too deep.",
    TOO_MANY="There are more than are allowed.",
    UNKNOWN="It names something that is not there.",
    WRONG_TYPE="It is of another type than its field or property.",
    CONFLICT="It contradicts something else that is given or stored.",
    CONSENT="The person has not agreed to it.",
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


@strawberry.type(description="One thing wrong with an input.")
class InputIssue:
    code: ProblemCode = strawberry.field(description="What kind of thing is wrong.")
    message: str = strawberry.field(description=_MESSAGE)
    path: list[str] = strawberry.field(description=_PATH)


@strawberry.type(description="Input that the types of the schema cannot refuse, but the rules do.")
class InvalidInput(UserError):
    issues: list[InputIssue] = strawberry.field(
        description="Everything that is wrong, not just the first thing."
    )


@strawberry.type(description="Nothing in this workspace has that id.")
class NotFound(UserError): ...


@strawberry.type(
    description="Another one in this workspace has this name already, upper and lower case aside."
)
class NameTaken(UserError): ...


@strawberry.type(description="A segment would contain itself.")
class SegmentCycle(UserError):
    segment_ids: strawberry.Private[tuple[int, ...]]

    @strawberry.field(
        description="The way round: each of these segments reads the next, and the last is the first again.",
        graphql_type=Segments,
    )
    @staticmethod
    async def cycle(parent: strawberry.Parent[SegmentCycle], info: Info) -> list[models.Segment]:
        return await _segments(info, parent.segment_ids)


@strawberry.type(description="It cannot go while other segments read it.")
class InUse(UserError):
    segment_ids: strawberry.Private[tuple[int, ...]]

    @strawberry.field(description="The segments that read it.", graphql_type=Segments)
    @staticmethod
    async def used_by(parent: strawberry.Parent[InUse], info: Info) -> list[models.Segment]:
        return await _segments(info, parent.segment_ids)


@strawberry.type(description="The segment was edited since the revision that the edit was made from.")
class RevisionConflict(UserError):
    segment_id: strawberry.Private[int]

    @strawberry.field(
        description="The segment as it is by now.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")],
    )
    @staticmethod
    async def current(parent: strawberry.Parent[RevisionConflict], info: Info) -> models.Segment | None:
        return await info.context.loaders.segments.load(parent.segment_id)


@strawberry.type(description="An item of a batch that was refused; the others went through.")
class Reject:
    index: int = strawberry.field(description="The item's place in the batch, from 0.")
    code: ProblemCode = strawberry.field(description="What kind of thing is wrong.")
    path: list[str] = strawberry.field(description=_PATH)

    @strawberry.field(description=_MESSAGE)
    @staticmethod
    def message(parent: strawberry.Parent[failures.Reject]) -> str:
        return ids.with_people(parent.message, parent.people)


@strawberry.type(description="Something was deleted.")
class DeletePayload:
    deleted_id: strawberry.ID = strawberry.field(description="The id of what is gone.")


@dataclass(frozen=True, slots=True)
class _Handler(Generic[_Failure]):
    """Turns one failure of the application into its type, for fields whose result can be of that type."""

    exception_type: type[_Failure]
    error_type: type[UserError]
    convert: Callable[[_Failure], UserError]

    def handle(self, exception: _Failure, *, field: StrawberryField, info: Info) -> UserError:  # noqa: ARG002  # the library's protocol
        return self.convert(exception)


def _invalid_input(failure: failures.InvalidInput) -> UserError:
    issues = [
        InputIssue(code=ProblemCode(issue.code), message=issue.message, path=list(issue.path))
        for issue in failure.issues
    ]
    return InvalidInput(message=failure.message, path=list(failure.path), issues=issues)


HANDLERS: Final[list[_Handler[Any]]] = [  # Any: each handles a failure of its own
    _Handler(failures.InvalidInput, InvalidInput, _invalid_input),
    _Handler(failures.NotFound, NotFound, lambda it: NotFound(message=it.message, path=list(it.path))),
    _Handler(failures.NameTaken, NameTaken, lambda it: NameTaken(message=it.message, path=list(it.path))),
    _Handler(
        segments.SegmentCycle,
        SegmentCycle,
        lambda it: SegmentCycle(message=it.message, path=list(it.path), segment_ids=it.cycle),
    ),
    _Handler(
        segments.InUse,
        InUse,
        lambda it: InUse(message=it.message, path=list(it.path), segment_ids=it.used_by),
    ),
    _Handler(
        segments.RevisionConflict,
        RevisionConflict,
        lambda it: RevisionConflict(message=it.message, path=list(it.path), segment_id=it.segment_id),
    ),
]


async def _segments(info: Info, segment_ids: tuple[int, ...]) -> list[models.Segment]:
    found = await info.context.loaders.segments.load_many(segment_ids)
    return [segment for segment in found if segment is not None]
