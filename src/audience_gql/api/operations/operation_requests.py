"""An operation as a client requests it, the same over every transport, and its refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLError

from audience_gql.api.errors import for_client

_PREFIX: Final = "sha256:"
_HASH_PLACE: Final = "extensions.persistedQuery.sha256Hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentName:
    """The hash by which a request names its document."""

    sha256: str
    """As the client sent it, without `sha256:`. It may be any text."""
    version: object = 1
    is_document_id: bool = False
    """Whether it came as `documentId`, and not in the extension for persisted queries."""

    @property
    def place(self) -> str:
        """Where in the request it is."""
        return "documentId" if self.is_document_id else _HASH_PLACE


@dataclass(slots=True, kw_only=True)
class OperationRequest:
    """A document and what belongs to it. It is not frozen, because each request has one, and frozen ones take three times as long to make."""

    query: str
    """The document; empty while only its name is known."""
    variables: dict[str, Any] | None  # Any: JSON
    operation_name: str | None
    name: DocumentName | None = None
    is_trusted: bool = False
    """Whether the document is known to be a trusted one of the workspace. Nobody looks if that does not matter."""
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
    query = _of_type(given, "query", str, "text") or ""
    variables = _of_type(given, "variables", dict, "an object")
    operation_name = _of_type(given, "operationName", str, "text") if "operationName" in given else None
    if "extensions" not in given and "documentId" not in given:
        return OperationRequest(query=query, variables=variables, operation_name=operation_name)
    extensions = _of_type(given, "extensions", dict, "an object") or {}
    document_id = _of_type(given, "documentId", str, "text")
    return OperationRequest(
        query=query,
        variables=variables,
        operation_name=operation_name,
        name=_name(document_id, extensions) if document_id or extensions else None,
        wants_cost=extensions.get("cost") is True,
    )


def _name(document_id: str | None, extensions: Mapping[str, object]) -> DocumentName | None:
    by_id = by_hash = None
    if document_id:
        by_id = DocumentName(sha256=document_id.removeprefix(_PREFIX), is_document_id=True)
    if persisted := _of_type(extensions, "persistedQuery", dict, "an object", "extensions."):
        sha256 = _of_type(persisted, "sha256Hash", str, "text", "extensions.persistedQuery.")
        if not sha256:
            raise NoOperation(f"`{_HASH_PLACE}` is missing or empty.")
        by_hash = DocumentName(sha256=sha256.removeprefix(_PREFIX), version=persisted.get("version"))
    if by_id and by_hash and by_id.sha256 != by_hash.sha256:
        raise NoOperation(f"`documentId` and `{_HASH_PLACE}` name different documents.")
    return by_id or by_hash


def _of_type(
    given: Mapping[str, object], name: str, expected: type, words: str, where: str = ""
) -> Any:  # Any: of the expected type, or None
    value = given.get(name)
    if value is not None and not isinstance(value, expected):
        raise NoOperation(f"`{where}{name}` must be {words}.")
    return value
