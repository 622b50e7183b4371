"""Makes the plan of a query: for each selection, how every field is read and how its values become JSON.

A plan knows only success. Whatever it cannot do, and whatever fails, is left to the library's executor, which runs the operation again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, TypeAlias

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_directive_values,
)
from graphql.execution.values import VariableValues
from strawberry.types.field import StrawberryField

from audience_gql.api.syntax import nodes

Values: TypeAlias = list[Any]  # Any: what resolvers return, or the JSON of it
MOST_FIELDS: Final = 1_000
"""The most fields of a plan. A short document can select many more through fragments."""
TOGETHER: Final = "together"
"""The key of a field's metadata under which it declares a function that reads the field for many parents at once.

The function takes the context, the parents and the field's arguments by name. It returns a value for each parent.
"""
RUNS_ONCE: Final = "runs_once"
"""The key of a field's metadata for a field that may take long, so that it must not run again when something fails."""
_AS_THEY_ARE: Final[Mapping[str, type]] = {"String": str, "ID": str, "Boolean": bool}
"""The type of values that already are the JSON of a scalar."""


class NotPlannable(Exception):  # named after what it says
    """The library's executor must run this operation."""


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A scalar or an enum."""

    write: Callable[[Any], Any]  # Any: a value that is not null, and its JSON


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """An object with the fields that the document selects."""

    plan: ObjectPlan


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    items: Shape


@dataclass(frozen=True, slots=True, eq=False)
class NonNull:
    inner: Shape


Shape: TypeAlias = Leaf | Objects | Listed | NonNull


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FieldPlan:
    """One field of a selection."""

    key: str
    """Its name in the response."""
    node: FieldNode
    declared: GraphQLField
    field: StrawberryField
    read: Callable[[Any], Any] | None  # Any: a parent and one of its attributes
    """Reads the field from its parent; None if it has a resolver."""
    shape: Shape
    has_variables: bool
    """Whether its arguments depend on the request's variables."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectPlan:
    """A selection of fields of one object type, in the document's order."""

    type_name: str
    keys: tuple[str, ...]
    fields: tuple[FieldPlan | None, ...]
    """None for `__typename`."""


class Compiler:
    """Makes the plans of one document. `variables` are needed for @skip and @include only."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: VariableValues) -> None:
        self._schema = schema
        self._variables = variables
        self._fields_left = MOST_FIELDS
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }

    def plan(self, operation: OperationDefinitionNode) -> ObjectPlan:
        """The plan of a query. Raises NotPlannable."""
        root = self._schema.query_type
        if operation.operation.value != "query" or operation.directives or root is None:
            raise NotPlannable
        return self._object(root, [operation.selection_set])

    def _object(self, type_: GraphQLObjectType, selections: list[SelectionSetNode]) -> ObjectPlan:
        chosen: dict[str, list[FieldNode]] = {}
        seen: set[str] = set()
        for selection in selections:
            self._collect(type_, selection, chosen, seen)
        self._fields_left -= len(chosen)
        if self._fields_left < 0:
            raise NotPlannable
        fields = [self._field(type_, key, found) for key, found in chosen.items()]
        return ObjectPlan(type_.name, tuple(chosen), tuple(fields))

    def _collect(
        self,
        type_: GraphQLObjectType,
        selection_set: SelectionSetNode,
        chosen: dict[str, list[FieldNode]],
        seen: set[str],
    ) -> None:
        """Add the fields of a selection by their names in the response. Each fragment is `seen` once."""
        for selection in selection_set.selections:
            if not self._is_included(selection.directives or ()):
                continue
            match selection:
                case FieldNode():
                    key = selection.alias.value if selection.alias else selection.name.value
                    chosen.setdefault(key, []).append(selection)
                case InlineFragmentNode():
                    condition = selection.type_condition
                    if condition is None or self._applies(condition.name.value, type_):
                        self._collect(type_, selection.selection_set, chosen, seen)
                case FragmentSpreadNode() if selection.name.value not in seen:
                    seen.add(selection.name.value)
                    fragment = self._fragments[selection.name.value]
                    if self._applies(fragment.type_condition.name.value, type_):
                        self._collect(type_, fragment.selection_set, chosen, seen)

    def _is_included(self, directives: Any) -> bool:  # Any: a sequence of DirectiveNode
        for directive in directives:
            if directive.name.value not in ("skip", "include"):
                raise NotPlannable
            declared = GraphQLSkipDirective if directive.name.value == "skip" else GraphQLIncludeDirective
            node = _Holder((directive,))
            values = get_directive_values(declared, node, self._variables)  # type: ignore[arg-type]  # only its directives are read
            if values is None or values["if"] is (directive.name.value == "skip"):
                return False
        return True

    def _applies(self, condition: str, type_: GraphQLObjectType) -> bool:
        named = self._schema.get_type(condition)
        return named is type_ or (
            isinstance(named, GraphQLInterfaceType) and self._schema.is_sub_type(named, type_)
        )

    def _field(self, type_: GraphQLObjectType, key: str, found: list[FieldNode]) -> FieldPlan | None:
        node = found[0]
        name = node.name.value
        if name == "__typename":
            return None
        declared = type_.fields.get(name)
        field = None if declared is None else declared.extensions.get("strawberry-definition")
        if declared is None or not isinstance(field, StrawberryField) or not _is_plannable(field):
            raise NotPlannable
        selections = [each.selection_set for each in found if each.selection_set is not None]
        return FieldPlan(
            key=key,
            node=node,
            declared=declared,
            field=field,
            read=attrgetter(field.python_name) if field.is_basic_field else None,
            shape=self._shape(declared.type, selections),
            has_variables=any(isinstance(value, VariableNode) for value in _values(node)),
        )

    def _shape(self, type_: GraphQLOutputType, selections: list[SelectionSetNode]) -> Shape:
        match type_:
            case GraphQLNonNull():
                return NonNull(self._shape(type_.of_type, selections))
            case GraphQLList():
                return Listed(self._shape(type_.of_type, selections))
            case GraphQLScalarType() | GraphQLEnumType():
                return Leaf(_writer(type_))
            case GraphQLObjectType():
                return Objects(self._object(type_, selections))
        raise NotPlannable  # an interface or a union


@dataclass(frozen=True, slots=True)
class _Holder:
    """Something with directives, as the library's function takes it."""

    directives: tuple[DirectiveNode, ...]


def _is_plannable(field: StrawberryField) -> bool:
    """Whether the field is cheap enough to be read twice if something fails, and is nothing but its resolver."""
    metadata = field.metadata
    return not (field.extensions or metadata.get(RUNS_ONCE) or metadata.get("weight", 1) > 1)


def _values(node: FieldNode) -> Iterator[ValueNode]:
    for argument in node.arguments or ():
        for value, _ in nodes(argument):
            if isinstance(value, ValueNode):
                yield value


def _writer(type_: GraphQLScalarType | GraphQLEnumType) -> Callable[[Any], Any]:  # Any: a value and its JSON
    write = type_.coerce_output_value
    as_it_is = _AS_THEY_ARE.get(type_.name)
    if as_it_is is None:
        return write
    return lambda value: value if type(value) is as_it_is else write(value)
