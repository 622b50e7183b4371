"""Measures how long queries and mutations take, over HTTP and on sockets, and how they end."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from graphql import GraphQLError
from strawberry.types.graphql import OperationType

from audience_gql.api.errors import code_of
from audience_gql.telemetry import traces
from audience_gql.telemetry.metrics import Outcome, note_operation, outcome_of


def measure(type_: OperationType | None, begun: float, errors: Sequence[GraphQLError] | None) -> None:
    """Count an operation that ends now with these errors. `begun` is the process' time at its begin."""
    outcome: Outcome = outcome_of(map(code_of, errors)) if errors else "success"
    _note(type_, begun, outcome)


def measure_failure(type_: OperationType | None, begun: float) -> None:
    """Count an operation that ends now with an exception."""
    _note(type_, begun, "server_error")


def _note(type_: OperationType | None, begun: float, outcome: Outcome) -> None:
    note_operation(
        None if type_ is None else type_._value_, perf_counter() - begun, outcome
    )  # `value` takes three times as long
    if traces.current is not None:
        traces.current.end_operation(outcome)
