"""Spells the ids in a condition's JSON in another way. It does not parse the condition, so what the condition names may be deleted."""

from __future__ import annotations

from typing import Any, Final

from audience_gql.conditions.input.shapes import InputField, Reference, Scalar, Shape
from audience_gql.conditions.registry import condition_shape
from audience_gql.conditions.vocabulary import PLAIN_IDS, IdCodec, IdKind

_KIND_OF_SHAPE: Final[dict[str, IdKind]] = {"GroupFilter": "group", "SegmentFilter": "segment"}
"""The input types that have ids, and what kind of ids."""


def respelled(condition: object, ids: IdCodec) -> object:
    """A stored condition with these ids in place of plain numbers."""
    return _object(condition, condition_shape(), ids)


def _object(value: object, shape: Shape, ids: IdCodec) -> object:
    if not isinstance(value, dict):
        return value
    fields = {field.name: field for field in shape.fields}
    return {name: _field(part, fields.get(name), shape, ids) for name, part in value.items()}


def _field(value: Any, field: InputField | None, shape: Shape, ids: IdCodec) -> object:  # Any: JSON
    if field is None:
        return value
    if isinstance(value, list):
        return [_item(item, field, shape, ids) for item in value]
    return _item(value, field, shape, ids)


def _item(value: object, field: InputField, shape: Shape, ids: IdCodec) -> object:
    match field.type:
        case Shape():
            return _object(value, field.type, ids)
        case Reference():
            return _object(value, condition_shape(), ids)
        case Scalar.ID:
            kind = _KIND_OF_SHAPE[shape.name]
            number = PLAIN_IDS.decode(kind, str(value))
            return value if number is None else ids.encode(kind, number)
    return value
