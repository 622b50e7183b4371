"""Declares enums and inputs in ways that the library's decorators do not offer.

It must not know any particular enum or input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

import strawberry
from strawberry.types.arguments import InputContext
from strawberry.types.base import get_object_definition
from strawberry.types.enum import StrawberryEnumDefinition

Words = TypeVar("Words", bound=StrEnum)


def enum(description: str, **values: str) -> Callable[[type[Words]], type[Words]]:
    """Declare an enum with a description for each of its values."""

    def declare(members: type[Words]) -> type[Words]:
        declared = strawberry.enum(members, description=description)
        definition: StrawberryEnumDefinition = declared.__strawberry_definition__  # type: ignore[attr-defined]  # set by the library's decorator
        for value in definition.values:
            value.description = values[value.name]
        return declared

    return declare


def as_given(declaration: type) -> type:
    """Let resolvers receive values of this input as the caller sent them: a mapping with only the given keys.

    For inputs in which an omitted field and null differ, and for inputs that are declared from data. Keys are the schema's names;
    values are coerced to the schema's types.
    """
    get_object_definition(declaration, strict=True).from_input = _unchanged
    return declaration


def _unchanged(
    _: type, value: Mapping[str, Any], __: InputContext
) -> Mapping[str, Any]:  # Any: the fields' own types
    return value
