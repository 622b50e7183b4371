"""Every position in the schema that takes a caller's value, and documents that put a value there, as a literal or as a variable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_enum_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    is_required_argument,
    is_required_input_field,
    is_scalar_type,
)

_VALID: dict[str, Any] = {
    "Int": 1, "Float": 1.5, "String": "x", "ID": "x", "Boolean": True, "JSON": "x",
    "Date": "2026-01-01", "DateTime": "2026-01-01T00:00:00Z",
}  # fmt: skip
_RECURSIONS = {"all", "any", "not"}


class Token(str):
    """A value as text for a document or for JSON."""

    __slots__ = ()


@dataclass(frozen=True)
class Position:
    """One position: an argument of a field, or something inside the argument."""

    operation: str
    fields: tuple[str, ...]
    """The fields from the root to this field, each with its required arguments."""
    argument: str
    argument_type: GraphQLInputType
    steps: tuple[str, ...]
    """The path inside the argument: names of fields, and 0 for the item of a list."""
    type: GraphQLInputType
    owner: GraphQLInputObjectType | None
    """The input object that has this field."""
    others: tuple[str, ...]
    """The other arguments that the field needs, as literals."""

    @property
    def path(self) -> list[str]:
        return [self.argument, *self.steps]

    def __str__(self) -> str:
        return f"{'.'.join(it.partition('(')[0] for it in self.fields)}({'.'.join(self.path)})"

    def value(self, inner: Any) -> Any:
        """The argument's value, with this text at the position."""
        return _around(inner, self.argument_type, self.steps)

    def by_literal(self, inner: Any) -> str:
        return self._document("", f"{self.argument}: {literal(self.value(inner))}")

    def by_variable(self) -> str:
        return self._document(f"($value: {self.argument_type})", f"{self.argument}: $value")

    def _document(self, variables: str, argument: str) -> str:
        *outer, last = self.fields
        arguments = ", ".join((argument, *self.others))
        inner = last.replace("()", f"({arguments})", 1)
        for field in reversed(outer):
            inner = f"{field} {{ {inner} }}"
        return f"{self.operation} {variables} {{ {inner} }}"


def positions(schema: GraphQLSchema) -> list[Position]:
    """All positions: each argument and each field of an input object at least once, also those of a condition inside another one."""
    found: list[Position] = []
    seen: set[tuple[str, str, bool]] = set()
    for operation, fields, field in _fields(schema):
        for name, argument in field.args.items():
            others = tuple(
                f"{other}: {literal(valid(it.type))}"
                for other, it in field.args.items()
                if other != name and is_required_argument(it)
            )
            start = Position(operation, fields, name, argument.type, (), argument.type, None, others)
            found += _within(start, seen)
    return found


def _within(position: Position, seen: set[tuple[str, str, bool]]) -> Iterator[Position]:
    yield position
    type_, steps = _bare(position.type), position.steps
    if is_list_type(type_):
        type_, steps = _bare(type_.of_type), (*steps, "0")
        yield Position(**{**position.__dict__, "steps": steps, "type": position_item(position.type)})
    if not is_input_object_type(type_):
        return
    is_nested = bool(_RECURSIONS & set(steps))
    for name, field in type_.fields.items():
        key = (type_.name, name, is_nested and type_.name == "ConditionInput")
        if key not in seen:
            seen.add(key)
            changed = {"steps": (*steps, name), "type": field.type, "owner": type_}
            yield from _within(Position(**{**position.__dict__, **changed}), seen)


def position_item(type_: GraphQLInputType) -> GraphQLInputType:
    listed: Any = _bare(type_)
    return listed.of_type


def _fields(schema: GraphQLSchema) -> Iterator[tuple[str, tuple[str, ...], GraphQLField]]:
    """Every field that has arguments, by a shortest path from a root."""
    roots = {
        "query": schema.query_type,
        "mutation": schema.mutation_type,
        "subscription": schema.subscription_type,
    }
    visited: set[str] = set()
    waiting: list[tuple[str, tuple[str, ...], Any]] = [(name, (), root) for name, root in roots.items()]
    while waiting:
        operation, way, type_ = waiting.pop(0)
        if type_.name in visited or not is_object_type(type_) or type_.name.startswith("__"):
            continue
        visited.add(type_.name)
        for name, field in type_.fields.items():
            named = get_named_type(field.type)
            if field.args:
                leaf = f"{{ {_told(schema, named)} }}" if is_composite_type(named) else ""
                yield operation, (*way, f"{name}() {leaf}"), field
            for inner in _members(schema, named):
                fragment = f"... on {inner.name}" if inner is not named else ""
                step = (f"{name}{_needed(field)}", *((fragment,) if fragment else ()))
                waiting.append((operation, (*way, *step), inner))


def _told(schema: GraphQLSchema, named: Any) -> str:
    """The fields of a result that describe errors."""
    selections = ["__typename"]
    for it in _members(schema, named):
        if "UserError" in {interface.name for interface in it.interfaces}:
            selections.append(f"... on {it.name} {{ message path }}")
        elif "rejects" in it.fields and not it.fields["rejects"].args:
            selections.append(f"... on {it.name} {{ rejects {{ message path }} }}")
    return " ".join(selections)


def _members(schema: GraphQLSchema, named: Any) -> list[Any]:
    if is_object_type(named):
        return [named]
    return list(schema.get_possible_types(named)) if is_abstract_type(named) else []


def _needed(field: GraphQLField) -> str:
    needed = [
        f"{name}: {literal(valid(it.type))}" for name, it in field.args.items() if is_required_argument(it)
    ]
    return f"({', '.join(needed)})" if needed else ""


def valid(type_: GraphQLInputType) -> Any:
    """A value that the type accepts."""
    type_ = _bare(type_)
    if is_list_type(type_):
        return [valid(type_.of_type)]
    if is_enum_type(type_):
        return Enum(next(iter(type_.values)))
    if is_input_object_type(type_):
        return _object(type_)
    assert is_scalar_type(type_)
    return _VALID[type_.name]


class Enum(str):
    """A value that a document writes without quotes."""

    __slots__ = ()


def _object(type_: GraphQLInputObjectType) -> dict[str, Any]:
    if type_.is_one_of:
        name = min(type_.fields, key=lambda it: _depth(type_.fields[it].type))
        return {name: valid(type_.fields[name].type)}
    return {name: valid(it.type) for name, it in type_.fields.items() if is_required_input_field(it)}


@cache
def _depth(type_: Any, room: int = 6) -> int:
    named = get_named_type(type_)
    if is_leaf_type(named) or room == 0:
        return 0 if is_leaf_type(named) else 100
    depths = [
        _depth(it.type, room - 1)
        for it in named.fields.values()
        if named.is_one_of or is_required_input_field(it)
    ]
    return 1 + (min(depths) if named.is_one_of else max(depths, default=0))


def _around(inner: Any, type_: GraphQLInputType, steps: tuple[str, ...]) -> Any:
    if not steps:
        return inner
    bare: Any = _bare(type_)
    step, *rest = steps
    if step == "0":
        return [_around(inner, bare.of_type, tuple(rest))]
    whole = {} if bare.is_one_of else _object(bare)
    return {**whole, step: _around(inner, bare.fields[step].type, tuple(rest))}


def _bare(type_: Any) -> Any:
    return type_.of_type if is_non_null_type(type_) else type_


def literal(value: Any) -> str:
    """The value as a GraphQL literal."""
    match value:
        case Token() | Enum():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{name}: {literal(it)}" for name, it in value.items()) + "}"
        case list():
            return "[" + ", ".join(literal(it) for it in value) + "]"
    return json.dumps(value)


def as_json(value: Any) -> str:
    """The value as JSON in a request. It may contain tokens that are not valid JSON."""
    match value:
        case Token():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{json.dumps(name)}: {as_json(it)}" for name, it in value.items()) + "}"
        case list():
            return "[" + ", ".join(as_json(it) for it in value) + "]"
    return json.dumps(value)
