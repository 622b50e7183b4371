"""`audience-gql mcp`: offers the queries of a folder as tools to programs that speak the Model Context Protocol."""
# ruff: noqa: PLC0415  # imports are inside the command, so that `--help` is fast

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from audience_gql.commands.environment import in_words

if TYPE_CHECKING:
    from audience_gql.api.derived.tools import Tool

_MISSING = "this command needs the package mcp: install audience-gql with its extra mcp"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mcp = commands.add_parser(
        "mcp",
        help="offer the queries of a folder as tools over the Model Context Protocol, on standard input and output",
        epilog="Without a URL and a token, the tools ask the demo or `up` that you started last on this machine.",
    )
    mcp.add_argument(
        "path", type=Path, help="a folder, a file *.graphql, or a manifest *.json, as for `documents publish`"
    )
    mcp.add_argument("--url", help="URL of the GraphQL endpoint (default: AUDIENCE_URL)")
    mcp.add_argument("--token", help="API token with the scope READ (default: AUDIENCE_TOKEN)")
    mcp.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    try:
        from audience_gql.mcp_server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        print(f"audience-gql: {_MISSING}", file=sys.stderr)
        return 1
    from audience_gql.config import client_from_environment
    from audience_gql.connection_file import newest_client
    from audience_gql.document_files import UnreadableFile

    try:
        tools = _tools(parsed.path)
    except (UnreadableFile, OSError) as error:
        print(f"audience-gql: {in_words(error)}", file=sys.stderr)
        return 1
    if tools is None:
        return 1
    client = client_from_environment(url=parsed.url, token=parsed.token, default=newest_client)
    asyncio.run(serve(client, tools))
    return 0


def _tools(path: Path) -> list[Tool] | None:
    """The tools of all queries; None if a document is wrong. Standard error names what is wrong and what is left out."""
    from audience_gql.api.derived.tools import NotAQuery, NoTool, tool_of
    from audience_gql.api.schema import Schema
    from audience_gql.document_files import documents_in

    made: dict[str, Tool] = {}
    is_good = True
    documents = Schema().documents
    for source in documents_in(path):
        try:
            tool = tool_of(documents, source.text)
        except NotAQuery as error:
            print(f"{source.place}: left out, because {error}", file=sys.stderr)
            continue
        except NoTool as error:
            print(f"{source.place}: {error}", file=sys.stderr)
            is_good = False
            continue
        if tool.name in made:
            print(f"{source.place}: there are two queries {tool.name}", file=sys.stderr)
            is_good = False
        made[tool.name] = tool
    return [*made.values()] if is_good else None
