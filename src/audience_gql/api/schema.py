"""Runs operations within the scopes of their token and the limits on documents, and shows their errors as clients may see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import strawberry
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLOneOfDirective,
    GraphQLSchema,
    Undefined,
)
from graphql import ExecutionResult as Executed
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.utils.await_maybe import await_maybe

from audience_gql.api.acting.failures import ACTING_HANDLERS
from audience_gql.api.context import Context
from audience_gql.api.definition_sets.plans import DEFINITION_HANDLERS
from audience_gql.api.documents.documents import Documents, Operation, Prepared, RefusedDocument
from audience_gql.api.documents.limits import CHARACTERS_A_POINT, COST, SUBSCRIPTION
from audience_gql.api.errors import ApiError, BadUserInput, for_client
from audience_gql.api.failures import HANDLERS
from audience_gql.api.importing.undoing import UNDO_HANDLERS
from audience_gql.api.inputs.problems import without_suggestion
from audience_gql.api.inputs.variables import null_errors
from audience_gql.api.operation_scopes import forbidden
from audience_gql.api.operations.execution import AudienceExecutor
from audience_gql.api.operations.operation_requests import OperationRefused, OperationRequest
from audience_gql.api.plans.planner import Planner
from audience_gql.api.root_types import Mutation, Query, Subscription
from audience_gql.api.scalars import SCALARS
from audience_gql.api.viewer import Scope
from audience_gql.audience.access import Access
from audience_gql.config import LEAST_POINTS, Introspection
from audience_gql.telemetry import traces

_TYPES: Final = {type_.value: type_ for type_ in OperationType}
_SMALL: Final = 25
"""The most objects in the response of a small query: a row and a page of usual size."""


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A request, and the operation of its document that would run. It may still be refused.

    It is not frozen, because each request has one, and frozen ones take three times as long to make.
    """

    request: OperationRequest
    prepared: Prepared | RefusedDocument
    operation: Operation | None
    """None if the document is refused, or if it is unclear which of its operations is meant."""
    points: int
    """How many objects the response may hold; 0 if there is no operation."""

    @property
    def type(self) -> OperationType | None:
        return _TYPES[self.operation.type] if self.operation else None

    @property
    def query_points(self) -> int:
        """How many objects the response of a query may hold; 0 for other operations."""
        return self.points if self.operation and self.operation.type == "query" else 0

    @property
    def charge(self) -> int:
        """The points that the token spends on it. A mutation costs its items and what its response holds for them."""
        request, operation = self.request, self.operation
        if operation is None or self.points > COST:
            points = 1 + len(request.query) // CHARACTERS_A_POINT
        elif operation.type == "query":
            points = max(1, self.points)
        elif operation.type == "subscription":
            points = max(1, min(self.points, SUBSCRIPTION))
        else:
            variables = {**operation.defaults, **(request.variables or {})}
            items = operation.items.count(variables)
            points = max(1, items + operation.cost.points(variables, items))
        return min(points, LEAST_POINTS)


@dataclass(slots=True, kw_only=True)
class Permitted:
    """An operation that may run for this token and with these variables. It is not frozen, for the same reason."""

    document: DocumentNode
    operation: Operation


class Schema:
    """Runs operations within the scopes of their token and the limits on documents.

    The library's schema is inside and not a base class, because its own `execute` knows no scopes and no limits.
    """

    def __init__(self, *, introspection: Introspection = "on") -> None:
        self._introspection = introspection
        self._declared = strawberry.Schema(
            Query,
            Mutation,
            Subscription,
            config=StrawberryConfig(scalar_map=SCALARS),
            exception_handlers=[*HANDLERS, *ACTING_HANDLERS, *DEFINITION_HANDLERS, *UNDO_HANDLERS],
        )
        self._schema = self._declared._schema  # noqa: SLF001  # the library has no public way to graphql-core's schema
        _forget_null_defaults(self._schema)
        _declare_choices(self._schema)
        self.documents = Documents(self._schema)
        self._planner = Planner(self._declared)

    def candidate(self, request: OperationRequest) -> Candidate:
        """The operation that would run."""
        prepared = self.documents.prepare(request.query)
        operation = (
            None if isinstance(prepared, RefusedDocument) else _chosen(prepared, request.operation_name)
        )
        points = 0
        if operation is not None:
            fixed = operation.fixed_points
            points = _points(operation, request.variables or {}) if fixed is None else fixed
        return Candidate(request=request, prepared=prepared, operation=operation, points=points)

    async def answer(self, candidate: Candidate, context: Context) -> ExecutionResult:
        """The result of a query or mutation, with errors as clients may see them. Raises OperationRefused.

        It calls graphql-core itself, because the library's `execute` would parse and validate again. The library's hooks can prevent
        that, but they double the CPU time of a small query.
        """
        request = candidate.request
        permitted = self.permit(candidate, context.access)
        if traces.current is not None:
            operation = permitted.operation
            traces.current.name_operation(operation.type, operation.root_fields, request.operation_name)
        context.is_small = candidate.points <= _SMALL
        data = await self._planner.answer(permitted.operation.plans, request.variables, context)
        if data is not None:
            context.let_go()
            return ExecutionResult(data=data, errors=None)
        executor = self.executor(request, permitted, context)
        # Without incremental delivery, the library has no other kind of result.
        result = cast(Executed, await await_maybe(executor.execute_operation()))
        if not result.errors:  # after an error, what it stopped may still be ending
            executor.let_go()
            context.let_go()
        errors = [for_client(error) for error in result.errors or ()]
        return ExecutionResult(data=result.data, errors=errors or None)

    def permit(self, candidate: Candidate, access: Access) -> Permitted:
        """The operation that may run. Raises OperationRefused with the reasons why it must not."""
        request, prepared, operation = candidate.request, candidate.prepared, candidate.operation
        if not request.query:
            raise _refused(BadUserInput("There is no document: `query` is missing or empty."))
        if isinstance(prepared, RefusedDocument):
            raise self._refusal(prepared.errors, access)
        if operation is None:
            raise _refused(
                BadUserInput("Set `operationName` to the name of one of the document's operations.")
            )
        if operation.is_about_schema and not self._shows_itself(access):
            raise _refused(ApiError("FORBIDDEN", "Introspection is off for this token."))
        if error := forbidden(operation, access):
            raise _refused(error)
        if candidate.points > COST:
            raise _refused(_too_costly(candidate.points))
        if operation.never_null and (errors := null_errors(operation.never_null, request.variables or {})):
            raise self._refusal(errors, access)
        return Permitted(document=prepared.document, operation=operation)

    def executor(self, request: OperationRequest, permitted: Permitted, context: Context) -> AudienceExecutor:
        """The executor that runs the operation. Raises OperationRefused for variables that do not fit."""
        executor = AudienceExecutor.build(
            self._schema,
            permitted.document,
            context_value=context,
            raw_variable_values=request.variables,
            operation_name=request.operation_name,
            is_awaitable=optimized_is_awaitable,
        )
        if isinstance(executor, list):
            raise self._refusal(executor, context.access)
        return executor

    def _shows_itself(self, access: Access) -> bool:
        """Whether this token may introspect."""
        return self._introspection == "on" or (self._introspection == "admin" and access.allows(Scope.ADMIN))

    def _refusal(self, errors: Sequence[GraphQLError], access: Access) -> OperationRefused:
        """Errors about a document or its variables. Without introspection, they suggest no names of the schema."""
        shown = self._shows_itself(access)
        return OperationRefused(errors if shown else [without_suggestion(error) for error in errors])

    def as_text(self) -> str:
        """The schema in GraphQL's schema language, as in the file schema.graphql."""
        described = f'"""{GraphQLOneOfDirective.description}"""\ndirective @oneOf'  # the library omits the description
        return self._declared.as_str().replace("directive @oneOf", described, 1) + "\n"


def _points(operation: Operation, given: Mapping[str, object]) -> int:
    return operation.cost.points({**operation.defaults, **given} if operation.defaults else given)


def _refused(error: GraphQLError) -> OperationRefused:
    return OperationRefused([error])


def _chosen(prepared: Prepared, name: str | None) -> Operation | None:
    if name is None and len(prepared.operations) == 1:
        return next(iter(prepared.operations.values()))
    return prepared.operations.get(name) if name is not None else None


def _too_costly(points: int) -> GraphQLError:
    message = f"The response could hold {points:,} objects, but at most {COST:,} are allowed. Ask for smaller pages."
    return ApiError("COST_LIMIT", message, cost=points, limit=COST)


def _forget_null_defaults(schema: GraphQLSchema) -> None:
    """Remove defaults of null from arguments, because omitting an argument means the same."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for field in type_.fields.values():
                for argument in field.args.values():
                    if argument.default_value is None:
                        argument.default_value = Undefined


def _declare_choices(schema: GraphQLSchema) -> None:
    """Tell graphql-core which inputs are @oneOf, so that it checks them together with everything else."""
    for type_ in schema.type_map.values():
        declared = type_.extensions.get("strawberry-definition")
        if isinstance(type_, GraphQLInputObjectType) and declared is not None:
            type_.is_one_of = declared.is_one_of
