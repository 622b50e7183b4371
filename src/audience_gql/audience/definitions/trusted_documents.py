"""Publishes and withdraws trusted documents. Whoever calls this has checked that the documents fit the schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.audience.failures import InvalidInput, Issue, NotFound
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.entries import Change, EntryKind, record
from audience_gql.audience.trusted_texts import hash_of, is_hash
from audience_gql.storage import trusted_documents
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Transaction
from audience_gql.storage.trusted_documents import DocumentRecord

DOCUMENTS_LIMIT: Final = 10_000
"""The most documents that a workspace trusts at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDocument:
    """A document that fits the schema and the limits."""

    text: str
    operations: tuple[str, ...]
    """The names of its operations, in order; an empty text for one without a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    documents: list[DocumentRecord]
    """The documents that were given, each once, in their order."""
    added: int
    """How many of them were not published before."""


async def publish_documents(
    *, ports: Ports, workspace: Workspace, documents: Sequence[CheckedDocument]
) -> Published:
    """Trust these documents. Those that are published already stay as they are. Raises InvalidInput if there would be too many."""
    given = {hash_of(document.text): document for document in documents}

    async def work(transaction: Transaction) -> Published:
        connection = transaction.connection
        await trusted_documents.lock(connection, workspace.id)
        known = await trusted_documents.named(connection, workspace.id, given.keys())
        missing = [sha256 for sha256 in given if sha256 not in known]
        if await trusted_documents.count(connection, workspace.id) + len(missing) > DOCUMENTS_LIMIT:
            message = f"a workspace trusts at most {DOCUMENTS_LIMIT:,} documents; withdraw old ones first"
            raise InvalidInput((Issue(code="TOO_MANY", message=message, path=("documents",)),))
        if missing:
            now = await ports.clock.now(connection)
            ids = await ports.database.ids.take(len(missing), connection)
            new = [
                _record(ports, id_, given[sha256], sha256, now)
                for id_, sha256 in zip(ids, missing, strict=True)
            ]
            await trusted_documents.add(connection, workspace.id, new)
            changes = [_change("TRUSTED_DOCUMENT_PUBLISHED", document) for document in new]
            await record(ports, transaction, workspace.id, now, *changes)
            known |= {document.sha256: document for document in new}
        return Published(documents=[known[sha256] for sha256 in given], added=len(missing))

    return await ports.database.run(work)


async def withdraw_documents(
    *, ports: Ports, workspace: Workspace, hashes: Sequence[str]
) -> list[DocumentRecord]:
    """Trust the documents with these hashes no more. Returns them. Raises NotFound, and withdraws nothing, if one of them is not published."""

    async def work(transaction: Transaction) -> list[DocumentRecord]:
        connection = transaction.connection
        await trusted_documents.lock(connection, workspace.id)
        possible = [it for it in hashes if is_hash(it)]  # Postgres does not take every text
        known = await trusted_documents.named(connection, workspace.id, possible)
        for number, sha256 in enumerate(hashes):
            if sha256 not in known:
                raise NotFound("no document with this hash is published", ("document_ids", number))
        found = list(known.values())
        await trusted_documents.remove(connection, workspace.id, [document.id for document in found])
        changes = [_change("TRUSTED_DOCUMENT_WITHDRAWN", document) for document in found]
        await record(ports, transaction, workspace.id, await ports.clock.now(connection), *changes)
        return found

    return await ports.database.run(work)


def _record(ports: Ports, id_: int, document: CheckedDocument, sha256: str, now: datetime) -> DocumentRecord:
    return DocumentRecord(
        id=id_,
        sha256=sha256,
        text=document.text,
        operations=document.operations,
        published_at=now,
        published_by=ports.actor.name,
    )


def _change(kind: EntryKind, document: DocumentRecord) -> Change:
    portrait = portraits.of_document(document)
    is_new = kind == "TRUSTED_DOCUMENT_PUBLISHED"
    return Change(
        kind=kind,
        object_id=document.id,
        object_name=", ".join(filter(None, document.operations)) or None,
        before=None if is_new else portrait,
        after=portrait if is_new else None,
    )
