"""Describes the variables of an operation as JSON Schema, with the inputs of this API as definitions that may refer to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    is_input_type,
    type_from_ast,
    value_from_ast_untyped,
)

JsonSchema: TypeAlias = dict[str, Any]  # Any: JSON

_SCALARS: Final[Mapping[str, JsonSchema]] = {
    "Int": {"type": "integer"},
    "Float": {"type": "number"},
    "String": {"type": "string"},
    "ID": {"type": "string"},
    "Boolean": {"type": "boolean"},
    "Date": {"type": "string", "format": "date"},
    "DateTime": {"type": "string", "format": "date-time"},
    "JSON": {},
}
_DEFINITIONS: Final = "#/$defs/"


def variables_schema(schema: GraphQLSchema, operation: OperationDefinitionNode) -> JsonSchema:
    """What the operation's variables must be: an object with one property for each variable, and the inputs that they use in `$defs`.

    An optional value is left out; the schema does not offer null. It allows nothing that the API refuses by its types.
    """
    definitions: dict[str, JsonSchema] = {}
    properties: dict[str, JsonSchema] = {}
    required: list[str] = []
    for variable in operation.variable_definitions or ():
        type_ = type_from_ast(schema, variable.type)
        assert is_input_type(type_)  # noqa: S101  # the document is valid
        name = variable.variable.name.value
        properties[name] = _of_type(type_, definitions)
        if variable.default_value is not None:
            properties[name] |= {"default": value_from_ast_untyped(variable.default_value)}
        elif isinstance(type_, GraphQLNonNull):
            required.append(name)
    found = _object(properties, required)
    return found | {"$defs": definitions} if definitions else found


def _of_type(type_: GraphQLInputType, definitions: dict[str, JsonSchema]) -> JsonSchema:
    """The schema of a type. Adds the definitions that it refers to."""
    match type_:
        case GraphQLNonNull():
            return _of_type(type_.of_type, definitions)
        case GraphQLList():
            return {"type": "array", "items": _of_type(type_.of_type, definitions)}
        case GraphQLScalarType():
            return dict(_SCALARS[type_.name])
    if type_.name not in definitions:
        definitions[type_.name] = {}  # holds the place, because the type may refer to itself
        definitions[type_.name] |= _definition(type_, definitions)
    return {"$ref": f"{_DEFINITIONS}{type_.name}"}


def _definition(
    type_: GraphQLEnumType | GraphQLInputObjectType, definitions: dict[str, JsonSchema]
) -> JsonSchema:
    if isinstance(type_, GraphQLEnumType):
        values = "\n".join(f"{name}: {value.description}" for name, value in type_.values.items())
        return {"type": "string", "enum": [*type_.values], "description": f"{type_.description}\n{values}"}
    properties = {
        name: _of_type(field.type, definitions) | _described(field.description)
        for name, field in type_.fields.items()
    }
    required = [
        name
        for name, field in type_.fields.items()
        if isinstance(field.type, GraphQLNonNull) and field.default_value is Undefined
    ]
    found = _object(properties, required) | _described(type_.description)
    return found | {"minProperties": 1, "maxProperties": 1} if type_.is_one_of else found


def _object(properties: dict[str, JsonSchema], required: list[str]) -> JsonSchema:
    found: JsonSchema = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | {"required": required} if required else found


def _described(description: str | None) -> JsonSchema:
    return {"description": description} if description else {}
