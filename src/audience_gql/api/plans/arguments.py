"""The arguments of a field in a plan, converted once for a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, Final, TypeAlias

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLScalarType,
    ObjectValueNode,
    ValueNode,
    VariableNode,
)
from graphql.execution.values import VariableValues, get_argument_values
from strawberry import UNSET, Some
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import StrawberryMaybe, get_object_definition
from strawberry.types.field import StrawberryField

from audience_gql.api.syntax import nodes

Given: TypeAlias = dict[str, Any]  # Any: the arguments' own types, by the names of the resolver's parameters
_NAMES: Final = NameConverter()
_UNCHANGING: Final = (str, int, float, date, Enum, type(None), type(UNSET))
"""The types of values that requests can share."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the library needs to convert arguments."""

    config: StrawberryConfig
    scalar_registry: Mapping[Any, Any]  # Any: the library's own


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a variable gives a scalar: an argument, or an attribute of an argument that is an input object."""

    argument: str
    attribute: str | None = None
    variable: str
    is_maybe: bool = False


class Arguments:
    """The arguments of one field of a document.

    The library converts those of the first request. Later requests only replace the scalars that variables give, if nothing else depends
    on variables.
    """

    __slots__ = ("_declared", "_field", "_is_simple", "_node", "_places", "_template")

    def __init__(self, declared: GraphQLField, field: StrawberryField, node: FieldNode) -> None:
        self._declared = declared
        self._field = field
        self._node = node
        self._places = tuple(_places(declared, field, node))
        self._is_simple = _count_variables(node) == len(self._places)
        self._template: Given | None = None
        """The arguments of the first request; None before it, and if requests cannot share what is not a place."""

    def read(self, variables: VariableValues, conversion: Conversion) -> Given:
        """The arguments that are given or have a default. Raises what the library raises for those that do not fit."""
        if not self._field.arguments:
            return {}
        values = [variables.coerced.get(place.variable) for place in self._places]
        has_all = None not in values
        if has_all and self._template is not None:
            return self._filled(self._template, values)
        converted = convert_arguments(
            get_argument_values(self._declared, self._node, variables),
            self._field.arguments,
            scalar_registry=conversion.scalar_registry,
            config=conversion.config,
        )
        if has_all and self._is_simple and self._can_be_shared(converted):
            self._template = converted
            return self._filled(converted, values)
        return converted

    def _filled(self, template: Given, values: list[Any]) -> Given:  # Any: the scalars' own types
        """The template with these values in the places."""
        filled = dict(template)
        for place, value in zip(self._places, values, strict=True):
            if place.attribute is None:
                filled[place.argument] = value
                continue
            given = filled[place.argument]
            if given is template[place.argument]:
                given = filled[place.argument] = _copy(given)
            setattr(given, place.attribute, Some(value) if place.is_maybe else value)
        return filled

    def _can_be_shared(self, converted: Given) -> bool:
        attributes = {(place.argument, place.attribute) for place in self._places}
        objects = {place.argument for place in self._places if place.attribute is not None}
        return all(
            isinstance(value, _UNCHANGING)
            if name not in objects
            else all(
                isinstance(own, _UNCHANGING) or (name, attribute) in attributes
                for attribute, own in vars(value).items()
            )
            for name, value in converted.items()
        )


def _copy(given: Any) -> Any:  # Any: an input object
    copied = object.__new__(type(given))
    vars(copied).update(vars(given))
    return copied


def _places(declared: GraphQLField, field: StrawberryField, node: FieldNode) -> Iterator[_Place]:
    values = {argument.name.value: argument.value for argument in node.arguments or ()}
    for argument in field.arguments:
        name = _NAMES.get_graphql_name(argument)
        value = values.get(name)
        if isinstance(value, VariableNode) and not argument.is_maybe and _is_scalar(declared.args[name].type):
            yield _Place(argument=argument.python_name, variable=value.name.value)
        elif isinstance(value, ObjectValueNode):
            yield from _places_in_object(argument.python_name, declared.args[name].type, value)


def _places_in_object(argument: str, type_: object, value: ObjectValueNode) -> Iterator[_Place]:
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    definition = (
        type_.extensions.get("strawberry-definition") if isinstance(type_, GraphQLInputObjectType) else None
    )
    if definition is None or not isinstance(type_, GraphQLInputObjectType):
        return
    given = {each.name.value: each.value for each in value.fields}
    for field in get_object_definition(definition.origin, strict=True).fields:
        name = _NAMES.get_graphql_name(field)
        variable = given.get(name)
        if isinstance(variable, VariableNode) and _is_scalar(type_.fields[name].type):
            yield _Place(
                argument=argument,
                attribute=field.python_name,
                variable=variable.name.value,
                is_maybe=isinstance(field.type, StrawberryMaybe),
            )


def _is_scalar(type_: object) -> bool:
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLScalarType)


def _count_variables(node: FieldNode) -> int:
    return sum(
        isinstance(value, VariableNode)
        for argument in node.arguments or ()
        for value, _ in nodes(argument)
        if isinstance(value, ValueNode)
    )
