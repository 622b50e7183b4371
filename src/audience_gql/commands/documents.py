"""`audience-gql documents publish`, `list` and `withdraw`."""
# ruff: noqa: PLC0415  # imports are inside the commands and after the settings, so that `--help` and a missing setting are told at once

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from audience_gql.commands.environment import read_settings


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
    withdraw = inner.add_parser("withdraw", help="trust documents no more")
    withdraw.add_argument("hash", nargs="+", help="a document's SHA-256, as `documents list` shows it")
    for command, run in ((publish, _publish), (listing, _list), (withdraw, _withdraw)):
        command.add_argument("--workspace", required=True, help="name of the workspace")
        command.set_defaults(run=run)


def _publish(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.document_files import UnreadableFile, documents_in
    from audience_gql.publishing import DocumentsRefused, publish

    try:
        sources = documents_in(parsed.path)
        found = asyncio.run(publish(settings, workspace=parsed.workspace, sources=sources))
    except (UnreadableFile, OSError) as error:
        print(f"audience-gql: {error}", file=sys.stderr)
        return 1
    except DocumentsRefused as refused:
        for line in refused.lines:
            print(line, file=sys.stderr)
        print("audience-gql: nothing was published", file=sys.stderr)
        return 1
    for document in found.documents:
        print(f"{document.sha256}\t{_names(document.operations)}")
    print(f"{found.added} of {len(found.documents)} documents are new", file=sys.stderr)
    return 0


def _list(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.publishing import documents_of

    for document in asyncio.run(documents_of(settings, workspace=parsed.workspace)):
        published = f"published {document.published_at:%Y-%m-%d %H:%M} by {document.published_by}"
        print(f"{document.sha256}\t{_names(document.operations)}\t{published}")
    return 0


def _withdraw(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.publishing import withdraw

    asyncio.run(withdraw(settings, workspace=parsed.workspace, hashes=parsed.hash))
    return 0


def _names(operations: Sequence[str]) -> str:
    return ", ".join(name or "(no name)" for name in operations)
