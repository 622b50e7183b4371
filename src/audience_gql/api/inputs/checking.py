"""Checks one value against the type that the schema declares for it, and reports every problem with its path.

The same walk checks a literal of the document and the JSON of a variable, so both get the same messages. It must not coerce values.
The library does that for input without problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, Protocol, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLScalarType,
    Node,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)

from audience_gql.api.inputs.problems import Problems, listed, suggestion
from audience_gql.api.paths import WirePath
from audience_gql.audience.failures import ProblemCode
from audience_gql.conditions.given_values import shown
from audience_gql.conditions.registry import instead_of, spelling_of

Leaf: TypeAlias = GraphQLScalarType | GraphQLEnumType
_LARGEST_INT: Final = 2**31 - 1
_EXPECTED: Final = {
    "Int": "a whole number",
    "Float": "a number",
    "String": "text",
    "Boolean": "true or false",
    "ID": "an id, which is text",
}


class Given(Protocol):
    """A value as the caller sent it: a literal or JSON."""

    @property
    def node(self) -> Node | None:
        """The value's node in the document. None for a value that comes as JSON."""

    @property
    def is_null(self) -> bool: ...

    @property
    def is_variable(self) -> bool:
        """Whether the document names a variable here. Its value is checked with each request."""

    def items(self) -> Sequence[Given] | None:
        """The items of a list; None for any other value."""

    def entries(self) -> Sequence[tuple[str, Given]] | None:
        """The names and values of an object; None for any other value."""

    def fits(self, type_: Leaf) -> bool: ...

    def plain(self) -> object:
        """The value in Python's types, from which the message about a leaf that does not fit is made."""


def check(given: Given, type_: GraphQLInputType, path: WirePath, problems: Problems) -> None:
    """Add every problem of a value to `problems`. Raises Enough."""
    if given.is_variable:
        return
    if given.is_null:
        if is_non_null_type(type_):
            problems.add("REQUIRED", "must not be null", path, given.node)
        return
    if is_non_null_type(type_):
        type_ = type_.of_type
    if is_list_type(type_):
        _check_list(given, type_.of_type, path, problems)
    elif is_input_object_type(type_):
        _check_object(given, type_, path, problems)
    elif is_leaf_type(type_) and not given.fits(type_):
        code, message = _misfit(given.plain(), type_)
        problems.add(code, message, path, given.node)


def _check_list(given: Given, item_type: GraphQLInputType, path: WirePath, problems: Problems) -> None:
    items = given.items()
    if items is None:  # GraphQL reads a single value as a list with that one item
        check(given, item_type, path, problems)
        return
    for index, item in enumerate(items):
        check(item, item_type, (*path, str(index)), problems)


def _check_object(given: Given, type_: GraphQLInputObjectType, path: WirePath, problems: Problems) -> None:
    entries = given.entries()
    if entries is None:
        problems.add("WRONG_TYPE", f"expected {spelling_of(type_.name)}", path, given.node)
        return
    if type_.is_one_of:
        _check_choice(entries, type_, path, problems, given.node)
    for name, value in entries:
        field = type_.fields.get(name)
        if field is None:
            hint = instead_of(type_.name, name)
            hint = f"; {hint}" if hint else suggestion(name, type_.fields)
            message = f"{type_.name} has no field {shown(name)}{hint}"
            problems.add("UNKNOWN", message, (*path, shown(name)), value.node)
        else:
            check(value, field.type, (*path, name), problems)
    given_names = {name for name, _ in entries}
    for name in _required(type_):
        if name not in given_names:
            problems.add("REQUIRED", "is required", (*path, name), given.node)


@cache
def _required(type_: GraphQLInputObjectType) -> Sequence[str]:
    """The names of the fields that a caller must give."""
    return [name for name, it in type_.fields.items() if is_required_input_field(it)]


def _check_choice(
    entries: Sequence[tuple[str, Given]],
    type_: GraphQLInputObjectType,
    path: WirePath,
    problems: Problems,
    node: Node | None,
) -> None:
    """Check a @oneOf object: exactly one of its fields is given, and is not null."""
    known = [(name, value) for name, value in entries if name in type_.fields]
    if not entries:
        problems.add("REQUIRED", f"give exactly one of {listed(type_.fields)}", path, node)
    elif len(known) > 1:
        problems.add("CONFLICT", f"give only one of {listed([name for name, _ in known])}", path, node)
    elif known and known[0][1].is_null:
        problems.add("REQUIRED", "must not be null", (*path, known[0][0]), known[0][1].node)


def _misfit(value: object, type_: Leaf) -> tuple[ProblemCode, str]:
    """The code and message for a value that does not fit this type."""
    if isinstance(type_, GraphQLEnumType):
        names = listed(type_.values)
        if isinstance(value, str):
            return "UNKNOWN", f"expected one of {names}{suggestion(value, type_.values)}"
        return "WRONG_TYPE", f"expected one of {names}"
    if type_.name == "Int" and _is_whole(value):
        return "OUT_OF_RANGE", f"must be between {-_LARGEST_INT - 1:,} and {_LARGEST_INT:,}"
    if type_.name in _EXPECTED:
        return "WRONG_TYPE", f"expected {_EXPECTED[type_.name]}"
    return "MALFORMED" if isinstance(value, str) else "WRONG_TYPE", _own_words(value, type_)


def _is_whole(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )


def _own_words(value: object, type_: GraphQLScalarType) -> str:
    """The message with which one of our own scalars refuses a value, as part of a sentence."""
    try:
        type_.coerce_input_value(value)
    except GraphQLError as error:
        return error.message[:1].lower() + error.message[1:].removesuffix(".")
    return f"expected {type_.name}"
