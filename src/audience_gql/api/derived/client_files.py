"""Derives from the schema the files that front ends generate code from: the possible types of unions and interfaces, and the types of scalars.

It must not know any client's code generator beyond the form of these two files.
"""

from __future__ import annotations

import json
from typing import Final

from graphql import GraphQLScalarType, build_schema, is_abstract_type, is_specified_scalar_type

POSSIBLE_TYPES: Final = "possible-types.json"
SCALARS: Final = "scalars.json"
_TYPESCRIPT: Final = {
    "Condition": "ConditionInput",  # a condition that was read can be sent back
    "Date": "string",
    "DateTime": "string",
    "JSON": "unknown",
}
"""The type of each scalar's values in TypeScript. ConditionInput is generated from the schema."""


def client_files(schema: str) -> dict[str, str]:
    """The text of each file by its name. `schema` is in GraphQL's schema language."""
    built = build_schema(schema)
    types = [type_ for name, type_ in sorted(built.type_map.items()) if not name.startswith("__")]
    possible = {
        type_.name: sorted(member.name for member in built.get_possible_types(type_))
        for type_ in types
        if is_abstract_type(type_)
    }
    scalars = {
        type_.name: _TYPESCRIPT[type_.name]
        for type_ in types
        if isinstance(type_, GraphQLScalarType) and not is_specified_scalar_type(type_)
    }
    return {POSSIBLE_TYPES: _text(possible), SCALARS: _text(scalars)}


def _text(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
