"""Explains why the library refused a request's variables, and finds variables that must not be null.

Input without problems costs nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NonNullTypeNode,
    OperationDefinitionNode,
    TypeInfo,
    Undefined,
    ValidationContext,
    coerce_input_value,
    is_input_type,
    is_non_null_type,
    type_from_ast,
)

from audience_gql.api.inputs.checking import Leaf, check
from audience_gql.api.inputs.literals import variable_paths
from audience_gql.api.inputs.problems import Enough, Problems
from audience_gql.api.paths import WirePath

_CODE = "BAD_USER_INPUT"


@dataclass(frozen=True, slots=True)
class Json:
    """A value from the request's `variables`."""

    value: object
    node: None = None
    is_variable: bool = False

    @property
    def is_null(self) -> bool:
        return self.value is None

    def items(self) -> Sequence[Json] | None:
        return [Json(it) for it in self.value] if isinstance(self.value, list | tuple) else None

    def entries(self) -> Sequence[tuple[str, Json]] | None:
        if not isinstance(self.value, dict):
            return None
        return [(name, Json(value)) for name, value in self.value.items()]

    def fits(self, type_: Leaf) -> bool:
        return coerce_input_value(self.value, type_) is not Undefined

    def plain(self) -> object:
        return self.value


def variable_errors(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, object],
) -> list[GraphQLError]:
    """One error for each problem with the variables of a valid operation."""
    problems = Problems()
    paths = variable_paths(document)
    try:
        for definition in operation.variable_definitions or ():
            name = definition.variable.name.value
            type_ = type_from_ast(schema, definition.type)
            path = paths.get(name, (name,))
            if name in variables:
                assert is_input_type(type_)  # noqa: S101  # the document is valid
                check(Json(variables[name]), type_, path, problems)
            elif is_non_null_type(type_) and definition.default_value is None:
                problems.add("REQUIRED", f"is required: the variable ${name} has no value", path, definition)
    except Enough:
        pass
    return problems.errors(_CODE)


def never_null(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> Mapping[str, WirePath]:
    """The variables that a request may omit but not set to null, with their paths.

    They are declared nullable and used where null is not allowed. There, a default replaces only an omitted value.
    """
    nullable = {
        definition.variable.name.value
        for definition in operation.variable_definitions or ()
        if not isinstance(definition.type, NonNullTypeNode)
    }
    if not nullable:
        return {}
    context = ValidationContext(schema, document, TypeInfo(schema), lambda _: None)
    used = {
        usage.node.name.value
        for usage in context.get_recursive_variable_usages(operation)
        if is_non_null_type(usage.type)
    }
    wanted = nullable & used
    return {name: path for name, path in variable_paths(document).items() if name in wanted} if wanted else {}


def null_errors(never: Mapping[str, WirePath], variables: Mapping[str, object]) -> list[GraphQLError]:
    """One error for each of these variables that the request sets to null."""
    problems = Problems()
    try:
        for name, path in never.items():
            if name in variables and variables[name] is None:
                problems.add("REQUIRED", "must not be null", path)
    except Enough:
        pass
    return problems.errors(_CODE)
