"""What introspection can return: its lists are as long as the schema makes them, so that it is priced like any other query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from math import ceil
from typing import Final

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    SchemaMetaFieldDef,
    TypeMetaFieldDef,
    is_abstract_type,
)
from graphql.type.introspection import introspection_types

OWN_DEPTH: Final = 20
"""Levels. The query of graphql-core and its kin goes 13 deep."""
WRAPPED: Final = introspection_types["__Type"].fields["ofType"]  # type: ignore[attr-defined]  # an object
"""It is counted with the type that wraps: asked for nine times, as tools do, it is there once or twice."""
_ROOT_FIELDS: Final = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}


def root_field(name: str) -> GraphQLField | None:
    """The field of this name through which a query asks for the schema itself."""
    return _ROOT_FIELDS.get(name)


@cache
def introspection_sizes(schema: GraphQLSchema) -> Mapping[tuple[str, str], int]:
    """How many objects a field of introspection returns, by type and name: exact for the schema's own lists, below them the mean."""
    types = schema.type_map.values()
    fields = [
        field
        for it in types
        if isinstance(it, GraphQLObjectType | GraphQLInterfaceType)
        for field in it.fields.values()
    ]
    return {
        ("__Schema", "types"): len(types),
        ("__Schema", "directives"): len(schema.directives),
        ("__Type", "fields"): _mean(types, len(fields)),
        ("__Type", "inputFields"): _mean(
            types, sum(len(it.fields) for it in types if isinstance(it, GraphQLInputObjectType))
        ),
        ("__Type", "enumValues"): _mean(
            types, sum(len(it.values) for it in types if isinstance(it, GraphQLEnumType))
        ),
        ("__Type", "possibleTypes"): _mean(
            types, sum(len(schema.get_possible_types(it)) for it in types if is_abstract_type(it))
        ),
        ("__Type", "interfaces"): 1,
        ("__Field", "args"): _mean(fields, sum(len(field.args) for field in fields)),
        ("__Directive", "args"): 1,
    }


def _mean(of: Iterable[object], total: int) -> int:
    return ceil(total / sum(1 for _ in of))
