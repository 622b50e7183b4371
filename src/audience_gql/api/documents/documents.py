"""Parses, measures and validates documents, and remembers the results.

A result depends only on the document's text, so each text is handled once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    value_from_ast_untyped,
    visit,
)
from graphql.validation.rules import overlapping_fields_can_be_merged

from audience_gql.api.documents.batch_items import BatchItems, batch_items
from audience_gql.api.documents.introspection import ROOT_FIELDS
from audience_gql.api.documents.limits import COMPARISONS, LENGTH, TOKENS, Cost, Measure, size_errors
from audience_gql.api.documents.payload_reads import PayloadReads
from audience_gql.api.documents.rules import broken_rules
from audience_gql.api.errors import ApiError, coded
from audience_gql.api.inputs.variables import never_null
from audience_gql.api.paths import WirePath
from audience_gql.api.plans.planner import Plans

REMEMBERED_BYTES: Final = 32 * 1024 * 1024
_BYTES_A_TOKEN: Final = 600
_BYTES_A_CHARACTER: Final = 6
_BYTES_A_TEXT: Final = 24_000
"""A parsed document's memory per token, per character and per document. A test checks that no document takes more."""
_DECLARED_AND_USED_ONCE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is known about an operation before it has a caller and variables."""

    type: str
    """query, mutation or subscription."""
    root_fields: frozenset[str]
    reads_payload: bool
    """Whether it is a mutation whose selection reads stored data: see payload_reads.py."""
    is_about_schema: bool
    """Whether a root field is one of introspection."""
    plans: Plans
    cost: Cost
    fixed_points: int | None
    """The cost, if it does not depend on variables."""
    items: BatchItems
    defaults: Mapping[str, object]
    """The variables' defaults, by name."""
    never_null: Mapping[str, WirePath]
    """The variables that a request may omit but not set to null, with their paths in the arguments."""
    beginning: str | None
    """The variable that is used only as a root field's `after`. The content of a subscription's result does not depend on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A valid document, and its operations by name. The key is None for an operation without a name."""

    document: DocumentNode
    operations: Mapping[str | None, Operation]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedDocument:
    """A document that must not run, and the reasons."""

    errors: Sequence[GraphQLError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One reason why a document must not run."""

    message: str
    line: int | None
    column: int | None
    """The place in the document, from 1. None if the reason concerns the whole document."""

    def __str__(self) -> str:
        return (
            self.message if self.line is None else f"line {self.line}, column {self.column}: {self.message}"
        )


class Documents:
    """Prepares the documents of one schema, and remembers the latest ones."""

    def __init__(self, schema: GraphQLSchema) -> None:
        # A global setting of the library. With its default, a small document can keep a core busy for more than a second.
        overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = COMPARISONS
        self.schema = schema
        self._remembered: OrderedDict[str, tuple[Prepared | RefusedDocument, int]] = OrderedDict()
        self.remembered_bytes = 0
        """An estimate of the memory that the remembered documents take, in bytes; at most REMEMBERED_BYTES."""
        self.hits = 0
        """How many times `prepare` found its result remembered."""

    def prepare(self, text: str) -> Prepared | RefusedDocument:
        if len(text) > LENGTH:
            message = f"A document has at most {LENGTH:,} characters, not {len(text):,}."
            return RefusedDocument(errors=[ApiError("GRAPHQL_VALIDATION_FAILED", message)])
        remembered = self._remembered.get(text)
        if remembered is not None:
            self.hits += 1
            self._remembered.move_to_end(text)
            return remembered[0]
        prepared = self._prepare(text)
        self._remember(text, prepared)
        return prepared

    def _remember(self, text: str, prepared: Prepared | RefusedDocument) -> None:
        size = _size(text, prepared)
        self._remembered[text] = prepared, size
        self.remembered_bytes += size
        while self.remembered_bytes > REMEMBERED_BYTES:
            _, (_, freed) = self._remembered.popitem(last=False)
            self.remembered_bytes -= freed

    def _prepare(self, text: str) -> Prepared | RefusedDocument:
        try:
            document = parse(text, max_tokens=TOKENS)
        except GraphQLSyntaxError as error:
            return RefusedDocument(errors=[coded(_in_our_words(error), "GRAPHQL_PARSE_FAILED")])
        if errors := size_errors(document):
            return RefusedDocument(errors=errors)
        measure = Measure(self.schema, document)
        try:
            costs = [measure.cost(definition) for _, definition in _operations(document)]
        except ApiError as error:
            return RefusedDocument(errors=[error])
        if broken := broken_rules(self.schema, document):
            return RefusedDocument(errors=broken)
        reads = PayloadReads(self.schema, document)
        operations = {
            name: _operation(self.schema, document, definition, cost, reads)
            for (name, definition), cost in zip(_operations(document), costs, strict=True)
        }
        return Prepared(document=document, operations=operations)


def complaints(documents: Documents, text: str) -> tuple[tuple[str, ...], list[Complaint]]:
    """The names of a document's operations, where an operation without a name is "", and every reason why the document must not run."""
    prepared = documents.prepare(text)
    if isinstance(prepared, Prepared):
        return tuple(name or "" for name in prepared.operations), []
    found = []
    for error in prepared.errors:
        line, column = error.locations[0] if error.locations else (None, None)
        found.append(Complaint(message=error.message, line=line, column=column))
    return (), found


def _in_our_words(error: GraphQLSyntaxError) -> GraphQLError:
    message = error.message.replace("Syntax Error: ", "The document is not GraphQL: ", 1)
    return GraphQLError(message, source=error.source, positions=error.positions)


def _size(text: str, prepared: Prepared | RefusedDocument) -> int:
    """An upper estimate of a remembered document's memory, in bytes."""
    tokens = prepared.document.token_count if isinstance(prepared, Prepared) else 0
    return _BYTES_A_TEXT + _BYTES_A_CHARACTER * len(text) + _BYTES_A_TOKEN * tokens


def _operations(document: DocumentNode) -> Iterator[tuple[str | None, OperationDefinitionNode]]:
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            yield definition.name.value if definition.name else None, definition


def _operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    definition: OperationDefinitionNode,
    cost: Cost,
    reads: PayloadReads,
) -> Operation:
    type_ = definition.operation.value
    root_fields = _root_fields(document, definition)
    return Operation(
        type=type_,
        root_fields=root_fields,
        is_about_schema=not root_fields.isdisjoint(ROOT_FIELDS),
        reads_payload=type_ == "mutation" and reads.reads(definition),
        plans=Plans(document, definition),
        cost=cost,
        fixed_points=cost.fixed,
        items=batch_items(document, definition),
        defaults={
            variable.variable.name.value: value_from_ast_untyped(variable.default_value)
            for variable in definition.variable_definitions or ()
            if variable.default_value is not None
        },
        never_null=never_null(schema, document, definition),
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
    """Counts the places at which a document names a variable, including its declaration."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.count = 0
        self._name = name

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.count += node.name.value == self._name


def _root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> frozenset[str]:
    """The names of the root fields that an operation selects, also through fragments."""
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
