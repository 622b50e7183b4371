"""The variables of a request, coerced as the library does, with what depends only on the document computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values

Leaf: TypeAlias = GraphQLScalarType | GraphQLEnumType


@dataclass(frozen=True, slots=True)
class _Variable:
    """A declared variable of a scalar or enum type."""

    name: str
    signature: GraphQLVariableSignature
    read: Callable[[Any], Any]  # Any: JSON, and the type's own values


@dataclass(frozen=True, slots=True)
class Given:
    """How the variables of one operation are read."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    simple: tuple[_Variable, ...] | None
    """The variables, if all are scalars or enums."""

    @classmethod
    def of(cls, schema: GraphQLSchema, operation: OperationDefinitionNode) -> Given:
        found = [get_variable_signature(schema, it) for it in operation.variable_definitions or ()]
        simple = [
            _Variable(it.name, it, leaf.coerce_input_value)
            for it in found
            if not isinstance(it, GraphQLError) and (leaf := _leaf(it.type)) is not None
        ]
        return cls(schema, operation, tuple(simple) if len(simple) == len(found) else None)

    def coerced(self, given: Mapping[str, object]) -> VariableValues | None:
        """The values of the variables; None for those that do not fit."""
        if self.simple is not None and (plain := self._plain(self.simple, given)) is not None:
            return plain
        definitions = self.operation.variable_definitions or ()
        found = get_variable_values(self.schema, definitions, dict(given))
        return None if isinstance(found, list) else found

    @staticmethod
    def _plain(variables: tuple[_Variable, ...], given: Mapping[str, Any]) -> VariableValues | None:
        """The values if each variable is given and not null; otherwise None, and the library decides. Raises what a scalar raises."""
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for variable in variables:
            name = variable.name
            value = given.get(name)
            if value is None:
                return None
            read = variable.read(value)
            if read is Undefined:
                return None
            sources[name] = VariableValueSource(variable.signature, value)
            coerced[name] = read
        return VariableValues(sources, coerced)


def _leaf(type_: object) -> Leaf | None:
    inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    return inner if isinstance(inner, GraphQLScalarType | GraphQLEnumType) else None
