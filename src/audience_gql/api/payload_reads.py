"""Finds out whether a mutation's selection reads what is stored, beyond what the mutation itself tells.

It knows the schema only. Who may read is decided in schema.py.
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
"""What a mutation may always select of an object that has an id. Neither says anything of what is stored."""


class PayloadReads:
    """The selections of one document. Each fragment is looked at once, so that no document can make this slow.

    Unknown fields, types and fragments read nothing: validation refuses them.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            it.name.value: it for it in document.definitions if isinstance(it, FragmentDefinitionNode)
        }
        self._found: dict[str, bool] = {}

    def reads(self, operation: OperationDefinitionNode) -> bool:
        """Whether the result can hold anything but the id of an object that has one.

        What has no id is the mutation's own to tell: the counts and rejects of a payload, and failures.
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
