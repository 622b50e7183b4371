"""The queries of a folder are tools for a client of the Model Context Protocol, with the variables that the documents have, and nothing else is."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CallToolResult, TextContent

from audience_gql import cli
from audience_gql.api.derived.tools import NotAQuery, NoTool, Tool, tool_of
from audience_gql.api.schema import Schema
from tests.api.test_trusted_documents import limited_token, publish

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations"
PAGE = (ROOT / "docs" / "howto" / "mcp.md").read_text(encoding="utf-8")
CONFIGURATION = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
DOCUMENTS = Schema().documents


def made(text: str) -> Tool:
    return tool_of(DOCUMENTS, text)


def test_a_tool_has_the_words_of_its_document_or_of_the_schema():
    commented = made("# A page of groups,\n# by name.\nquery Groups { groups { edges { node { name } } } }")
    bare = made("query Who { viewer { workspace { name } } groups { edges { node { name } } } }")

    assert (commented.name, commented.description) == ("Groups", "A page of groups, by name.")
    assert bare.description.startswith("The caller: the token of the request and its workspace. ")


def test_variables_become_a_schema():
    found = made(
        "query Q($first: Int = 20, $id: ID!, $ids: [ID!]!, $at: DateTime, $by: GroupKey!) { groups(first: $first) { edges { node { id } } } "
        "node(id: $id) { id } nodes(ids: $ids) { id } group(by: $by) { id } auditTrail(since: $at) { edges { cursor } } }"
    ).variables

    key = found["$defs"].pop("GroupKey")
    assert found == {
        "type": "object",
        "properties": {
            "first": {"type": "integer", "default": 20},
            "id": {"type": "string"},
            "ids": {"type": "array", "items": {"type": "string"}},
            "at": {"type": "string", "format": "date-time"},
            "by": {"$ref": "#/$defs/GroupKey"},
        },
        "additionalProperties": False,
        "required": ["id", "ids", "by"],
        "$defs": {},
    }
    assert (key["minProperties"], key["maxProperties"], [*key["properties"]]) == (1, 1, ["id", "name"])


def test_conditions_refer_to_themselves():
    found = made((OPERATIONS / "03-preview.graphql").read_text(encoding="utf-8")).variables

    assert found["properties"]["condition"] == {"$ref": "#/$defs/ConditionInput"}
    definition = found["$defs"]["ConditionInput"]
    assert (definition["maxProperties"], definition["additionalProperties"]) == (1, False)
    assert definition["properties"]["all"]["items"] == {"$ref": "#/$defs/ConditionInput"}
    referred = {text for part in _parts(found) for key, text in part.items() if key == "$ref"}
    assert referred == {f"#/$defs/{name}" for name in found["$defs"]}


def _parts(schema: Any):
    match schema:
        case dict():
            yield schema
            for part in schema.values():
                yield from _parts(part)
        case list():
            for part in schema:
                yield from _parts(part)


@pytest.mark.parametrize(
    ("text", "expected", "message"),
    [
        ('mutation Make { createGroup(input: {name: "x"}) { __typename } }', NotAQuery, "Make is a mutation, and tools only read"),
        ("subscription Listen { membershipChanges { cursor } }", NotAQuery, "Listen is a subscription, and tools only read"),
        ("{ viewer { token { name } } }", NoTool, "a tool is a document with one operation, which has a name"),
        ("query A { __typename } query B { __typename }", NoTool, "a tool is a document with one operation, which has a name"),
        ("query A {\n  nothing\n}", NoTool, "line 2, column 3: Query has no field nothing"),
    ],
)  # fmt: skip
def test_other_documents_are_no_tools(text, expected, message):
    with pytest.raises(expected) as refused:
        made(text)

    assert (type(refused.value), str(refused.value)) == (expected, message)


def said(result: CallToolResult) -> str:
    (part,) = result.content
    assert isinstance(part, TextContent)
    return part.text


def test_without_the_library_the_command_says_what_to_install(monkeypatch, capsys):
    loaded = [name for name in sys.modules if name.startswith("mcp.") or name == "audience_gql.mcp_server"]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)

    assert cli.main(["mcp", str(OPERATIONS)]) == 1
    assert capsys.readouterr().err == (
        "audience-gql: this command needs the package mcp: install audience-gql with its extra mcp\n"
    )


def test_a_wrong_document_stops_the_command(tmp_path, capsys):
    (tmp_path / "bad.graphql").write_text("query Bad {\n  nothing\n}", encoding="utf-8")

    assert cli.main(["mcp", str(tmp_path)]) == 1
    assert (
        capsys.readouterr().err == f"{tmp_path}/bad.graphql: line 2, column 3: Query has no field nothing\n"
    )


@pytest.mark.slow
async def test_a_client_lists_the_tools_and_runs_them(server, api):
    await api.upsert({"externalId": "ada", "email": "ada@example.com", "country": "LT"})
    segment = await api.segment("Lithuania", {"country": {"is": "LT"}})
    await publish(api, *[file.read_text(encoding="utf-8") for file in OPERATIONS.iterdir()])
    shown = json.loads(CONFIGURATION[0])["mcpServers"]["audience"]
    assert (shown["command"], shown["env"].keys()) == ("audience-gql", {"AUDIENCE_URL", "AUDIENCE_TOKEN"})
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "audience_gql.cli", *shown["args"]],
        cwd=ROOT,
        env={
            **os.environ,
            "AUDIENCE_URL": f"{server.url}/graphql",
            "AUDIENCE_TOKEN": await limited_token(api, "READ"),
        },
    )
    async with Client(stdio_client(command)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        members = await client.call_tool("Members", {"segment": segment})
        preview = await client.call_tool("Preview", {"condition": {"country": {"is": "LT"}}})
        wrong = await client.call_tool("Preview", {"condition": {"contry": {"is": "LT"}}})
        unknown = await client.call_tool("CreateSegment", {"input": {"name": "x"}})

    assert tools.keys() == {"Segments", "Members", "Preview", "Explain", "CatchUp"}
    assert (
        tools["Segments"].description
        == "The first page of a dashboard: the largest segments with their sizes."
    )
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
    (edge,) = members.structured_content["segment"]["members"]["edges"]
    assert edge["node"]["email"] == "ada@example.com"
    assert json.loads(said(preview))["previewSegment"]["memberCount"] == 1
    assert [result.is_error for result in (members, preview, wrong, unknown)] == [False, False, True, True]
    assert "ConditionInput has no field contry; did you mean country?" in said(wrong)
    assert said(unknown) == "There is no tool 'CreateSegment'."
    assert (await api.data("{ segments { edges { node { name } } } }"))["segments"]["edges"] == [
        {"node": {"name": "Lithuania"}}
    ]
