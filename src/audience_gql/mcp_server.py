"""Offers queries as tools over the Model Context Protocol, on standard input and output, and runs them on a server of this API.

The protocol is the library's. A tool runs its own document and nothing else, with the variables that the caller gives.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import (
    Tool as OfferedTool,
)

from audience_gql.api.derived.tools import Tool
from audience_gql.client import NotAnswered, ask
from audience_gql.config import Client

_READS: Final = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)


async def serve(client: Client, tools: Sequence[Tool]) -> None:
    """Answer one client until it closes standard input."""
    server = server_of(client, tools)
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())


def server_of(client: Client, tools: Sequence[Tool]) -> Server[Any]:  # Any: the server keeps no state
    by_name = {tool.name: tool for tool in tools}
    offered = [
        OfferedTool(
            name=tool.name, description=tool.description, input_schema=tool.variables, annotations=_READS
        )
        for tool in tools
    ]

    async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=offered)

    async def call_tool(_: ServerRequestContext[Any], called: CallToolRequestParams) -> CallToolResult:
        tool = by_name.get(called.name)
        if tool is None:
            return _failed(f"There is no tool {called.name[:80]!r}.")
        try:
            answer = await asyncio.to_thread(ask, client, tool.document, called.arguments or {})
        except NotAnswered as error:
            return _failed(str(error))
        return _result(answer)

    return Server(
        "audience-gql", version=version("audience-gql"), on_list_tools=list_tools, on_call_tool=call_tool
    )


def _result(answer: Mapping[str, Any]) -> CallToolResult:  # Any: JSON
    if answer.get("errors"):
        return _failed("\n".join(str(error.get("message")) for error in answer["errors"]))
    text = json.dumps(answer["data"], ensure_ascii=False)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=answer["data"])


def _failed(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)
