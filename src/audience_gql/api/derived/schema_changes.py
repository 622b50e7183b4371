"""Compares this version's schema with an older one: what breaks clients, and what may surprise them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChanges:
    """The changes from an older schema, each as a sentence, in alphabetical order."""

    breaking: Sequence[str]
    """A document that was valid may be refused, or its answer may not fit what clients generated from the older schema."""
    dangerous: Sequence[str]
    """Every document is still valid, but a client may meet what it does not expect, such as a new value of an enum."""


class NotASchema(Exception):
    """A text that is not a schema. The message says why."""


def changes_since(older: str, newer: str) -> SchemaChanges:
    """The changes from one schema to another. Both are texts in the schema language. Raises NotASchema."""
    before, after = _schema(older), _schema(newer)
    breaking = [change.description for change in find_breaking_changes(before, after)]
    dangerous = [change.description for change in find_dangerous_changes(before, after)]
    return SchemaChanges(
        breaking=sorted([*breaking, *_choices_added(before, after)]),
        dangerous=sorted([*dangerous, *_choices_added(after, before, "is no longer")]),
    )


def _schema(text: str) -> GraphQLSchema:
    try:
        schema = build_schema(text)
    except (GraphQLError, TypeError) as error:
        raise NotASchema(str(error).partition("\n")[0]) from error
    if schema.query_type is None:
        raise NotASchema("the file is not a schema: it has no type Query")
    return schema


def _choices_added(before: GraphQLSchema, after: GraphQLSchema, verb: str = "is now") -> Iterator[str]:
    """The inputs that take exactly one field only in the second schema. The library's comparison does not look at this."""
    for name, type_ in after.type_map.items():
        old = before.type_map.get(name)
        if not isinstance(type_, GraphQLInputObjectType) or not isinstance(old, GraphQLInputObjectType):
            continue
        if type_.is_one_of and not old.is_one_of:
            yield f"{name} {verb} @oneOf."
