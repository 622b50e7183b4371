"""Runs operations for sockets and streams: all results of a subscription, or the one result of a query or mutation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from time import perf_counter

from graphql import ExecutionResult, GraphQLError
from graphql.execution import create_source_event_stream, map_source_to_response_event
from strawberry.types.graphql import OperationType
from strawberry.utils.await_maybe import await_maybe

from audience_gql.api.context import Context, Services
from audience_gql.api.documents.trusted_requests import needs_settling, settled
from audience_gql.api.errors import masked
from audience_gql.api.operations.operating import NotAnswered
from audience_gql.api.operations.operation_requests import OperationRefused, OperationRequest
from audience_gql.api.schema import Candidate, Permitted, Schema
from audience_gql.api.transport.measuring.measures import measure, measure_failure
from audience_gql.api.transport.paying import hold_back, pay
from audience_gql.api.transport.results import failure, result_of
from audience_gql.api.transport.streaming.feed_subscriptions import feed_subscription, is_of_feed
from audience_gql.audience.budgets import OutOfPoints
from audience_gql.audience.log.broadcast import LeftBehind
from audience_gql.audience.log.delivery import Deliveries, Take
from audience_gql.audience.log.shared_execution import Result
from audience_gql.telemetry import traces


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
        try:
            if needs_settling(request, context.access):
                request = await settled(request, context.services, context.access)
            candidate = self._schema.candidate(request)
            paid = await pay(candidate, context.services, context.access)
        except OutOfPoints as refusal:
            await hold_back(refusal)
            raise OperationRefused([masked(refusal)]) from refusal
        if candidate.type is not OperationType.SUBSCRIPTION:
            yield await self._answer(candidate, context, paid.extensions if request.wants_cost else None)
            return
        permitted = self._schema.permit(candidate, context.access)
        try:
            async with aclosing(await self._subscribe(request, permitted, context, take)) as results:
                async for result in results:
                    yield result
        except (OperationRefused, LeftBehind):
            raise
        except Exception as error:  # noqa: BLE001  # an edge: the error is logged, masked and sent
            yield failure(error)

    async def _answer(
        self, candidate: Candidate, context: Context, extensions: dict[str, object] | None
    ) -> Result:
        """The result of a query or mutation. Its place in the queue is free before a slow client reads the result."""
        if traces.current is None or not traces.current.is_sampled():
            return await self._measured(candidate, context, extensions)
        with traces.current.request({"network.protocol.name": "websocket"}):
            return await self._measured(candidate, context, extensions)

    async def _measured(
        self, candidate: Candidate, context: Context, extensions: dict[str, object] | None
    ) -> Result:
        begun = perf_counter()
        try:
            result, errors = await self._answered(candidate, context, extensions)
        except OperationRefused as refusal:
            measure(candidate.type, begun, refusal.errors)
            raise
        except Exception:
            measure_failure(candidate.type, begun)
            raise
        measure(candidate.type, begun, errors)
        return result

    async def _answered(
        self, candidate: Candidate, context: Context, extensions: dict[str, object] | None
    ) -> tuple[Result, Sequence[GraphQLError] | None]:
        operations = context.services.operations
        try:
            async with (
                operations.operating(context.access),
                operations.weighing(candidate.query_points),
            ):
                result = await self._schema.answer(candidate, context)
                shown = result_of(result.data, result.errors, extensions=extensions)
                return shown, result.errors
        except NotAnswered as refusal:
            await hold_back(refusal)
            raise OperationRefused([refusal.error]) from refusal

    async def _subscribe(
        self, request: OperationRequest, permitted: Permitted, context: Context, take: Take | None
    ) -> AsyncGenerator[Result, None]:
        if not is_of_feed(permitted):
            return self._run_alone(request, permitted, context)
        subscription = await feed_subscription(self._schema, request, permitted, context)
        return self._deliveries.deliver(subscription, take)

    async def _run_alone(
        self, request: OperationRequest, permitted: Permitted, context: Context
    ) -> AsyncGenerator[Result, None]:
        """The results of a subscription for this client only."""
        executor = self._schema.executor(request, permitted, context)
        source = await await_maybe(create_source_event_stream(executor))
        if isinstance(source, ExecutionResult):
            raise OperationRefused(source.errors or [])
        assert isinstance(source, AsyncIterable)  # noqa: S101  # the library's type of an awaited source is object
        async with aclosing(map_source_to_response_event(executor, source)) as results:
            async for result in results:
                yield result_of(result.data, result.errors)
