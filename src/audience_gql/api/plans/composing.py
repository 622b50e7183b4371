"""Makes the answer of a root field from its plan: the pieces that storage writes as one statement.

A field declares how it is written in SQL (api/declaring.py). If a field below does not, the root field has no such answer, and its plan runs level by level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from audience_gql.api.declaring import ENTRIES, SAME, WRITTEN, ByType
from audience_gql.api.plans.planned import (
    ENUM,
    Composed,
    FieldPlan,
    Listed,
    NonNull,
    ObjectPlan,
    Objects,
    Question,
    Shape,
)
from audience_gql.storage.reads.composed import spelling
from audience_gql.storage.reads.composed.pieces import Asked, Column, Constant, Entries, Object, Piece
from audience_gql.storage.reads.composed.writing import Answer

_SPELLINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "String": spelling.as_json,
    "Int": spelling.as_json,
    "Boolean": spelling.as_json,
    "Date": spelling.as_json,
    "JSON": spelling.as_json,
    "DateTime": spelling.instant,
    "Float": spelling.real,
    ENUM: spelling.as_json,
}
"""How columns of each scalar are spelled."""


class _NotComposable(Exception):  # named after what it says
    """A field does not declare how it is written in SQL."""


def composed(root: FieldPlan) -> FieldPlan:
    """The root field, with the answer by a statement if there can be one."""
    composer = _Composer()
    try:
        piece = composer.piece("Query", root)
    except _NotComposable:
        return root
    if not isinstance(piece, Asked):
        return root
    return replace(root, statement=Composed(Answer(piece), tuple(composer.questions)))


class _Composer:
    def __init__(self) -> None:
        self.questions: list[Question] = []

    def piece(self, type_name: str, field: FieldPlan) -> Piece:
        written = field.declared.metadata.get(WRITTEN)
        below = _objects(field.shape)
        if written is SAME and below is not None:
            return self._object(below)
        if written is ENTRIES and below is not None:
            return Entries(self._object(below))
        if isinstance(written, ByType):
            return self._by_type(written, type_name)
        if written is None:
            return self._column(field)
        if callable(written):
            number = len(self.questions)
            self.questions.append(Question(written, field.arguments))
            return Asked(number, None if below is None else self._object(below))
        piece: Piece = written
        return piece

    def _object(self, plan: ObjectPlan) -> Object:
        members = [
            (key, Constant(f'"{plan.type_name}"') if field is None else self.piece(plan.type_name, field))
            for key, field in zip(plan.keys, plan.fields, strict=True)
        ]
        return Object(tuple(members))

    @staticmethod
    def _by_type(written: ByType, type_name: str) -> Piece:
        try:
            return written.piece(type_name)
        except KeyError as error:
            raise _NotComposable from error

    @staticmethod
    def _column(field: FieldPlan) -> Column:
        """A field that is the column of its name."""
        if not field.declared.is_basic_field or field.leaf is None:
            raise _NotComposable
        spell = _SPELLINGS.get(field.leaf.type_name)
        if spell is None:
            raise _NotComposable
        return Column(field.declared.python_name, spell, may_be_null=field.may_be_null)


def _objects(shape: Shape) -> ObjectPlan | None:
    """The selection of an object or of a list of objects."""
    match shape:
        case NonNull(inner=inner) | Listed(items=inner):
            return _objects(inner)
        case Objects(plan=plan):
            return plan
    return None
