"""Limits the size, depth and cost of a document. Each fragment is measured once, so no document can make the measuring slow.

It runs before the rules of the specification, because some of these need more than linear time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, TypeAlias

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from audience_gql.api.documents.introspection import (
    OBJECTS_A_POINT,
    OWN_DEPTH,
    WRAPPED,
    introspection_sizes,
    root_field,
)
from audience_gql.api.errors import ApiError
from audience_gql.api.pagination import LARGEST_PAGE
from audience_gql.api.syntax import nodes

LENGTH: Final = 32 * 1024
"""The most characters in a document. The largest documents of real clients have less than a tenth of this."""
TOKENS: Final = 3_000
"""The most tokens: names, values and punctuation marks. Introspection, the largest document of most clients, has fewer than 200."""
OPERATIONS: Final = 20
"""The most operations. Each one is checked against every fragment that it uses."""
DIGITS: Final = 1_000
"""The most characters of one number. No double needs more."""
DEPTH: Final = 12
ALIASES: Final = 30
DIRECTIVES: Final = 50
FRAGMENTS: Final = 50
VALUE_DEPTH: Final = 64
COMPARISONS: Final = 2_000
"""The most comparisons between fields that a document selects twice in one place. Real queries need far fewer."""
COST: Final = 5_000
USUAL_LIST: Final = 10
"""The assumed length of a list without a page size."""
SUBSCRIPTION: Final = 10
"""The most points that a subscription costs, once, when it starts. Many clients of one token may have to start again at the same time."""
CHARACTERS_A_POINT: Final = 100
"""A document that is refused costs its token a point for each so many characters, because reading it is work, too."""
_ITEMS: Final = ""
"""Stands in a size for the number of items in a mutation's batch. No variable has this name."""
_FREE: Final = ("Connection", "Edge", "PageInfo")
"""The ends of names of types that cost nothing: they only hold other objects."""

_MOST: Final = {
    "aliases": ALIASES,
    "directives": DIRECTIVES,
    "fragments": FRAGMENTS,
    "operations": OPERATIONS,
}

Size: TypeAlias = tuple[str, int]
"""A variable that sets the length of a list, and the length if the request does not set the variable. Or _ITEMS and the most items."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The number of objects that a response can hold: a sum of products of constants and of sizes that variables set."""

    terms: Mapping[tuple[Size, ...], int]

    @property
    def fixed(self) -> int | None:
        """The number of objects; None if it depends on variables."""
        return None if any(self.terms) else sum(self.terms.values())

    def __add__(self, other: Cost) -> Cost:
        terms = dict(self.terms)
        for sizes, count in other.terms.items():
            terms[sizes] = terms.get(sizes, 0) + count
        return Cost(terms)

    def times(self, factor: int | Size) -> Cost:
        if isinstance(factor, int):
            return Cost({sizes: count * factor for sizes, count in self.terms.items()})
        return Cost({tuple(sorted((*sizes, factor))): count for sizes, count in self.terms.items()})

    def divided_by(self, number: int) -> Cost:
        return Cost({sizes: ceil(count / number) for sizes, count in self.terms.items()})

    def points(self, variables: Mapping[str, object], items: int | None = None) -> int:
        """The number of objects for these variables. `items` is how many a batch has; None stands for the most that it can have."""
        total = 0
        for sizes, count in self.terms.items():
            product = count
            for name, default in sizes:
                if name == _ITEMS:
                    product *= default if items is None else min(items, default)
                else:
                    product *= _length(variables.get(name), default)
            total += product
        return total


_NOTHING: Final = Cost({})
_ONE: Final = Cost({(): 1})


def size_errors(document: DocumentNode) -> list[ApiError]:
    """One error for each limit that the document exceeds as a whole, including parts that no operation uses."""
    counts = dict.fromkeys(_MOST, 0)
    deepest, longest = 0, 0
    for node, value_depth in nodes(document):
        deepest = max(deepest, value_depth)
        match node:
            case FieldNode() if node.alias:
                counts["aliases"] += 1
            case DirectiveNode():
                counts["directives"] += 1
            case FragmentDefinitionNode() | InlineFragmentNode():
                counts["fragments"] += 1
            case OperationDefinitionNode():
                counts["operations"] += 1
            case IntValueNode() | FloatValueNode():
                longest = max(longest, len(node.value))
    errors = [
        _refused(f"A document has at most {_MOST[what]} {what}, not {count}.")
        for what, count in counts.items()
        if count > _MOST[what]
    ]
    if deepest > VALUE_DEPTH:
        errors.append(
            _refused(
                f"Values can be nested at most {VALUE_DEPTH} levels deep. Send deeper values as variables."
            )
        )
    if longest > DIGITS:
        errors.append(_refused(f"A number has at most {DIGITS:,} characters, not {longest:,}."))
    return errors


class Measure:
    """Measures the operations of one document. Its methods raise ApiError for an operation that is too deep."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, tuple[int, Cost]] = {}
        self._introspection_sizes = introspection_sizes(schema)

    def cost(self, operation: OperationDefinitionNode) -> Cost:
        root = self._schema.get_root_type(operation.operation)
        return self._selection(operation.selection_set, root, DEPTH)[1]

    def _selection(
        self, selection_set: SelectionSetNode, parent: GraphQLCompositeType | None, room: int
    ) -> tuple[int, Cost]:
        """The depth and the cost of a selection. `room` is the largest depth allowed."""
        depth, cost = 0, _NOTHING
        for selection in selection_set.selections:
            match selection:
                case FieldNode():
                    deep, costs = self._field(selection, parent, room)
                case InlineFragmentNode():
                    inner = (
                        self._type(selection.type_condition.name.value)
                        if selection.type_condition
                        else parent
                    )
                    deep, costs = self._selection(selection.selection_set, inner, room)
                case FragmentSpreadNode():
                    deep, costs = self._fragment(selection.name.value, room)
            if deep > room:
                raise _refused(f"A query can be at most {DEPTH} levels deep.")
            depth, cost = max(depth, deep), cost + costs
        return depth, cost

    def _field(self, node: FieldNode, parent: GraphQLCompositeType | None, room: int) -> tuple[int, Cost]:
        name = node.name.value
        if (introspection := root_field(name)) is not None:
            # Introspection has a depth limit of its own, because the tools' standard query is deeper than other queries.
            return 0, self._inner(node, introspection, OWN_DEPTH)[1].divided_by(OBJECTS_A_POINT)
        if name.startswith("__"):
            return 0, _NOTHING
        if room == 0:
            raise _refused(f"A query can be at most {DEPTH} levels deep.")
        field = getattr(parent, "fields", {}).get(name)
        if field is None:
            return 1, _NOTHING
        if node.selection_set is None:
            weight = _metadata(field).get("weight")
            return 1, _ONE.times(weight) if weight else _NOTHING
        depth, cost = self._inner(node, field, room - 1)
        size = self._introspection_sizes.get((parent.name, name)) if parent else None
        return depth + 1, cost.times(_size(node, field) if size is None else size)

    def _inner(self, node: FieldNode, field: GraphQLField, room: int) -> tuple[int, Cost]:
        """The depth of a field's selection, and the cost of one of the field's objects including that selection."""
        if node.selection_set is None:
            return 0, _NOTHING
        named = get_named_type(field.type)
        depth, cost = self._selection(node.selection_set, named if is_composite_type(named) else None, room)
        is_free = named.name.endswith(_FREE) or field is WRAPPED
        return depth, cost if is_free else cost + _ONE

    def _fragment(self, name: str, room: int) -> tuple[int, Cost]:
        if name not in self._measured:
            self._measured[name] = (
                0,
                _NOTHING,
            )  # the value of a fragment within itself, which another rule refuses
            fragment = self._fragments.get(name)
            if fragment is not None:
                parent = self._type(fragment.type_condition.name.value)
                self._measured[name] = self._selection(fragment.selection_set, parent, room)
        return self._measured[name]

    def _type(self, name: str) -> GraphQLCompositeType | None:
        named = self._schema.get_type(name)
        return named if is_composite_type(named) else None


def _size(node: FieldNode, field: GraphQLField) -> int | Size:
    """The largest number of objects that a field can return. A page's list counts at the field with the page size, not here."""
    for name, argument in field.args.items():
        if _metadata(argument).get("is_page_size"):
            default = argument.default_value if isinstance(argument.default_value, int) else USUAL_LIST
            given = next((it.value for it in node.arguments or () if it.name.value == name), None)
            return _given_size(given, default)
    if not is_list_type(get_nullable_type(field.type)) or node.name.value == "edges":
        return int(_metadata(field).get("weight", 1))
    most = int(_metadata(field).get("up_to", USUAL_LIST))
    return (_ITEMS, most) if _metadata(field).get("per_item") else most


def _metadata(
    declared: GraphQLField | GraphQLArgument,
) -> Mapping[Any, Any]:  # Any: the library's declaration
    definition = declared.extensions.get("strawberry-definition")
    return {} if definition is None else definition.metadata


def _given_size(given: ValueNode | None, default: int) -> int | Size:
    match given:
        case IntValueNode():
            return _length(int(given.value), default)
        case ListValueNode():
            return _length(given.values, default)
        case VariableNode():
            return given.name.value, default
    return default


def _length(value: object, default: int) -> int:
    match value:
        case bool():
            return default
        case int():
            return min(max(value, 1), LARGEST_PAGE)
        case list() | tuple():
            return min(max(len(value), 1), LARGEST_PAGE)
    return default


def _refused(message: str) -> ApiError:
    return ApiError("GRAPHQL_VALIDATION_FAILED", message)
