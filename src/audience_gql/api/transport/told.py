"""What a client asks for and is told, whichever transport it comes by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import GraphQLError
from strawberry.types import ExecutionResult

from audience_gql.api.errors import ApiError, for_client, masked
from audience_gql.api.transport.wire import body_of, encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An operation as a client sends it."""

    query: str
    variables: dict[str, Any] | None  # Any: JSON
    operation_name: str | None
    is_hash: bool = False
    """Whether the client sent a hash in place of the document, as persisted queries do."""


class Unaskable(Exception):
    """A request that asks for no operation. The message says which part of it is wrong."""


def asked_of(given: Mapping[str, object]) -> Asked:
    """What a client asks for, in the object that all transports have it in. Raises Unaskable."""
    query = _of_type(given, "query", str, "text")
    extensions = _of_type(given, "extensions", dict, "an object") or {}
    return Asked(
        query=query or "",
        variables=_of_type(given, "variables", dict, "an object"),
        operation_name=_of_type(given, "operationName", str, "text"),
        is_hash=not query and bool(extensions.get("persistedQuery")),
    )


def hash_not_taken() -> ApiError:
    """Clients with persisted queries compare this message or this code; on either they send the document itself from then on."""
    return ApiError("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One result, ready to be put into a message."""

    text: str
    """JSON."""
    cursor: str = ""
    """Where in the feed it leads to; empty for all other operations."""


Take: TypeAlias = Callable[[Told], bool]
"""Sends a result on at once, if the client is ready for it; says whether it did."""


class OperationRefused(Exception):
    """An operation of which nothing ran."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = [for_client(error) for error in errors]


def _of_type(
    given: Mapping[str, object], name: str, expected: type, words: str
) -> Any:  # Any: of the expected type, or None
    value = given.get(name)
    if value is not None and not isinstance(value, expected):
        raise Unaskable(f"`{name}` must be {words}.")
    return value


def told(data: dict[str, object] | None, errors: Sequence[GraphQLError] | None, cursor: str = "") -> Told:
    """A result as clients may see it."""
    result = ExecutionResult(data=data, errors=[for_client(error) for error in errors or ()])
    return Told(text=encode(body_of(result)).decode(), cursor=cursor)


def refused(errors: Sequence[GraphQLError], cursor: str = "") -> Told:
    """Errors and nothing else, for transports that have no other message for them."""
    return Told(text=encode({"errors": [error.formatted for error in errors]}).decode(), cursor=cursor)


def failed(error: Exception) -> Told:
    """The last result of an operation that cannot go on."""
    return told(None, [masked(error)])
