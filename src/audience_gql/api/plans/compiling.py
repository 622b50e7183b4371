"""Makes the plan of a query: for each selection, how every field is read and how its values become JSON.

A plan knows only success. Whatever it cannot do, and whatever fails, is left to the library's executor, which runs the operation again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
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
    get_directive_values,
)
from graphql.execution.values import VariableValues
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from audience_gql.api.declaring import FOR_EACH, READS, RUNS_ONCE, TOGETHER
from audience_gql.api.plans.arguments import Arguments
from audience_gql.api.plans.building import builder
from audience_gql.api.plans.composing import composed
from audience_gql.api.plans.planned import (
    ENUM,
    FieldPlan,
    ForAll,
    Leaf,
    Listed,
    NonNull,
    ObjectPlan,
    Objects,
    Quick,
    Reading,
    Resolver,
    Shape,
    Source,
    Values,
)
from audience_gql.api.scalars import instant_texts
from audience_gql.storage.reads.records import Columns

MOST_FIELDS: Final = 1_000
"""The most fields of a plan. A short document can select many more through fragments."""
_JSON_TYPES: Final[Mapping[str, type]] = {"String": str, "ID": str, "Boolean": bool}
"""The type of values that already are the JSON of a scalar."""
_WRITE_ALL: Final[Mapping[str, Callable[[list[Any]], list[Any]]]] = {"DateTime": instant_texts}
"""The faster way to write many values of a scalar."""


class NotPlannable(Exception):  # named after what it says
    """The library's executor must run this operation."""


class Compiler:
    """Makes the plans of one document. `variables` are needed for @skip and @include only."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: VariableValues) -> None:
        self._schema = schema
        self._variables = variables
        self._fields_left = MOST_FIELDS
        self._readings: defaultdict[tuple[str, str], Reading] = defaultdict(Reading)
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
        plan = self._object(root, [operation.selection_set])
        return replace(plan, fields=tuple(field and composed(field) for field in plan.fields))

    def _object(self, type_: GraphQLObjectType, selections: list[SelectionSetNode]) -> ObjectPlan:
        chosen: dict[str, list[FieldNode]] = {}
        seen: set[str] = set()
        for selection in selections:
            self._collect(type_, selection, chosen, seen)
        self._fields_left -= len(chosen)
        if self._fields_left < 0:
            raise NotPlannable
        fields = [self._field(type_, key, found) for key, found in chosen.items()]
        return ObjectPlan(
            type_name=type_.name,
            keys=tuple(chosen),
            fields=tuple(fields),
            build=builder(tuple(chosen)),
            reads=_reads([found[0] for found in chosen.values()], type_),
            is_row=any(each.name == "Node" for each in type_.interfaces),
        )

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
        shape = self._shape(declared.type, selections)
        inner = shape.inner if isinstance(shape, NonNull) else shape
        below = self._readings[type_.name, name]
        below.add(_rows_below(shape))
        return FieldPlan(
            key=key,
            declared=field,
            source=_source(field),
            arguments=Arguments(declared, field, node),
            shape=shape,
            leaf=inner if isinstance(inner, Leaf) else None,
            may_be_null=inner is shape,
            below=below,
        )

    def _shape(self, type_: GraphQLOutputType, selections: list[SelectionSetNode]) -> Shape:
        match type_:
            case GraphQLNonNull():
                return NonNull(self._shape(type_.of_type, selections))
            case GraphQLList():
                return Listed(self._shape(type_.of_type, selections))
            case GraphQLScalarType():
                write_all = _WRITE_ALL.get(type_.name)
                return Leaf(type_.name, type_.coerce_output_value, _JSON_TYPES.get(type_.name), write_all)
            case GraphQLEnumType():
                name = (
                    ENUM if all(name == value.value for name, value in type_.values.items()) else type_.name
                )
                return Leaf(name, type_.coerce_output_value, None, _each_once(type_.coerce_output_value))
            case GraphQLObjectType():
                return Objects(self._object(type_, selections))
        raise NotPlannable  # an interface or a union


def _each_once(write: Callable[[Any], Any]) -> Callable[[Values], Values]:
    """Writes each of the values once, for long lists of few different ones."""

    def write_all(values: Values) -> Values:
        written = {value: None if value is None else write(value) for value in set(values)}
        return [written[value] for value in values]

    return write_all


@dataclass(frozen=True, slots=True)
class _Holder:
    """Something with directives, as the library's function takes it."""

    directives: tuple[DirectiveNode, ...]


def _is_plannable(field: StrawberryField) -> bool:
    """Whether the field is cheap enough to be read twice if something fails, and is nothing but its resolver."""
    metadata = field.metadata
    return not (field.extensions or metadata.get(RUNS_ONCE) or metadata.get("weight", 1) > 1)


def _source(field: StrawberryField) -> Source:
    if field.is_basic_field:
        return Quick(_attribute(attrgetter(field.python_name)))
    for_each = field.metadata.get(FOR_EACH)
    if for_each is not None:
        return Quick(for_each)
    read = field.metadata.get(TOGETHER)
    if read is not None:
        return ForAll(read)
    resolver = field.base_resolver
    if not isinstance(resolver, StrawberryResolver):
        raise NotPlannable
    parent, info = resolver.parent_parameter, resolver.info_parameter
    return Resolver(
        call=resolver.wrapped_func,  # type: ignore[arg-type]  # a static method is a function here
        parent=None if parent is None else parent.name,
        info=None if info is None else info.name,
        is_async=resolver.is_async,
    )


def _attribute(read: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:  # Any: as in Quick
    return lambda parents: [*map(read, parents)]


def _reads(chosen: list[FieldNode], type_: GraphQLObjectType) -> Columns:
    """The attributes of an object that these fields read."""
    found: set[str] = set()
    for node in chosen:
        declared = type_.fields.get(node.name.value)
        if declared is None:
            continue  # __typename
        field = declared.extensions["strawberry-definition"]
        attributes = (field.python_name,) if field.is_basic_field else field.metadata.get(READS)
        if attributes is None:
            return None
        found.update(attributes)
    return frozenset(found)


def _rows_below(shape: Shape) -> Columns:
    """What is read of the rows that a value leads to: of itself if it is a row, or else of the rows in its fields."""
    match shape:
        case NonNull(inner=inner) | Listed(items=inner):
            return _rows_below(inner)
        case Objects(plan=plan) if plan.is_row:
            return plan.reads
        case Objects(plan=plan):
            below = Reading()
            for field in plan.fields:
                below.add(frozenset() if field is None else _rows_below(field.shape))
            return below.columns
    return frozenset()
