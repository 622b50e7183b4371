"""The input types of conditions as data, enough to read input, derive a GraphQL schema and draw an editor.

This module must not look at values; coercion.py does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.limits import MAX_VALUES

Given: TypeAlias = dict[str, Any]  # Any: each value has the type that the shape's field of that name declares
Build: TypeAlias = Callable[[Given, Parsing], object]
Check: TypeAlias = Callable[[Any, Parsing], object]  # Any: a value of the field's declared type


class Scalar(StrEnum):
    """A GraphQL scalar. The comment behind each names the Python type of its coerced values."""

    STRING = "String"  # str
    INT = "Int"  # int, 32 bits
    FLOAT = "Float"  # Decimal
    BOOLEAN = "Boolean"  # bool
    ID = "ID"  # str
    DATE_TIME = "DateTime"  # datetime in UTC
    DATE = "Date"  # date


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumerationValue:
    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """A GraphQL enum. A value is coerced to its name."""

    name: str
    description: str
    values: tuple[EnumerationValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A shape by name, so that conditions can contain conditions."""

    name: str


CONDITION: Final = Reference(name="ConditionInput")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputField:
    """A field of a shape. With `many` it is a list of non-null items."""

    name: str
    type: Scalar | Enumeration | Shape | Reference
    description: str
    required: bool = False
    many: bool = False
    default: object = None
    at_most: int = MAX_VALUES
    check: Check | None = None
    """Turns a coerced value (with `many`, each item) into the builder's value, or notes a problem."""

    @property
    def spelling(self) -> str:
        """The field's type as a GraphQL schema spells it: `[String!]`, `TimeFilter!`."""
        name = self.type.value if isinstance(self.type, Scalar) else self.type.name
        return (f"[{name}!]" if self.many else name) + ("!" if self.required else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A GraphQL input object. When all fields are valid, `build` makes a value from the coerced fields.

    `build` does not receive omitted fields without a default. With `one_of`, it receives exactly one field.
    """

    name: str
    description: str
    fields: tuple[InputField, ...]
    build: Build
    one_of: bool = False
    instead: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Hints about fields that this shape does not have but people expect, by name."""
    example: str = field(default="", compare=False)
    """A value, for the message to people who give something else than an object."""

    @property
    def spelling(self) -> str:
        """What a value must be, for messages: `EventFollower, an object such as {name: "order_placed"}`."""
        return f"{self.name}, an object{' such as ' if self.example else ''}{self.example}"
