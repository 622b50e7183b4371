"""From the text of a document to operations that may run: parsed, measured, validated.

All of it depends on the text alone, so it is done once a text and remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    specified_rules,
    value_from_ast_untyped,
    visit,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.schema.schema import validate_document

from audience_gql.api.errors import ApiError
from audience_gql.api.limits import COMPARISONS, TOKENS, Cost, Measure, size_errors
from audience_gql.api.payload_reads import PayloadReads

REMEMBERED: Final = 256
LONGEST_REMEMBERED: Final = 16 * 1024
"""Characters. A longer text is nobody's daily query, and many of them would fill the memory."""
_DECLARED_AND_USED_ONCE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is known of an operation, whoever asks and whatever the variables."""

    type: str
    """query, mutation or subscription."""
    root_fields: frozenset[str]
    reads_payload: bool
    """Whether it is a mutation whose selection reads what is stored: see payload_reads.py."""
    cost: Cost
    defaults: Mapping[str, object]
    """The variables' own defaults."""
    beginning: str | None
    """The variable that gives a root field's `after` and nothing else: what a result says does not depend on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document that may run, and its operations by name."""

    document: DocumentNode
    operations: Mapping[str | None, Operation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A document that may not."""

    errors: Sequence[GraphQLError]


class Documents:
    """The documents of one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        # The library's own knob, and global. As it comes, a small document can keep a core busy for more than a second.
        overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = COMPARISONS
        self._schema = schema
        self._remembered = lru_cache(REMEMBERED)(self._prepare)

    def prepare(self, text: str) -> Prepared | Refused:
        return self._remembered(text) if len(text) <= LONGEST_REMEMBERED else self._prepare(text)

    @property
    def hits(self) -> int:
        """How often a text was remembered."""
        return self._remembered.cache_info().hits

    def _prepare(self, text: str) -> Prepared | Refused:
        try:
            document = parse(text, max_tokens=TOKENS)
        except GraphQLSyntaxError as error:
            return Refused(errors=[error])
        if errors := size_errors(document):
            return Refused(errors=errors)
        measure, reads = Measure(self._schema, document), PayloadReads(self._schema, document)
        try:
            operations = {
                name: _operation(document, it, measure, reads) for name, it in _operations(document)
            }
        except ApiError as error:
            return Refused(errors=[error])
        if invalid := validate_document(self._schema, document, tuple(specified_rules)):
            return Refused(errors=[_validation_error(error) for error in invalid])
        return Prepared(document=document, operations=operations)


def _operations(document: DocumentNode) -> Iterator[tuple[str | None, OperationDefinitionNode]]:
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            yield definition.name.value if definition.name else None, definition


def _operation(
    document: DocumentNode, definition: OperationDefinitionNode, measure: Measure, reads: PayloadReads
) -> Operation:
    type_, cost = definition.operation.value, measure.cost(definition)
    return Operation(
        type=type_,
        root_fields=_root_fields(document, definition),
        reads_payload=type_ == "mutation" and reads.reads(definition),
        cost=cost,
        defaults={
            variable.variable.name.value: value_from_ast_untyped(variable.default_value)
            for variable in definition.variable_definitions or ()
            if variable.default_value is not None
        },
        beginning=_beginning(document, definition),
    )


def _beginning(document: DocumentNode, operation: OperationDefinitionNode) -> str | None:
    given = [
        argument.value.name.value
        for field in operation.selection_set.selections
        if isinstance(field, FieldNode)
        for argument in field.arguments or ()
        if argument.name.value == "after" and isinstance(argument.value, VariableNode)
    ]
    if len(given) != 1:
        return None
    uses = _Uses(given[0])
    visit(document, uses)
    return given[0] if uses.count == _DECLARED_AND_USED_ONCE else None


class _Uses(Visitor):
    """Counts where a document names a variable, declarations included."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.count = 0
        self._name = name

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.count += node.name.value == self._name


def _root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> frozenset[str]:
    """The fields that an operation asks its root for, through whatever fragments."""
    fragments = {it.name.value: it for it in document.definitions if isinstance(it, FragmentDefinitionNode)}
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [operation.selection_set]
    while waiting:
        for selection in waiting.pop().selections:
            match selection:
                case FieldNode():
                    found.add(selection.name.value)
                case InlineFragmentNode():
                    waiting.append(selection.selection_set)
                case FragmentSpreadNode() if selection.name.value in fragments.keys() - seen:
                    seen.add(selection.name.value)
                    waiting.append(fragments[selection.name.value].selection_set)
    return frozenset(found)


def _validation_error(error: GraphQLError) -> GraphQLError:
    extensions = {"code": "GRAPHQL_VALIDATION_FAILED"}
    return GraphQLError(error.message, error.nodes, error.source, error.positions, extensions=extensions)
