"""Replaces the hash in a request by the trusted document that it names, and holds limited tokens to trusted documents."""

from __future__ import annotations

from typing import Final

from audience_gql.api.context import Services
from audience_gql.api.errors import ApiError, BadUserInput
from audience_gql.api.operations.operation_requests import DocumentName, OperationRefused, OperationRequest
from audience_gql.audience.access import Access
from audience_gql.audience.trusted_texts import hash_of
from audience_gql.storage.turns.fair_queue import Asker, asking

_VERSION: Final = 1
"""The version of persisted queries that Apollo's protocol has."""
_POINTS_OF_A_MISS: Final = 1
"""What an unknown hash costs. A known one costs what its operation costs."""
_NOT_TRUSTED: Final = (
    "The token may run trusted documents only, and this document is not published in the workspace."
)
_NOT_FOR_CONSOLE: Final = "The token may run the workspace's trusted documents only, and not those of the console. Use a token with `withConsoleDocuments`, or one without the limit."


def needs_settling(request: OperationRequest, access: Access) -> bool:
    """Whether `settled` may change or refuse the request. Most requests need no such work."""
    return request.name is not None or access.token.only_trusted_documents


async def settled(request: OperationRequest, services: Services, access: Access) -> OperationRequest:
    """The request with the text of its document. Raises OperationRefused, OutOfPoints. It never stores the document of a request."""
    name, is_limited = request.name, access.token.only_trusted_documents
    if name is not None:
        _check(request, name)
    if request.query and not is_limited:
        return request
    workspace_id = access.workspace.id
    sha256 = hash_of(request.query) if name is None else name.sha256
    text = services.trusted.remembered(workspace_id, sha256)
    of_console = services.trusted.of_console(sha256) if text is None else None
    if of_console is not None and _may_use_console(access):
        text = of_console
    if text is None:
        text = await _looked_up(sha256, services, access)
    if text is not None:
        return _trusted(request, text)
    await services.budgets.spend(access.token.id, _POINTS_OF_A_MISS)
    if name is not None and (not is_limited or _is_of_another_console(request, access)):
        raise OperationRefused([await _not_found(name, services, access)])
    raise OperationRefused([ApiError("FORBIDDEN", _NOT_TRUSTED if of_console is None else _NOT_FOR_CONSOLE)])


def _may_use_console(access: Access) -> bool:
    """Whether the token may run the console's documents, by their hashes or texts, in any workspace."""
    return access.token.with_console_documents or not access.token.only_trusted_documents


def _is_of_another_console(request: OperationRequest, access: Access) -> bool:
    """Whether the request may come from the console of another release, which has to learn that this server does not know its document."""
    return access.token.with_console_documents and not request.query


async def _looked_up(sha256: str, services: Services, access: Access) -> str | None:
    with asking(Asker(workspace_id=access.workspace.id, token_id=access.token.id)):
        return await services.trusted.find(access.workspace.id, sha256)


def _trusted(request: OperationRequest, text: str) -> OperationRequest:
    """The request with this document. `replace` of the library takes twice as long."""
    return OperationRequest(
        query=text,
        variables=request.variables,
        operation_name=request.operation_name,
        name=request.name,
        is_trusted=True,
        wants_cost=request.wants_cost,
    )


def _check(request: OperationRequest, name: DocumentName) -> None:
    """Raises OperationRefused for another protocol, and for a document that does not have the hash that comes with it."""
    if name.version != _VERSION:
        raise OperationRefused([_not_supported()])
    if request.query and hash_of(request.query) != name.sha256:
        message = f"`query` and `{name.place}` must agree: the hash is not the SHA-256 of the document in UTF-8, in lower-case hexadecimal digits."
        raise OperationRefused([BadUserInput(message)])


async def _not_found(name: DocumentName, services: Services, access: Access) -> ApiError:
    """Clients with persisted queries look for these messages or codes.

    After PersistedQueryNotFound, they send this document with its hash, and begin with a hash again for the next one. In a workspace
    without trusted documents, every hash would be in vain, so they learn to send documents from then on.
    """
    if name.is_document_id:
        message = "No document with this `documentId` is published in the workspace. Publish it, or send the document as `query`."
        return ApiError("PERSISTED_QUERY_NOT_FOUND", message)
    with asking(Asker(workspace_id=access.workspace.id, token_id=access.token.id)):
        has_any = await services.trusted.has_any(access.workspace.id)
    if not has_any:
        return _not_supported()
    return ApiError("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")


def _not_supported() -> ApiError:
    return ApiError("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
