"""`audience-gql documents publish`, `list` and `withdraw`: in the database, or on a running server."""
# ruff: noqa: PLC0415  # imports are inside the commands and after the settings, so that `--help` and a missing setting are told at once

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audience_gql.commands.environment import in_words, read_settings

if TYPE_CHECKING:
    from audience_gql.config import Client


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `documents` with its commands to the command line."""
    documents = commands.add_parser("documents", help="manage the GraphQL documents that a workspace trusts")
    inner = documents.add_subparsers(required=True, metavar="COMMAND")
    publish = inner.add_parser(
        "publish",
        help="trust the documents of a folder, in addition to those that are published already; if one of them is wrong, none is published",
    )
    publish.add_argument(
        "path", type=Path, help="a folder, a file *.graphql with one document, or a manifest *.json"
    )
    listing = inner.add_parser("list", help="list the documents that a workspace trusts, the latest first")
    withdraw = inner.add_parser("withdraw", help="stop trusting documents")
    withdraw.add_argument("hash", nargs="+", help="a document's SHA-256, as `documents list` shows it")
    for command, run in ((publish, _publish), (listing, _list), (withdraw, _withdraw)):
        command.add_argument(
            "--workspace",
            help="name of the workspace in the database; without it, the command uses a running server and the workspace of the token",
        )
        command.add_argument("--url", help="URL of the server's GraphQL endpoint (default: AUDIENCE_URL)")
        command.add_argument("--token", help="API token with the scope ADMIN (default: AUDIENCE_TOKEN)")
        command.set_defaults(run=_told(run))


def _told(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The command, which tells in one line why a file or server is of no use."""

    def told(parsed: argparse.Namespace) -> int:
        from audience_gql.client import NotAnswered
        from audience_gql.document_files import DocumentsRefused, UnreadableFile

        try:
            return run(parsed)
        except (UnreadableFile, NotAnswered, OSError) as error:
            print(f"audience-gql: {in_words(error)}", file=sys.stderr)
        except DocumentsRefused as refused:
            for line in refused.lines:
                print(line, file=sys.stderr)
            print("audience-gql: nothing was published", file=sys.stderr)
        return 1

    return told


def _publish(parsed: argparse.Namespace) -> int:
    from audience_gql.document_files import documents_in

    if parsed.workspace is None:
        from audience_gql import remote_publishing

        documents, added = remote_publishing.publish(_client(parsed), documents_in(parsed.path))
        _print_published([(it.sha256, it.operations) for it in documents], added)
        return 0
    settings = read_settings()
    from audience_gql.publishing import publish

    found = asyncio.run(publish(settings, workspace=parsed.workspace, sources=documents_in(parsed.path)))
    _print_published([(it.sha256, it.operations) for it in found.documents], found.added)
    return 0


def _print_published(documents: Sequence[tuple[str, Sequence[str]]], added: int) -> None:
    for sha256, operations in documents:
        print(f"{sha256}\t{_names(operations)}")
    print(f"{added} of {len(documents)} documents are new", file=sys.stderr)


def _list(parsed: argparse.Namespace) -> int:
    if parsed.workspace is None:
        from audience_gql import remote_publishing

        for it in remote_publishing.documents_of(_client(parsed)):
            instant = it.published_at[:16].replace("T", " ")
            print(f"{it.sha256}\t{_names(it.operations)}\tpublished {instant} by {it.published_by}")
        return 0
    settings = read_settings()
    from audience_gql.publishing import documents_of

    for document in asyncio.run(documents_of(settings, workspace=parsed.workspace)):
        published = f"published {document.published_at:%Y-%m-%d %H:%M} by {document.published_by}"
        print(f"{document.sha256}\t{_names(document.operations)}\t{published}")
    return 0


def _withdraw(parsed: argparse.Namespace) -> int:
    if parsed.workspace is None:
        from audience_gql import remote_publishing

        remote_publishing.withdraw(_client(parsed), parsed.hash)
        return 0
    settings = read_settings()
    from audience_gql.publishing import withdraw

    asyncio.run(withdraw(settings, workspace=parsed.workspace, hashes=parsed.hash))
    return 0


def _client(parsed: argparse.Namespace) -> Client:
    from audience_gql.config import client_from_environment
    from audience_gql.connection_file import newest_client

    return client_from_environment(url=parsed.url, token=parsed.token, default=newest_client)


def _names(operations: Sequence[str]) -> str:
    return ", ".join(name or "(no name)" for name in operations)
