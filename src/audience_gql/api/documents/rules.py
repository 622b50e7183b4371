"""The rules that a document must follow: those of the specification, some of them with clearer messages than the library's.

Our own rules stop after a few problems, and look for similar names only for the problems that they report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FieldsOnCorrectTypeRule,
    GraphQLArgument,
    GraphQLError,
    GraphQLSchema,
    KnownArgumentNamesRule,
    KnownTypeNamesRule,
    NamedTypeNode,
    ProvidedRequiredArgumentsRule,
    ValidationContext,
    ValidationRule,
    ValuesOfCorrectTypeRule,
    VariableDefinitionNode,
    is_abstract_type,
    is_input_type,
    is_required_argument,
    specified_rules,
    type_from_ast,
    validate,
)
from graphql.validation.validate import ValidationAbortedError

from audience_gql.api.errors import coded
from audience_gql.api.inputs.checking import check
from audience_gql.api.inputs.literals import Literal, variable_paths
from audience_gql.api.inputs.problems import MOST_PROBLEMS, Enough, Problems, suggestion
from audience_gql.api.paths import WirePath
from audience_gql.conditions.given_values import shown

CODE: Final = "GRAPHQL_VALIDATION_FAILED"


def broken_rules(schema: GraphQLSchema, document: DocumentNode) -> list[GraphQLError]:
    """The first few errors of a document; [] for a valid one."""
    found = validate(schema, document, _RULES, max_errors=MOST_PROBLEMS, hide_suggestions=True)
    errors = [error for error in found if not isinstance(error, ValidationAbortedError)]
    return [coded(error, CODE) for error in errors or found]


class _KnownFields(ValidationRule):
    """Every selected field belongs to its type."""

    def enter_field(self, node: FieldNode, *_: object) -> None:
        type_ = self.context.get_parent_type()
        if type_ is None or self.context.get_field_def() is not None:
            return
        name = node.name.value
        if is_abstract_type(type_) and (
            holders := [it.name for it in self.context.schema.get_possible_types(type_) if name in it.fields]
        ):
            hint = f"; ask for it in a fragment, for example `... on {holders[0]}`"
        else:
            hint = suggestion(name, getattr(type_, "fields", {}))
        self.report_error(GraphQLError(f"{type_.name} has no field {shown(name)}{hint}", node))


class _KnownTypes(ValidationRule):
    """Every named type belongs to the schema."""

    def enter_named_type(self, node: NamedTypeNode, *_: object) -> None:
        name, types = node.name.value, self.context.schema.type_map
        if name not in types:
            message = f"there is no type {shown(name)}{suggestion(name, types)}"
            self.report_error(GraphQLError(message, node))


class _FittingValues(ValidationRule):
    """Every argument belongs to its field or directive, and literals and defaults of variables fit their types."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._paths: Mapping[str, WirePath] | None = None

    def enter_field(self, node: FieldNode, *_: object) -> None:
        if (field := self.context.get_field_def()) is not None:
            self._check(node, node.name.value, node.arguments or (), field.args)

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        if (directive := self.context.get_directive()) is not None:
            self._check(node, f"@{directive.name}", node.arguments or (), directive.args)

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: object) -> None:
        type_ = type_from_ast(self.context.schema, node.type)
        if node.default_value is None or not is_input_type(type_):
            return
        if self._paths is None:
            self._paths = variable_paths(self.context.document)
        name = node.variable.name.value
        problems = Problems()
        with suppress(Enough):
            check(Literal(node.default_value), type_, self._paths.get(name, (name,)), problems)
        self._report(problems)

    def _check(
        self,
        node: FieldNode | DirectiveNode,
        owner: str,
        given: Sequence[ArgumentNode],
        declared: Mapping[str, GraphQLArgument],
    ) -> None:
        problems = Problems()
        try:
            for it in given:
                name = it.name.value
                if name in declared:
                    check(Literal(it.value), declared[name].type, (name,), problems)
                else:
                    message = f"{owner} has no argument {shown(name)}{suggestion(name, declared)}"
                    problems.add("UNKNOWN", message, (shown(name),), it)
            names = {it.name.value for it in given}
            for name, argument in declared.items():
                if name not in names and is_required_argument(argument):
                    problems.add("REQUIRED", "is required", (name,), node)
        except Enough:
            pass
        self._report(problems)

    def _report(self, problems: Problems) -> None:
        for error in problems.errors(CODE):
            self.report_error(error)


_REPLACED: Final = {
    FieldsOnCorrectTypeRule,
    KnownArgumentNamesRule,
    KnownTypeNamesRule,
    ProvidedRequiredArgumentsRule,
    ValuesOfCorrectTypeRule,
}
_RULES: Final[tuple[type[Any], ...]] = (  # Any: the library's classes of rules
    *(rule for rule in specified_rules if rule not in _REPLACED),
    _KnownFields,
    _KnownTypes,
    _FittingValues,
)
