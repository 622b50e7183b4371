"""Runs operations for sockets and streams: all results of a subscription, or the one result of a query or mutation."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from audience_gql.api.context import Context, Services
from audience_gql.api.documents import RefusedDocument
from audience_gql.api.operating import NotAnswered
from audience_gql.api.operation_requests import OperationRefused, OperationRequest, hash_not_accepted
from audience_gql.api.schema import Permitted, Schema
from audience_gql.api.transport.feed_subscriptions import feed_subscription, is_of_feed
from audience_gql.api.transport.results import failure, result_of
from audience_gql.audience.log.broadcast import LeftBehind
from audience_gql.audience.log.delivery import Deliveries, Take
from audience_gql.audience.log.shared_execution import Result


class Subscriptions:
    """The operations of one process that sockets and streams run."""

    def __init__(self, schema: Schema, services: Services) -> None:
        self._schema = schema
        self._deliveries = Deliveries(
            poll_seconds=services.settings.feed_poll_seconds,
            heartbeat_seconds=services.settings.feed_heartbeat_seconds,
        )

    async def run(
        self, request: OperationRequest, context: Context, take: Take | None = None
    ) -> AsyncGenerator[Result, None]:
        """The results, except those of the feed that `take` accepts.

        Raises OperationRefused before the first result if nothing of the operation runs. Raises LeftBehind if the log has grown too far
        while a result was being sent: the client must subscribe again from its last cursor.
        """
        if request.is_hash:
            raise OperationRefused([hash_not_accepted()])
        if (
            self._schema.operation_type(request.query, request.operation_name)
            is not OperationType.SUBSCRIPTION
        ):
            for result in await self._answer(request, context):
                yield result
            return
        permitted = self._schema.permit(
            request.query, request.operation_name, request.variables, context.access
        )
        if isinstance(permitted, RefusedDocument):
            raise OperationRefused(permitted.errors)
        try:
            async with aclosing(await self._subscribe(request, permitted, context, take)) as results:
                async for result in results:
                    yield result
        except (OperationRefused, LeftBehind):
            raise
        except Exception as error:  # noqa: BLE001  # an edge: the error is logged, masked and sent
            yield failure(error)

    async def _answer(self, request: OperationRequest, context: Context) -> list[Result]:
        """The result of a query or mutation. Its place in the queue is free before a slow client reads the result."""
        operations = context.services.operations
        try:
            async with (
                operations.operating(context.access),
                operations.weighing(self._schema.query_cost(request)),
            ):
                return [result async for result in self._run_alone(request, context)]
        except NotAnswered as refusal:
            raise OperationRefused([refusal.error]) from refusal

    async def _subscribe(
        self, request: OperationRequest, permitted: Permitted, context: Context, take: Take | None
    ) -> AsyncGenerator[Result, None]:
        if not is_of_feed(permitted):
            return self._run_alone(request, context)
        subscription = await feed_subscription(self._schema, request, permitted, context)
        return self._deliveries.deliver(subscription, take)

    async def _run_alone(self, request: OperationRequest, context: Context) -> AsyncGenerator[Result, None]:
        """The library's results, for this client only."""
        results = await self._schema.stream(
            request.query,
            variable_values=request.variables,
            context_value=context,
            operation_name=request.operation_name,
        )
        async with aclosing(results):
            async for result in results:
                if isinstance(result, PreExecutionError):
                    raise OperationRefused(result.errors or [])
                assert isinstance(result, ExecutionResult)  # noqa: S101  # the schema has no incremental results
                yield result_of(result.data, result.errors)
