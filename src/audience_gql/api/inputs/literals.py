"""The literals of a document as values to check, and the paths at which arguments use variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
)
from graphql.utilities import coerce_input_literal

from audience_gql.api.inputs.checking import Leaf
from audience_gql.api.paths import WirePath
from audience_gql.api.syntax import nodes
from audience_gql.conditions.values import read_number


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is written in the document."""

    node: ValueNode

    @property
    def is_null(self) -> bool:
        return isinstance(self.node, NullValueNode)

    @property
    def is_variable(self) -> bool:
        return isinstance(self.node, VariableNode)

    def items(self) -> Sequence[Literal] | None:
        return [Literal(it) for it in self.node.values] if isinstance(self.node, ListValueNode) else None

    def entries(self) -> Sequence[tuple[str, Literal]] | None:
        if not isinstance(self.node, ObjectValueNode):
            return None
        return [(field.name.value, Literal(field.value)) for field in self.node.fields]

    def fits(self, type_: Leaf) -> bool:
        return coerce_input_literal(self.node, type_) is not Undefined

    def plain(self) -> object:
        match self.node:
            case IntValueNode() | FloatValueNode():
                return read_number(self.node.value)
            case ListValueNode() | ObjectValueNode():
                return []
            case BooleanValueNode():
                return self.node.value
        return getattr(self.node, "value", None)


def variable_paths(document: DocumentNode) -> Mapping[str, WirePath]:
    """The path of each variable within the arguments of the field or directive that uses it. The first use counts."""
    paths: dict[str, WirePath] = {}
    for node, _ in nodes(document):
        if isinstance(node, FieldNode | DirectiveNode):
            for argument in node.arguments or ():
                for name, path in _variables(argument.value, (argument.name.value,)):
                    paths.setdefault(name, path)
    return paths


def _variables(value: ValueNode, path: WirePath) -> Iterator[tuple[str, WirePath]]:
    match value:
        case VariableNode():
            yield value.name.value, path
        case ListValueNode():
            for index, item in enumerate(value.values):
                yield from _variables(item, (*path, str(index)))
        case ObjectValueNode():
            for field in value.fields:
                yield from _variables(field.value, (*path, field.name.value))
