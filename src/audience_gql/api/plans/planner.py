"""Answers queries by plans where it can. The plans of a document are made once, when it first runs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, TypeAlias

import strawberry
from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
)
from graphql.execution.values import VariableValues

from audience_gql.api.context import Context
from audience_gql.api.plans.arguments import Conversion
from audience_gql.api.plans.compiling import Compiler, NotPlannable
from audience_gql.api.plans.given import Given
from audience_gql.api.plans.planned import ObjectPlan
from audience_gql.api.plans.running import PlanRun
from audience_gql.api.syntax import nodes

Json: TypeAlias = dict[str, Any]  # Any: JSON
_MOST_CHOICES: Final = 4
"""A query with more variables in @skip and @include has too many plans to keep."""


class Plans:
    """The plans of one operation: one for each choice of the variables that @skip and @include depend on."""

    def __init__(self, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self.operation = operation
        self._document = document
        self._made: dict[tuple[object, ...], ObjectPlan | None] = {}
        self._given: Given | None = None

    @cached_property
    def are_possible(self) -> bool:
        """Whether there can be a plan."""
        return self.operation.operation is OperationType.QUERY and len(self._choices) <= _MOST_CHOICES

    @cached_property
    def _choices(self) -> tuple[str, ...]:
        """The variables that @skip and @include depend on."""
        return tuple(
            {
                value.name.value
                for directive, _ in nodes(self._document)
                if isinstance(directive, DirectiveNode)
                for value, _ in nodes(directive)
                if isinstance(value, VariableNode)
            }
        )

    def variables(self, schema: GraphQLSchema, given: Mapping[str, object]) -> VariableValues | None:
        """The variables as the library coerces them; None for those that do not fit."""
        if self._given is None:
            self._given = Given.of(schema, self.operation)
        return self._given.coerced(given)

    def plan(self, schema: GraphQLSchema, variables: VariableValues) -> ObjectPlan | None:
        """The plan for these variables; None if there can be none."""
        choice = tuple(variables.coerced.get(name) for name in self._choices)
        if choice not in self._made:
            self._made[choice] = self._make(schema, variables)
        return self._made[choice]

    def _make(self, schema: GraphQLSchema, variables: VariableValues) -> ObjectPlan | None:
        try:
            return Compiler(schema, self._document, variables).plan(self.operation)
        except NotPlannable:
            return None


class Planner:
    """Answers the queries of one schema."""

    def __init__(self, declared: strawberry.Schema) -> None:
        self._schema = declared._schema  # noqa: SLF001  # the library has no other way to it
        converter = declared.schema_converter
        self._conversion = Conversion(converter.config, converter.scalar_registry)

    async def answer(self, plans: Plans, given: Mapping[str, object] | None, context: Context) -> Json | None:
        """The data of a query that succeeds completely; None if the library's executor must run the operation."""
        if not plans.are_possible:
            return None
        try:
            variables = plans.variables(self._schema, given or {})
            plan = None if variables is None else plans.plan(self._schema, variables)
            if variables is None or plan is None:
                return None
            context.asks_at_once = True
            run = PlanRun(context, variables, self._conversion)
            data = await run.answer(plan)
        except Exception:  # noqa: BLE001  # whatever it is, the library's executor meets it again and reports it
            context.forget()
            return None
        context.executor = "statement" if run.statements == plan.size else "plan"
        return data
