"""The plan of a query: for each selection, how every field is read, and how its values become JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from strawberry.types.field import StrawberryField

from audience_gql.api.declaring import Together
from audience_gql.api.plans.arguments import Arguments
from audience_gql.api.plans.building import Builder
from audience_gql.storage.reads.composed.sources import Source as AnswerSource
from audience_gql.storage.reads.composed.writing import Answer
from audience_gql.storage.reads.records import Columns

Values: TypeAlias = list[Any]  # Any: what resolvers return, or the JSON of it
ENUM: Final = "(enum)"


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A scalar or an enum."""

    type_name: str
    """The scalar's name; ENUM for an enum whose values have the same names in storage."""
    write: Callable[[Any], Any]  # Any: a value that is not null, and its JSON
    json_type: type | None
    """Values of this type already are JSON."""
    write_all: Callable[[Values], Values] | None = None
    """The JSON of many values, some of which are None, if there is a faster way than one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """An object with the fields that the document selects."""

    plan: ObjectPlan


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    items: Shape


@dataclass(frozen=True, slots=True, eq=False)
class NonNull:
    inner: Shape


Shape: TypeAlias = Leaf | Objects | Listed | NonNull


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Resolver:
    """A field's own function, which is called for each parent."""

    call: Callable[..., Any]  # Any: the field's value
    parent: str | None
    info: str | None
    is_async: bool


@dataclass(frozen=True, slots=True, eq=False)
class Quick:
    """A field that needs no waiting and no arguments, for example an attribute of its parent."""

    read: Callable[[Sequence[Any]], list[Any]]  # Any: the parents, and a value for each


@dataclass(frozen=True, slots=True, eq=False)
class ForAll:
    """A field that one function reads for all parents."""

    read: Together


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A field of an answer whose arguments say what it reads."""

    source: Callable[..., AnswerSource | None]
    """Takes the context and the field's arguments by name. Returns None for arguments with which no statement can read the field."""
    arguments: Arguments


@dataclass(frozen=True, slots=True, eq=False)
class Composed:
    """One statement that reads a root field with everything below it."""

    answer: Answer
    questions: tuple[Question, ...]
    """In the order of their numbers in the answer."""


Source: TypeAlias = Quick | ForAll | Resolver


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FieldPlan:
    """One field of a selection."""

    key: str
    """Its name in the response."""
    declared: StrawberryField
    source: Source
    arguments: Arguments
    shape: Shape
    leaf: Leaf | None
    """The scalar that the field is, if it is no list or object."""
    may_be_null: bool
    below: Reading
    """What the query reads of the rows that the field leads to."""
    statement: Composed | None = None
    """Of a root field: the statement that reads it, if there is one for some arguments. For others, it is read level by level."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectPlan:
    """A selection of fields of one object type, in the document's order."""

    type_name: str
    keys: tuple[str, ...]
    fields: tuple[FieldPlan | None, ...]
    """None for `__typename`."""
    build: Builder
    reads: Columns
    """The attributes of the objects that the fields read."""
    is_row: bool
    """Whether the objects are rows, and not pages, entries or answers made of rows."""

    @property
    def size(self) -> int:
        """The number of fields besides `__typename`."""
        return len(self.fields) - self.fields.count(None)


class Reading:
    """The columns that all selections of one field in a document read together, so that they share their statements."""

    __slots__ = ("columns",)

    def __init__(self) -> None:
        self.columns: Columns = frozenset()

    def add(self, columns: Columns) -> None:
        self.columns = None if columns is None or self.columns is None else self.columns | columns
