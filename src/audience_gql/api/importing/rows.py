"""What an import says about single rows of its file: refusals and notices."""

from __future__ import annotations

import strawberry

from audience_gql.api import ids
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import ListConnection, ListEdge
from audience_gql.storage.imports.import_messages import RejectRecord


@strawberry.type(description="A row of an import that was refused. It changed nothing.")
class ImportReject(Node):
    line: int = strawberry.field(description="The line of the file on which the row begins, from 1.")

    @strawberry.field(description="What is wrong with the row, as a sentence for people.")
    @staticmethod
    def message(parent: strawberry.Parent[RejectRecord]) -> str:
        return ids.with_people(parent.message, parent.people)

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, RejectRecord) and not row.is_notice


@strawberry.type(description="A refused row in a list.")
class ImportRejectEdge(ListEdge):
    node: ImportReject = strawberry.field(description="The row.")


@strawberry.type(description="A page of refused rows, sorted by line.")
class ImportRejectConnection(ListConnection[ImportRejectEdge]): ...


@strawberry.type(
    description="A row of an import that was written except for a part, for example a channel status that would have ended a refusal."
)
class ImportNotice(Node):
    line: int = strawberry.field(description="The line of the file on which the row begins, from 1.")
    message: str = strawberry.field(description="What was not written, and why.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, RejectRecord) and row.is_notice


@strawberry.type(description="A row with a notice in a list.")
class ImportNoticeEdge(ListEdge):
    node: ImportNotice = strawberry.field(description="The row.")


@strawberry.type(description="A page of rows with notices, sorted by line.")
class ImportNoticeConnection(ListConnection[ImportNoticeEdge]): ...
