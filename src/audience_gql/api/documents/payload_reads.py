"""Finds out whether a mutation's selection reads stored data beyond the mutation's own result.

It knows only the schema. schema.py decides who may read.
"""

from __future__ import annotations

from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
)

_NODE: Final = "Node"
_FREE: Final = frozenset({"id", "__typename"})
"""The fields of an object with an id that a mutation may always select. They reveal no stored data."""


class PayloadReads:
    """The selections of one document. Each fragment is examined once, so no document can make this slow.

    Unknown fields, types and fragments count as reading nothing, because validation refuses them.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            it.name.value: it for it in document.definitions if isinstance(it, FragmentDefinitionNode)
        }
        self._found: dict[str, bool] = {}

    def reads(self, operation: OperationDefinitionNode) -> bool:
        """Whether the result can contain more than the id of an object that has one.

        Objects without an id are the mutation's own result: the counts and rejects of a payload, and failures.
        """
        return self._any(operation.selection_set, self._schema.get_root_type(operation.operation))

    def _any(self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None) -> bool:
        return any(self._one(selection, parent) for selection in selection_set.selections)

    def _one(self, selection: SelectionNode, parent: GraphQLNamedType | None) -> bool:
        match selection:
            case FieldNode():
                return self._field(selection, parent)
            case InlineFragmentNode(type_condition=condition):
                inner = self._schema.get_type(condition.name.value) if condition else parent
                return self._any(selection.selection_set, inner)
            case FragmentSpreadNode():
                return self._fragment(selection.name.value)
        return False

    def _fragment(self, name: str) -> bool:
        if name not in self._found and name in self._fragments:
            self._found[name] = False  # a fragment within itself adds nothing
            fragment = self._fragments[name]
            named = self._schema.get_type(fragment.type_condition.name.value)
            self._found[name] = self._any(fragment.selection_set, named)
        return self._found.get(name, False)

    def _field(self, field: FieldNode, parent: GraphQLNamedType | None) -> bool:
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return False
        if _has_id(parent) and field.name.value not in _FREE:
            return True
        declared = parent.fields.get(field.name.value)
        if declared is None or field.selection_set is None:
            return False
        return self._any(field.selection_set, get_named_type(declared.type))


def _has_id(type_: GraphQLObjectType | GraphQLInterfaceType) -> bool:
    return _NODE in {type_.name, *(interface.name for interface in type_.interfaces)}
