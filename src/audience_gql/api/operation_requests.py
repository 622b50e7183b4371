"""An operation as a client requests it, the same over every transport, and its refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

from audience_gql.api.errors import ApiError, for_client


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRequest:
    """A document and what belongs to it."""

    query: str
    variables: dict[str, Any] | None  # Any: JSON
    operation_name: str | None
    is_hash: bool = False
    """Whether the client sent a hash instead of the document, as persisted queries do."""
    wants_cost: bool = False
    """Whether the result shall tell what the operation cost."""


class NoOperation(Exception):
    """A request without a well-formed operation. The message names the wrong part."""


class OperationRefused(Exception):
    """An operation of which no part ran."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = [for_client(error) for error in errors]


def operation_request(given: Mapping[str, object]) -> OperationRequest:
    """The operation in the JSON object in which every transport sends it. Raises NoOperation."""
    query = _of_type(given, "query", str, "text")
    extensions = _of_type(given, "extensions", dict, "an object") or {}
    return OperationRequest(
        query=query or "",
        variables=_of_type(given, "variables", dict, "an object"),
        operation_name=_of_type(given, "operationName", str, "text"),
        is_hash=not query and bool(extensions.get("persistedQuery")),
        wants_cost=extensions.get("cost") is True,
    )


def hash_not_accepted() -> ApiError:
    """Clients with persisted queries look for this message or this code. From then on they send the document itself."""
    return ApiError("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")


def _of_type(
    given: Mapping[str, object], name: str, expected: type, words: str
) -> Any:  # Any: of the expected type, or None
    value = given.get(name)
    if value is not None and not isinstance(value, expected):
        raise NoOperation(f"`{name}` must be {words}.")
    return value
