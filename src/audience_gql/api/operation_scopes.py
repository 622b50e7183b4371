"""Which scopes an operation needs. It must not run anything."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from graphql import GraphQLError
from strawberry.schema.name_converter import NameConverter
from strawberry.types.base import get_object_definition

from audience_gql.api.documents.documents import Operation
from audience_gql.api.errors import ApiError
from audience_gql.api.root_types import Mutation, Query
from audience_gql.api.viewer import Scope
from audience_gql.audience.access import Access

_SCOPES: Final = {"query": Scope.READ, "mutation": Scope.WRITE, "subscription": Scope.READ}
_SHAPES: Final = 1_000
"""How many combinations of root fields are remembered with the scopes that they need."""


def forbidden(operation: Operation, access: Access) -> GraphQLError | None:
    """The error for an operation that needs other scopes than the token has; otherwise None. It refuses the whole operation before any part of it runs."""
    needed = _scopes_needed(operation.type, operation.root_fields, operation.reads_payload)
    missing = [scope for scope in needed if not access.allows(scope)]
    if not missing:
        return None
    return ApiError("FORBIDDEN", f"The token is not allowed to do this. It needs {' and '.join(missing)}.")


@lru_cache(_SHAPES)
def _scopes_needed(type_: str, root_fields: frozenset[str], reads_payload: bool) -> tuple[Scope, ...]:
    own = _SCOPES_OF_FIELDS.get(type_, {})
    needed = {own.get(name, _SCOPES[type_]) for name in root_fields if not name.startswith("__")}
    if reads_payload:
        needed.add(Scope.READ)
    return tuple(scope for scope in Scope if scope in needed)


def _declared_scopes(root: type) -> dict[str, Scope]:
    """The scopes that fields declare for themselves, by the fields' names in the schema."""
    definition = get_object_definition(root, strict=True)
    names = NameConverter()
    return {
        names.from_field(field): field.metadata["scope"]
        for field in definition.fields
        if "scope" in field.metadata
    }


_SCOPES_OF_FIELDS: Final = {"query": _declared_scopes(Query), "mutation": _declared_scopes(Mutation)}
