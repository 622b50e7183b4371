"""What operators do to the documents that a workspace trusts. The audit trail has the command line as the actor."""

from __future__ import annotations

from collections.abc import Sequence

from audience_gql.administration import workspace_named
from audience_gql.api.documents.documents import Documents, complaints
from audience_gql.api.schema import Schema
from audience_gql.audience.definitions.trusted_documents import (
    DOCUMENTS_LIMIT,
    CheckedDocument,
    Published,
    publish_documents,
    withdraw_documents,
)
from audience_gql.config import Settings
from audience_gql.document_files import DocumentSource, DocumentsRefused
from audience_gql.opened_ports import open_ports
from audience_gql.storage import trusted_documents
from audience_gql.storage.reads.slices import Slice
from audience_gql.storage.trusted_documents import DocumentRecord


async def publish(settings: Settings, *, workspace: str, sources: Sequence[DocumentSource]) -> Published:
    """Trust documents, in addition to those that are published already. Raises DocumentsRefused, NotFound, InvalidInput."""
    documents = _checked(sources, Schema().documents)
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        found = await workspace_named(workspace)
        return await publish_documents(ports=ports, workspace=found, documents=documents)


def _checked(sources: Sequence[DocumentSource], schema: Documents) -> list[CheckedDocument]:
    checked, lines = [], []
    for source in sources:
        operations, found = complaints(schema, source.text)
        for complaint in found:
            place = "" if complaint.line is None else f":{complaint.line}:{complaint.column}"
            lines.append(f"{source.place}{place}: {complaint.message}")
        checked.append(CheckedDocument(text=source.text, operations=operations))
    if lines:
        raise DocumentsRefused(lines)
    return checked


async def documents_of(settings: Settings, *, workspace: str) -> list[DocumentRecord]:
    """The documents that a workspace trusts, those published last first. Raises NotFound."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        found = await workspace_named(workspace)
        every = Slice(DOCUMENTS_LIMIT)
        return [*(await trusted_documents.documents(ports.database, found.id, every)).nodes]


async def withdraw(settings: Settings, *, workspace: str, hashes: Sequence[str]) -> None:
    """Trust documents no more. Raises NotFound, and withdraws nothing, if one of them is not published."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        found = await workspace_named(workspace)
        named = [text.removeprefix("sha256:") for text in hashes]
        await withdraw_documents(ports=ports, workspace=found, hashes=named)
