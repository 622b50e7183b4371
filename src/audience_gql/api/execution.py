"""How an operation of the schema is run: by the library's executor, with our own words for variables that do not fit."""

from __future__ import annotations

from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, get_operation_ast
from graphql.execution import Executor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from audience_gql.api.inputs.variables import variable_errors


class AudienceExecutor(StrawberryGraphQLCoreExecutionContext):
    """The library's, but for what it says of variables."""

    @classmethod
    def build(
        cls, schema: GraphQLSchema, document: DocumentNode, *args: Any, **kwargs: Any
    ) -> list[GraphQLError] | Executor[Any]:  # Any: the library's own
        try:
            built = super().build(schema, document, *args, **kwargs)
        except ValueError:  # from its message about an integer with more digits than Python prints
            built = []
        return _told(schema, document, built, *args, **kwargs) if isinstance(built, list) else built


def _told(
    schema: GraphQLSchema,
    document: DocumentNode,
    by_the_library: list[GraphQLError],
    _root_value: object = None,
    _context_value: object = None,
    raw_variable_values: dict[str, Any] | None = None,  # Any: JSON
    operation_name: str | None = None,
    *_: object,
    **__: object,
) -> list[GraphQLError]:
    """What is wrong with the variables of an operation that the library does not run."""
    operation = get_operation_ast(document, operation_name)
    if operation is None:
        return by_the_library
    return variable_errors(schema, document, operation, raw_variable_values or {}) or by_the_library
