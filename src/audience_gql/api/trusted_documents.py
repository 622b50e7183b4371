"""The query and the mutations for trusted documents. They need the scope ADMIN."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Final, TypeAlias

import strawberry

from audience_gql.api.context import Info
from audience_gql.api.documents.documents import complaints
from audience_gql.api.failures import InvalidInput, NotFound
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import LONG_PAGE_SIZE, After, First, ListConnection, ListEdge, Listing, Page
from audience_gql.api.viewer import Scope
from audience_gql.audience import failures
from audience_gql.audience.definitions.trusted_documents import (
    DOCUMENTS_LIMIT,
    CheckedDocument,
    publish_documents,
    withdraw_documents,
)
from audience_gql.audience.failures import Issue
from audience_gql.audience.trusted_texts import REMEMBERED_SECONDS
from audience_gql.storage import trusted_documents
from audience_gql.storage.trusted_documents import DocumentRecord

DOCUMENTS_A_CALL: Final = 100
_PREFIX: Final = "sha256:"
_LISTING: Final = Listing("trustedDocuments", datetime, int)


@strawberry.type(
    description="A document that the workspace trusts. Clients may send its `documentId` instead of its text, and limited tokens run no other document."
)
class TrustedDocument(Node):
    sha256: str = strawberry.field(
        description="The SHA-256 of the text in UTF-8: 64 hexadecimal digits in lower case."
    )
    text: str = strawberry.field(description="The document, exactly as it was published.")
    operations: list[str] = strawberry.field(
        description="The names of its operations, in order. An operation without a name is an empty text."
    )
    published_at: datetime = strawberry.field(description="When the document was published.")
    published_by: str = strawberry.field(
        description="The name that the publisher's token had at that time, or `audience-gql` for the command line."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, DocumentRecord)

    @strawberry.field(description="What clients send as `documentId`: `sha256:` and the hash.")
    @staticmethod
    def document_id(parent: strawberry.Parent[DocumentRecord]) -> str:
        return f"{_PREFIX}{parent.sha256}"


@strawberry.type(description="A trusted document, in a list.")
class TrustedDocumentEdge(ListEdge):
    node: TrustedDocument = strawberry.field(description="The document.")


@strawberry.type(description="A page of trusted documents.")
class TrustedDocumentConnection(ListConnection[TrustedDocumentEdge]): ...


@strawberry.input(description="Documents to publish.")
class PublishDocumentsInput:
    documents: list[str] = strawberry.field(
        description=f"The texts: 1 to {DOCUMENTS_A_CALL}. Each fits this schema and the limits on documents. Publish the text that clients hash: a "
        "space more is another document. Give values as variables, not in the text: erasing a person does not change documents."
    )


@strawberry.type(description="The documents that are published now.")
class PublishDocumentsPayload:
    documents: list[TrustedDocument] = strawberry.field(
        description="The given documents in their order, each once."
    )
    added: int = strawberry.field(description="How many of them were not published before.")


@strawberry.input(description="Documents to withdraw.")
class WithdrawDocumentsInput:
    document_ids: list[str] = strawberry.field(
        description=f"The hashes of 1 to {DOCUMENTS_A_CALL} documents, with or without `sha256:` before them."
    )


@strawberry.type(description="The documents that the workspace trusts no more.")
class WithdrawDocumentsPayload:
    documents: list[TrustedDocument] = strawberry.field(description="The documents as they were.")


PublishDocumentsResult: TypeAlias = Annotated[
    PublishDocumentsPayload | InvalidInput,
    strawberry.union(
        "PublishDocumentsResult",
        description="The documents, or every problem that one of them has. Then none was published.",
    ),
]
WithdrawDocumentsResult: TypeAlias = Annotated[
    WithdrawDocumentsPayload | InvalidInput | NotFound,
    strawberry.union(
        "WithdrawDocumentsResult",
        description="The documents, or NotFound if one of them is not published. Then none was withdrawn.",
    ),
]


@strawberry.type
class TrustedDocumentQuery:
    @strawberry.field(
        description="The documents that the workspace trusts. Those published last come first. It needs the scope ADMIN.",
        graphql_type=TrustedDocumentConnection,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def trusted_documents(
        info: Info, first: First = LONG_PAGE_SIZE, after: After = None
    ) -> Page[DocumentRecord]:
        part = _LISTING.slice(first, after, default=LONG_PAGE_SIZE)
        database, workspace = info.context.ports.database, info.context.workspace
        return _LISTING.page(await trusted_documents.documents(database, workspace.id, part), part)


@strawberry.type
class TrustedDocumentMutation:
    @strawberry.mutation(
        description=f"Publishes documents, at most {DOCUMENTS_LIMIT:,} in a workspace. Documents that are published already stay as they are. Every "
        "server knows new ones at once. It needs the scope ADMIN.",
        graphql_type=PublishDocumentsResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def publish_documents(
        info: Info,
        wanted: Annotated[
            PublishDocumentsInput, strawberry.argument(name="input", description="The documents to publish.")
        ],
    ) -> PublishDocumentsPayload:
        _check_number(wanted.documents, "documents")
        found = await publish_documents(
            ports=info.context.ports,
            workspace=info.context.workspace,
            documents=await _checked(info, wanted.documents),
        )
        return PublishDocumentsPayload(documents=found.documents, added=found.added)  # type: ignore[arg-type]  # rows stand for their type, as everywhere

    @strawberry.mutation(
        description=f"Withdraws trusted documents. Every server refuses them within {REMEMBERED_SECONDS:g} seconds. Subscriptions that run "
        "already go on. It needs the scope ADMIN.",
        graphql_type=WithdrawDocumentsResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def withdraw_documents(
        info: Info,
        wanted: Annotated[
            WithdrawDocumentsInput,
            strawberry.argument(name="input", description="The documents to withdraw."),
        ],
    ) -> WithdrawDocumentsPayload:
        _check_number(wanted.document_ids, "document_ids")
        found = await withdraw_documents(
            ports=info.context.ports,
            workspace=info.context.workspace,
            hashes=[text.removeprefix(_PREFIX) for text in wanted.document_ids],
        )
        return WithdrawDocumentsPayload(documents=found)  # type: ignore[arg-type]  # the same


def _check_number(given: list[str], name: str) -> None:
    if not 1 <= len(given) <= DOCUMENTS_A_CALL:
        message = f"name 1 to {DOCUMENTS_A_CALL} documents at a time"
        raise failures.InvalidInput(
            (Issue(code="TOO_MANY" if given else "REQUIRED", message=message, path=(name,)),)
        )


async def _checked(info: Info, texts: list[str]) -> list[CheckedDocument]:
    """Documents that fit the schema. Raises InvalidInput with the problems of all others."""
    documents, issues = [], []
    for number, text in enumerate(texts):
        operations, found = complaints(info.context.services.documents, text)
        issues += [
            Issue(code="MALFORMED", message=str(complaint), path=("documents", number)) for complaint in found
        ]
        documents.append(CheckedDocument(text=text, operations=operations))
        await asyncio.sleep(0)  # checking a document keeps the event loop busy
    if issues:
        raise failures.InvalidInput(tuple(issues))
    return documents
