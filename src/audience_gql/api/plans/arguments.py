"""The arguments of a field in a plan, converted once for a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, Final, TypeAlias

from graphql import FieldNode, GraphQLField, GraphQLNonNull, GraphQLScalarType, ValueNode, VariableNode
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from audience_gql.api.syntax import nodes

Given: TypeAlias = dict[str, Any]  # Any: the arguments' own types, by the names of the resolver's parameters
_NAMES: Final = NameConverter()
_UNCHANGING: Final = (str, int, float, date, Enum, type(None))
"""The types of values that requests can share."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the library needs to convert arguments."""

    config: StrawberryConfig
    scalar_registry: Mapping[Any, Any]  # Any: the library's own


class Arguments:
    """The arguments of one field of a document.

    The library converts those of the first request. Later requests only replace the scalars that variables give, if nothing else depends
    on variables.
    """

    __slots__ = ("_constant", "_declared", "_field", "_is_simple", "_node", "_variables")

    def __init__(self, declared: GraphQLField, field: StrawberryField, node: FieldNode) -> None:
        self._declared = declared
        self._field = field
        self._node = node
        self._constant: Given | None = None
        """The arguments that do not depend on variables; None before the first request, and if requests cannot share them."""
        self._variables = _scalars_by_variable(declared, field, node)
        """The variable that gives each scalar argument."""
        self._is_simple = _count_variables(node) == len(self._variables)

    def read(self, variables: VariableValues, conversion: Conversion) -> Given:
        """The arguments that are given or have a default. Raises what the library raises for those that do not fit."""
        if not self._field.arguments:
            return {}
        values = {name: variables.coerced.get(variable) for name, variable in self._variables.items()}
        if self._constant is not None and None not in values.values():
            return self._constant | values
        converted = convert_arguments(
            get_argument_values(self._declared, self._node, variables),
            self._field.arguments,
            scalar_registry=conversion.scalar_registry,
            config=conversion.config,
        )
        if self._is_simple:
            constant = {name: value for name, value in converted.items() if name not in self._variables}
            if all(isinstance(value, _UNCHANGING) for value in constant.values()):
                self._constant = constant
        return converted


def _scalars_by_variable(declared: GraphQLField, field: StrawberryField, node: FieldNode) -> dict[str, str]:
    found = {}
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    for argument in field.arguments:
        name = _NAMES.get_graphql_name(argument)
        value = given.get(name)
        type_ = declared.args[name].type
        if isinstance(type_, GraphQLNonNull):
            type_ = type_.of_type
        if isinstance(value, VariableNode) and isinstance(type_, GraphQLScalarType) and not argument.is_maybe:
            found[argument.python_name] = value.name.value
    return found


def _count_variables(node: FieldNode) -> int:
    return sum(
        isinstance(value, VariableNode)
        for argument in node.arguments or ()
        for value, _ in nodes(argument)
        if isinstance(value, ValueNode)
    )
