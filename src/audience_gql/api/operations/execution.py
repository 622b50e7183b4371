"""Runs operations with the library's executor, and explains in our own words which variables do not fit."""

from __future__ import annotations

from typing import Any, Self, cast

from graphql import DocumentNode, GraphQLError, GraphQLSchema, get_operation_ast
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from audience_gql.api.inputs.variables import variable_errors


class AudienceExecutor(StrawberryGraphQLCoreExecutionContext):
    """The library's executor with other messages about variables."""

    @classmethod
    def build(
        cls, schema: GraphQLSchema, document: DocumentNode, *args: Any, **kwargs: Any
    ) -> list[GraphQLError] | Self:
        try:
            built = super().build(schema, document, *args, **kwargs)
        except ValueError:  # the library fails to print an integer with more digits than Python allows
            built = []
        if isinstance(built, list):
            return _told(schema, document, built, *args, **kwargs)
        return cast(Self, built)  # the library's annotation names its base class

    def let_go(self) -> None:
        """Free everything when the last reference goes, without a garbage collection. Nothing may be executed any more."""
        del self.async_helpers  # they refer to this object


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
    """The errors of an operation's variables that the library refused; the library's own errors if we find none."""
    operation = get_operation_ast(document, operation_name)
    if operation is None:
        return by_the_library
    return variable_errors(schema, document, operation, raw_variable_values or {}) or by_the_library
