"""Turns documents into tools for programs that read APIs: each query with its name, its description and the schema of its variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphql import (
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    Source,
    TokenKind,
    parse,
)

from audience_gql.api.derived.json_schemas import JsonSchema, variables_schema
from audience_gql.api.documents.documents import Documents, complaints


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One query that a program may run."""

    name: str
    description: str
    variables: JsonSchema
    document: str


class NoTool(Exception):
    """A document that cannot be a tool. The message says why."""


class NotAQuery(NoTool):
    """A good document that does more than to read once: a mutation or a subscription."""


def tool_of(documents: Documents, text: str) -> Tool:
    """The tool that a document with one named query makes. Raises NotAQuery, NoTool."""
    _, found = complaints(documents, text)
    if found:
        raise NoTool("; ".join(str(complaint) for complaint in found))
    parsed = parse(Source(text))
    operations = [it for it in parsed.definitions if isinstance(it, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].name is None:
        raise NoTool("a tool is a document with one operation, which has a name")
    (operation,) = operations
    name = operations[0].name.value
    if operation.operation is not OperationType.QUERY:
        raise NotAQuery(f"{name} is a {operation.operation.value}, and tools only read")
    return Tool(
        name=name,
        description=_comment_above(operation) or _descriptions(documents.schema, operation),
        variables=variables_schema(documents.schema, operation),
        document=text,
    )


def _comment_above(operation: OperationDefinitionNode) -> str:
    """The comment that ends right above an operation, in one line; empty if there is none."""
    lines: list[str] = []
    token = operation.loc.start_token.prev if operation.loc else None
    while token is not None and token.kind is TokenKind.COMMENT:
        lines.insert(0, (token.value or "").strip())
        token = token.prev
    return " ".join(filter(None, lines))


def _descriptions(schema: GraphQLSchema, operation: OperationDefinitionNode) -> str:
    """What the schema says about the fields that a query selects."""
    query = schema.query_type
    selected: Sequence[str] = [
        it.name.value for it in operation.selection_set.selections if isinstance(it, FieldNode)
    ]
    fields = query.fields if query else {}
    return " ".join(fields[name].description or "" for name in dict.fromkeys(selected) if name in fields)
