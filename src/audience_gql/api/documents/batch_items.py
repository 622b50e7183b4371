"""Counts the items that a mutation is given: the entries of the lists directly in the inputs of its root fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
)

MOST: Final = 1_000
"""The most items of one list that cost something. Longer lists are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItems:
    """The items of one operation."""

    written: int = 0
    """The entries of lists that are written in the document."""
    lists: tuple[str, ...] = ()
    """The variables that stand for a list within an input. A name counts once for each use."""
    inputs: tuple[str, ...] = ()
    """The variables that stand for a whole input, in the same way."""

    def count(self, variables: Mapping[str, object]) -> int:
        """The number of items for these variables."""
        total = self.written
        for name in self.lists:
            total += _entries(variables.get(name))
        for name in self.inputs:
            given = variables.get(name)
            if isinstance(given, dict):
                total += sum(map(_entries, given.values()))
        return total


def batch_items(document: DocumentNode, operation: OperationDefinitionNode) -> BatchItems:
    """The items of an operation: none if it is not a mutation."""
    if operation.operation.value != "mutation":
        return BatchItems()
    written, lists, inputs = 0, [], []
    for value in _arguments(document, operation):
        if isinstance(value, VariableNode):
            inputs.append(value.name.value)
        elif isinstance(value, ObjectValueNode):
            for field in value.fields:
                if isinstance(field.value, ListValueNode):
                    written += _entries(field.value.values)
                elif isinstance(field.value, VariableNode):
                    lists.append(field.value.name.value)
    return BatchItems(written=written, lists=tuple(lists), inputs=tuple(inputs))


def _arguments(document: DocumentNode, operation: OperationDefinitionNode) -> Iterator[ValueNode]:
    """The arguments of the root fields, also of those in fragments. Each fragment counts once."""
    fragments = {it.name.value: it for it in document.definitions if isinstance(it, FragmentDefinitionNode)}
    waiting = [operation.selection_set]
    while waiting:
        for selection in waiting.pop().selections:
            match selection:
                case FieldNode():
                    yield from (argument.value for argument in selection.arguments or ())
                case InlineFragmentNode():
                    waiting.append(selection.selection_set)
                case FragmentSpreadNode():
                    fragment = fragments.pop(selection.name.value, None)
                    if fragment is not None:
                        waiting.append(fragment.selection_set)


def _entries(value: object) -> int:
    return min(len(value), MOST) if isinstance(value, list | tuple) else 0
