"""Runs operations for clients that stay: results as they come, ready to be sent. One door for every transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from audience_gql.api.context import Context, Services
from audience_gql.api.documents import RefusedDocument
from audience_gql.api.schema import Schema
from audience_gql.api.transport.operating import NotAnswered
from audience_gql.api.transport.shared_feed import SharedFeed, is_of_the_feed
from audience_gql.api.transport.told import Asked, OperationRefused, Take, Told, failed, hash_not_taken, told
from audience_gql.audience.log.broadcast import LeftBehind


class Subscriptions:
    """The operations of one process whose results come one after another."""

    def __init__(self, schema: Schema, services: Services) -> None:
        self._schema = schema
        self.feed = SharedFeed(schema, services)

    async def run(
        self, asked: Asked, context: Context, take: Take | None = None
    ) -> AsyncGenerator[Told, None]:
        """The results of any operation. Those that many are told may be given to `take` instead, which does not wait.

        Raises OperationRefused before the first when none of it runs, and LeftBehind when the log has grown too far while a result was
        being sent: the client has to come again with his last cursor.
        """
        if asked.is_hash:
            raise OperationRefused([hash_not_taken()])
        if self._schema.operation_type(asked.query, asked.operation_name) is not OperationType.SUBSCRIPTION:
            for it in await self._answered(asked, context):
                yield it
            return
        permitted = self._schema.permit(asked.query, asked.operation_name, asked.variables, context.access)
        if isinstance(permitted, RefusedDocument):
            raise OperationRefused(permitted.errors)
        results = (
            self.feed.run(asked, permitted, context, take)
            if is_of_the_feed(permitted)
            else self._run_alone(asked, context)
        )
        async with aclosing(results):
            try:
                async for it in results:
                    yield it
            except (OperationRefused, LeftBehind):
                raise
            except Exception as error:  # noqa: BLE001  # an edge: it is logged, masked and told
                yield failed(error)

    async def _answered(self, asked: Asked, context: Context) -> list[Told]:
        """A query's or mutation's result. Its place is given back before the result waits for a client that reads slowly."""
        operations = context.services.operations
        try:
            async with (
                operations.operating(context.access),
                operations.weighing(self._schema.query_cost(asked)),
            ):
                return [it async for it in self._run_alone(asked, context)]
        except NotAnswered as error:
            raise OperationRefused([error.told]) from error

    async def _run_alone(self, asked: Asked, context: Context) -> AsyncGenerator[Told, None]:
        """By the library, for this client only."""
        results = await self._schema.stream(
            asked.query,
            variable_values=asked.variables,
            context_value=context,
            operation_name=asked.operation_name,
        )
        async with aclosing(results):
            async for result in results:
                if isinstance(result, PreExecutionError):
                    raise OperationRefused(result.errors or [])
                assert isinstance(result, ExecutionResult)  # noqa: S101  # nothing comes in increments
                yield told(result.data, result.errors)
