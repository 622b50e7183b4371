"""Spells the ids in a condition's JSON in another way, or finds them. It does not parse the condition, so what the condition names may be deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from audience_gql.conditions.input.shapes import InputField, Reference, Scalar, Shape
from audience_gql.conditions.registry import condition_shape
from audience_gql.conditions.vocabulary import PLAIN_IDS, IdCodec, IdKind

_KIND_OF_SHAPE: Final[dict[str, IdKind]] = {"GroupFilter": "group", "SegmentFilter": "segment"}
"""The input types that have ids, and what kind of ids."""
_Spell: TypeAlias = Callable[[IdKind, str], str]


def respelled(condition: object, ids: IdCodec) -> object:
    """A stored condition with these ids in place of plain numbers. The keys are in the order of the schema, which storage does not keep."""

    def spell(kind: IdKind, text: str) -> str:
        number = PLAIN_IDS.decode(kind, text)
        return text if number is None else ids.encode(kind, number)

    return _object(condition, condition_shape(), spell)


def ids_in(condition: object) -> list[tuple[IdKind, str]]:
    """The ids in a condition as they are written there, which may not be valid."""
    found: list[tuple[IdKind, str]] = []

    def note(kind: IdKind, text: str) -> str:
        found.append((kind, text))
        return text

    _object(condition, condition_shape(), note)
    return found


def _object(value: object, shape: Shape, spell: _Spell) -> object:
    if not isinstance(value, dict):
        return value
    fields = {field.name: field for field in shape.fields}
    names = [*(name for name in fields if name in value), *(name for name in value if name not in fields)]
    return {name: _field(value[name], fields.get(name), shape, spell) for name in names}


def _field(value: Any, field: InputField | None, shape: Shape, spell: _Spell) -> object:  # Any: JSON
    if field is None:
        return value
    if isinstance(value, list):
        return [_item(item, field, shape, spell) for item in value]
    return _item(value, field, shape, spell)


def _item(value: object, field: InputField, shape: Shape, spell: _Spell) -> object:
    match field.type:
        case Shape():
            return _object(value, field.type, spell)
        case Reference():
            return _object(value, condition_shape(), spell)
        case Scalar.ID:
            return spell(_KIND_OF_SHAPE[shape.name], str(value))
    return value
