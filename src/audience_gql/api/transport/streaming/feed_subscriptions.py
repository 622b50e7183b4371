"""The GraphQL side of the feed: turns an operation into a subscription whose results equal clients share.

Each result is what the schema alone would send to the client. A test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Final

from graphql import ExecutionResult
from graphql.execution import create_source_event_stream, execute_subscription_event
from strawberry.utils.await_maybe import await_maybe

from audience_gql.api.context import Context
from audience_gql.api.lists.feed import FeedSelection
from audience_gql.api.operations.operation_requests import OperationRefused, OperationRequest
from audience_gql.api.schema import Permitted, Schema
from audience_gql.api.transport.results import result_of
from audience_gql.audience.log.feed import Batch
from audience_gql.audience.log.shared_execution import Result, Subscription

_FIELD: Final = frozenset({"membershipChanges"})


def is_of_feed(permitted: Permitted) -> bool:
    return permitted.operation.type == "subscription" and permitted.operation.root_fields == _FIELD


async def feed_subscription(
    schema: Schema, request: OperationRequest, permitted: Permitted, context: Context
) -> Subscription:
    """What the operation subscribes to. The field's resolver runs for every client, because the filter may name a person.

    Raises OperationRefused.
    """
    executor = schema.executor(request, permitted, context)
    selected = await await_maybe(create_source_event_stream(executor))
    if isinstance(selected, ExecutionResult):
        raise OperationRefused(selected.errors or [])
    assert isinstance(selected, FeedSelection)  # noqa: S101  # the feed has no other field

    async def execute(batch: Batch) -> Result:
        fresh = Context(context.services, context.access)
        executor = schema.executor(request, permitted, fresh).build_per_event_executor(batch)
        result = await await_maybe(execute_subscription_event(executor))
        return result_of(result.data, result.errors, batch.cursor)

    return Subscription(
        feed=context.feed,
        after=selected.after,
        wanted=selected.wanted,
        key=_key(request, permitted, context),
        execute=execute,
    )


def _key(request: OperationRequest, permitted: Permitted, context: Context) -> Hashable:
    """Everything that a result can depend on, except the batch and the filter."""
    variables = {
        name: value
        for name, value in (request.variables or {}).items()
        if name != permitted.operation.beginning
    }
    return (
        context.workspace.id,
        context.workspace.timezone,
        frozenset(context.access.token.scopes),
        request.query,
        request.operation_name,
        json.dumps(variables, sort_keys=True, default=repr),  # `repr` of numbers that fit no argument
    )
