"""The registry of the kinds of condition. Each file of `kinds/` registers its own kind.

Importing such a file must do nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from audience_gql.conditions.base import Condition
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import CONDITION, Enumeration, Given, InputField, Reference, Shape
from audience_gql.conditions.values import Json

Category: TypeAlias = Literal["DEMOGRAPHIC", "BEHAVIORAL", "ENGAGEMENT", "LIFECYCLE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One field of ConditionInput. `build` receives what the shape built: a filter, or the inner conditions."""

    name: str
    label: str
    """The name that an editor shows: "first name"."""
    description: str
    type: Shape | Reference
    build: Callable[[Any, Parsing], Condition]  # Any: what `type` builds
    example: Json
    """A value that may follow `name:`, for the handbook. It names only what the handbook's vocabulary has."""
    many: bool = False
    category: Category | None = None


_KINDS: Final[dict[str, Kind]] = {}


def register(kind: Kind) -> None:
    if kind.name in _KINDS:
        raise ValueError(f"two kinds of condition are called {kind.name}")
    _KINDS[kind.name] = kind


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name: first the combinators, then the rest in the order of their files."""
    import_module("audience_gql.conditions.kinds")
    return MappingProxyType(_KINDS)


@cache
def condition_shape() -> Shape:
    """ConditionInput: one field for each kind."""
    return Shape(
        name=CONDITION.name,
        one_of=True,
        description="Says which people match. It has exactly one kind of condition; some kinds contain further conditions.",
        fields=tuple(
            InputField(name=kind.name, type=kind.type, many=kind.many, description=kind.description)
            for kind in kinds().values()
        ),
        build=_build,
    )


@cache
def input_types() -> tuple[Shape | Enumeration, ...]:
    """ConditionInput, then every input object and enum that it reaches, each once."""
    found: dict[str, Shape | Enumeration] = {}
    for declared in _reachable(condition_shape()):
        if found.setdefault(declared.name, declared) is not declared:
            raise ValueError(f"two input types are called {declared.name}")
    return tuple(found.values())


def instead_of(type_name: str, field: str) -> str | None:
    """What to give instead of a field that an input object does not have. None if there is no hint."""
    return _instead().get((type_name, field))


def spelling_of(type_name: str) -> str:
    """What a value of an input object must be, for messages. It is the same for types that no condition uses."""
    return _spellings().get(type_name, f"{type_name}, an object")


@cache
def _spellings() -> Mapping[str, str]:
    return {shape.name: shape.spelling for shape in input_types() if isinstance(shape, Shape)}


@cache
def _instead() -> Mapping[tuple[str, str], str]:
    return {
        (shape.name, name): words
        for shape in input_types()
        if isinstance(shape, Shape)
        for name, words in shape.instead.items()
    }


def _build(given: Given, parsing: Parsing) -> Condition:
    ((name, value),) = given.items()
    with parsing.at(name):
        condition = kinds()[name].build(value, parsing)
    if not condition.children:
        parsing.count_leaf()
    return condition


def _reachable(shape: Shape) -> Iterator[Shape | Enumeration]:
    yield shape
    for field in shape.fields:
        match field.type:
            case Shape():
                yield from _reachable(field.type)
            case Enumeration():
                yield field.type
