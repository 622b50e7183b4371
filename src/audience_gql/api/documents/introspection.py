"""The sizes of introspection's lists, which follow from the schema. With them, introspection has a cost like any other query."""

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
"""The most levels of an introspection query. The standard query of graphql-core and similar tools has 13."""
OBJECTS_A_POINT: Final = 3
"""So many objects of introspection count as one object of the workspace, because they need no storage and no permission."""
WRAPPED: Final = introspection_types["__Type"].fields["ofType"]  # type: ignore[attr-defined]  # an object
"""This field costs nothing beside the type that wraps. Tools select it nine levels deep, but a type is wrapped only once or twice."""
_ROOT_FIELDS: Final = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
ROOT_FIELDS: Final = frozenset(_ROOT_FIELDS)
"""The names of the root fields of introspection."""


def root_field(name: str) -> GraphQLField | None:
    """The root field of introspection with this name; None for any other name."""
    return _ROOT_FIELDS.get(name)


@cache
def introspection_sizes(schema: GraphQLSchema) -> Mapping[tuple[str, str], int]:
    """How many objects a field of introspection returns, by type and name: exact for the schema's lists, the mean for lists within types."""
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
