"""Derives the schema's inputs of conditions from the registry: a new kind of condition needs no change here.

The value of an input stays the plain mapping that the codec reads. This module must not interpret it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import strawberry

from audience_gql.api.channels import Channel, ChannelStatus
from audience_gql.api.context import Context
from audience_gql.api.ids import OPAQUE_IDS
from audience_gql.api.shapes import as_given, enum
from audience_gql.audience.definitions.given_conditions import parse_given
from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import dump, parse
from audience_gql.conditions.filters.duration import DURATION
from audience_gql.conditions.input.respelling import respelled
from audience_gql.conditions.input.shapes import Enumeration, InputField, Reference, Scalar, Shape
from audience_gql.conditions.reasoning.nesting import segments_read
from audience_gql.conditions.registry import condition_shape
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.reads.pages import Filter

_SCALARS: Final[Mapping[Scalar, object]] = {
    Scalar.STRING: str,
    Scalar.INT: int,
    Scalar.FLOAT: float,
    Scalar.BOOLEAN: bool,
    Scalar.ID: strawberry.ID,
    Scalar.DATE_TIME: datetime,
    Scalar.DATE: date,
}


@cache
def _input_of(shape: Shape) -> type:
    """The input object that a shape declares."""
    namespace: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}  # Any: a class body
    for number, field in enumerate(shape.fields):
        attribute = f"field_{number}"  # the schema's name may be a Python keyword
        namespace["__annotations__"][attribute] = _annotation(field)
        namespace[attribute] = strawberry.field(
            name=field.name, description=field.description, default=_default(field)
        )
    declaration = type(shape.name, (), namespace)
    return as_given(
        strawberry.input(declaration, name=shape.name, one_of=shape.one_of, description=shape.description)
    )


_ENUMS: Final[Mapping[str, type]] = {"Channel": Channel, "ChannelStatus": ChannelStatus}
"""Enums that other parts of the schema use, too. A schema may declare each only once."""


@cache
def _enum_of(enumeration: Enumeration) -> type:
    if enumeration.name in _ENUMS:
        return _ENUMS[enumeration.name]
    words = {value.name: value.name for value in enumeration.values}
    descriptions = {value.name: value.description for value in enumeration.values}
    return enum(enumeration.description, **descriptions)(StrEnum(enumeration.name, words))  # type: ignore[arg-type]  # a class, made by a call


def _default(field: InputField) -> object:
    if field.default is not None:
        return field.default
    return MISSING if field.required else strawberry.UNSET


def _annotation(field: InputField) -> Any:  # Any: an annotation made at run time
    item: Any  # Any: the same
    match field.type:
        case Scalar():
            item = _SCALARS[field.type]
        case Enumeration():
            item = _enum_of(field.type)
        case Shape():
            item = _input_of(field.type)
        case Reference():
            item = strawberry.LazyType(field.type.name, __name__)
    whole = list[item] if field.many else item
    return whole if field.required else whole | None


if TYPE_CHECKING:
    ConditionInput: TypeAlias = Mapping[str, Any]  # Any: one kind's input, which the codec types
    DurationInput: TypeAlias = Mapping[str, Any]  # Any: the same
else:
    ConditionInput = _input_of(condition_shape())
    DurationInput = _input_of(DURATION)


def stored_to_output(condition: dict[str, Any], vocabulary: Vocabulary) -> object:  # Any: JSON
    """A stored condition in the shape of ConditionInput, with opaque ids."""
    return dump(parse(condition, vocabulary=vocabulary, ids=PLAIN_IDS), ids=OPAQUE_IDS)


def stored_with_opaque_ids(condition: object) -> object:
    """The same for a condition of the past, which may name what is deleted by now."""
    return respelled(condition, OPAQUE_IDS)


async def filter_of(context: Context, given: ConditionInput) -> Filter:
    """The filter for a condition, with the conditions of all segments that it reads.

    Raises InvalidInput, also when the condition names a paused segment.
    """
    async with context.ports.database.acquire() as connection:
        now = await context.ports.clock.now(connection)
        vocabulary = await definitions.vocabulary(connection, context.workspace.id)
        stored = {
            segment.id: segment
            for segment in await segment_definitions.segments(connection, context.workspace.id)
        }
    condition = parse_given(
        given,
        vocabulary=vocabulary,
        paused_ids=frozenset(segment.id for segment in stored.values() if segment.is_paused),
        ids=OPAQUE_IDS,
        path=("where",),
        allow_empty=True,
    )
    inner: dict[int, Condition] = {}
    waiting = set(segments_read(condition))
    while waiting:
        segment_id = waiting.pop()
        inner[segment_id] = parse(stored[segment_id].condition, vocabulary=vocabulary, ids=PLAIN_IDS)
        waiting |= set(segments_read(inner[segment_id])) - inner.keys()
    return Filter(condition=condition, inner=inner, vocabulary=vocabulary, now=now)
