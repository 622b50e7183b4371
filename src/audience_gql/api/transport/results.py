"""The results of operations as JSON texts, with errors as clients may see them."""

from __future__ import annotations

from collections.abc import Sequence

from graphql import GraphQLError
from strawberry.types import ExecutionResult

from audience_gql.api.errors import for_client, masked
from audience_gql.api.transport.wire import body_of, encode
from audience_gql.audience.log.shared_execution import Result


def result_of(
    data: dict[str, object] | None,
    errors: Sequence[GraphQLError] | None,
    cursor: str = "",
    extensions: dict[str, object] | None = None,
) -> Result:
    shown = [for_client(error) for error in errors or ()]
    result = ExecutionResult(data=data, errors=shown, extensions=extensions)
    return Result(text=encode(body_of(result)).decode(), cursor=cursor)


def only_errors(errors: Sequence[GraphQLError], cursor: str = "") -> Result:
    """A result of errors alone, for transports that have no other message for them."""
    return Result(text=encode({"errors": [error.formatted for error in errors]}).decode(), cursor=cursor)


def failure(error: Exception) -> Result:
    """The last result of an operation that cannot continue."""
    return result_of(None, [masked(error)])
