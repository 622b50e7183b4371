"""Publishes, lists and withdraws trusted documents on a running server, over its API. It needs a token with the scope ADMIN."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from audience_gql.client import NotAnswered, ask
from audience_gql.config import Client
from audience_gql.document_files import DocumentSource, DocumentsRefused

_AT_ONCE: Final = 100
_LONGEST_BODY: Final = 900_000
"""Bytes of text in one request. The server takes 1 MiB, unless it is configured otherwise."""
_PUBLISH: Final = """mutation Publish($documents: [String!]!) {
  publishDocuments(input: {documents: $documents}) {
    ... on PublishDocumentsPayload { added documents { sha256 operations } }
    ... on InvalidInput { issues { message path } }
  }
}"""
_LIST: Final = """query TrustedDocuments($after: String) {
  trustedDocuments(first: 100, after: $after) {
    edges { node { sha256 operations publishedAt publishedBy } }
    pageInfo { hasNextPage endCursor }
  }
}"""
_WITHDRAW: Final = """mutation Withdraw($ids: [String!]!) {
  withdrawDocuments(input: {documentIds: $ids}) { ... on UserError { message } }
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteDocument:
    """A document that a server's workspace trusts."""

    sha256: str
    operations: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDocument(RemoteDocument):
    published_at: str
    published_by: str


def publish(client: Client, sources: Sequence[DocumentSource]) -> tuple[list[RemoteDocument], int]:
    """Trust documents. Returns them and how many are new. Raises DocumentsRefused, NotAnswered."""
    documents: dict[str, RemoteDocument] = {}
    added = 0
    for part in _parts(sources):
        answer = _data(client, _PUBLISH, documents=[source.text for source in part])["publishDocuments"]
        if "issues" in answer:
            raise DocumentsRefused([_line(issue, part) for issue in answer["issues"]])
        added += answer["added"]
        documents |= {it["sha256"]: RemoteDocument(**it) for it in answer["documents"]}
    return [*documents.values()], added


def documents_of(client: Client) -> Iterator[ListedDocument]:
    """The documents that the token's workspace trusts, those published last first. Raises NotAnswered."""
    page: Mapping[str, Any] = {"hasNextPage": True, "endCursor": None}  # Any: JSON
    while page["hasNextPage"]:
        found = _data(client, _LIST, after=page["endCursor"])["trustedDocuments"]
        for edge in found["edges"]:
            node = edge["node"]
            yield ListedDocument(
                sha256=node["sha256"],
                operations=node["operations"],
                published_at=node["publishedAt"],
                published_by=node["publishedBy"],
            )
        page = found["pageInfo"]


def withdraw(client: Client, hashes: Sequence[str]) -> None:
    """Trust documents no more. Raises NotAnswered, and withdraws nothing, if one of them is not published."""
    answer = _data(client, _WITHDRAW, ids=list(hashes))["withdrawDocuments"]
    if "message" in answer:
        raise NotAnswered(answer["message"])


def _parts(sources: Sequence[DocumentSource]) -> Iterator[list[DocumentSource]]:
    part: list[DocumentSource] = []
    length = 0
    for source in sources:
        bytes_ = len(source.text.encode())
        if part and (len(part) == _AT_ONCE or length + bytes_ > _LONGEST_BODY):
            yield part
            part, length = [], 0
        part.append(source)
        length += bytes_
    yield part


def _data(client: Client, document: str, **variables: object) -> Mapping[str, Any]:  # Any: JSON
    answer = ask(client, document, variables)
    if answer.get("errors"):
        raise NotAnswered(str(answer["errors"][0]["message"]))
    data: Mapping[str, Any] = answer["data"]
    return data


def _line(issue: Mapping[str, Any], part: Sequence[DocumentSource]) -> str:  # Any: JSON
    """A problem with the place of its document: the last part of the path is the document's number."""
    number = issue["path"][-1]
    place = f"{part[int(number)].place}: " if number.isdigit() else ""
    return f"{place}{issue['message']}"
