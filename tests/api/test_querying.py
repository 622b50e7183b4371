"""`audience-gql query`: one document to a running server, and its answer as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from audience_gql.cli import main
from audience_gql.client import NotAnswered, ask
from audience_gql.config import Client
from audience_gql.connection_file import default_state

NAME = "query ($name: String!) { segment(by: {name: $name}) { name summary } }"
SEGMENT = {"data": {"segment": {"name": "Łódź", "summary": 'People whose city is "Łódź".'}}}


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict:
        return json.loads(self.out)


async def query(*words: str, given: bytes = b"", **settings: str) -> Ended:
    """The command in a process of its own, which knows only the given settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUDIENCE_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "audience_gql.cli", "query", *words),
        env={**kept, "PYTHONUTF8": "1", **settings},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(given)
    assert b"Traceback" not in err
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def settings(served, server) -> dict[str, str]:
    return {"AUDIENCE_URL": f"{server.url}/graphql", "AUDIENCE_TOKEN": await served.token("READ")}


@pytest.fixture
async def segment(served):
    return await served.segment("Łódź", {"city": {"is": "Łódź"}})


@pytest.mark.usefixtures("segment")
async def test_the_document_is_an_argument(settings):
    ended = await query(NAME, "--variables", '{"name": "Łódź"}', **settings)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == json.dumps(SEGMENT, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.usefixtures("segment")
async def test_the_document_comes_from_standard_input(settings):
    document = '{ segment(by: {name: "Łódź"}) {\n  name summary } }  # as in a here-document\n'

    ended = await query("-", given=b"\xef\xbb\xbf" + document.encode(), **settings)

    assert (ended.code, ended.err, ended.answer) == (0, "", SEGMENT)


@pytest.mark.usefixtures("segment")
async def test_the_document_comes_from_a_file(settings, tmp_path):
    file = tmp_path / "segment.graphql"
    file.write_text(NAME, encoding="utf-8")

    ended = await query("--file", str(file), "--variables", '{"name": "Łódź"}', **settings)

    assert (ended.code, ended.err, ended.answer) == (0, "", SEGMENT)


@pytest.mark.usefixtures("segment")
async def test_a_terminal_without_unicode_gets_escapes(settings):
    ended = await query(NAME, "--variables", '{"name": "Łódź"}', PYTHONIOENCODING="ascii", **settings)

    assert (ended.code, ended.answer) == (0, SEGMENT)
    assert ended.out.isascii()


async def test_options_go_before_the_environment(settings):
    options = ("--url", settings["AUDIENCE_URL"], "--token", settings["AUDIENCE_TOKEN"])

    ended = await query(
        "{ __typename }", *options, AUDIENCE_URL="http://127.0.0.1:1/graphql", AUDIENCE_TOKEN="agq_other"
    )

    assert (ended.code, ended.answer) == (0, {"data": {"__typename": "Query"}})


async def test_a_server_of_this_machine_is_asked_without_a_proxy(settings):
    ended = await query("{ __typename }", http_proxy="http://127.0.0.1:1", no_proxy="", **settings)

    assert (ended.code, ended.answer) == (0, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize(("newer", "code"), [("demo", 0), ("up", 1)])
async def test_without_settings_it_asks_what_was_started_last(settings, tmp_path, monkeypatch, newer, code):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for at, (name, url) in enumerate(
        [("demo", settings["AUDIENCE_URL"]), ("up", "http://127.0.0.1:1/graphql")]
    ):
        default_state(name).mkdir(parents=True)
        file = default_state(name) / "connection.env"
        file.write_text(
            f"export AUDIENCE_URL={url}\nexport AUDIENCE_TOKEN='{settings['AUDIENCE_TOKEN']}'\n", "utf-8"
        )
        os.utime(file, (at, 10 if name == newer else at))

    ended = await query("{ __typename }")

    assert ended.code == code
    assert ("127.0.0.1:1/graphql does not answer" in ended.err) == (newer == "up")


async def test_the_token_of_a_demo_goes_to_no_other_server(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    default_state("demo").mkdir(parents=True)
    (default_state("demo") / "connection.env").write_text(
        "export AUDIENCE_URL=http://127.0.0.1:1\nexport AUDIENCE_TOKEN=agq_1\n", "utf-8"
    )

    ended = await query("{ __typename }", "--url", settings["AUDIENCE_URL"])

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("audience-gql: AUDIENCE_TOKEN is not set")


async def test_nothing_to_ask_is_said(tmp_path):
    ended = await query("{ __typename }", XDG_STATE_HOME=str(tmp_path))

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("audience-gql: AUDIENCE_URL is not set; for example AUDIENCE_URL=http://")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{ segments { nothing } }", "(GRAPHQL_VALIDATION_FAILED, line 1, column 14)"),
        ("{", "(GRAPHQL_PARSE_FAILED, line 1, column 2)"),
        ("", "(BAD_USER_INPUT)"),
        ("subscription { membershipChanges { cursor } }", "(BAD_USER_INPUT)"),
        ('mutation { createGroup(input: {name: "x"}) { __typename } }', "(FORBIDDEN"),
    ],
)
async def test_an_error_of_the_document_is_told(settings, document, said):
    ended = await query(document, **settings)

    assert ended.code == 1
    assert len(ended.answer["errors"]) == len(ended.err.splitlines())
    assert ended.err.startswith("audience-gql: ")
    assert said in ended.err


async def test_a_wrong_token_is_told_and_not_shown(settings):
    ended = await query("{ __typename }", "--token", "agq_wrong", **settings)

    assert ended.code == 1
    assert "(UNAUTHENTICATED" in ended.err
    assert "agq_wrong" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--url", "http://127.0.0.1:1/graphql"), "http://127.0.0.1:1/graphql does not answer: "),
        (("--url", "127.0.0.1:8000/graphql"), "is not the URL of an endpoint"),
        (("--url", "file:///etc/passwd"), "is not the URL of an endpoint"),
        (("--url", "http://127.0.0.1:x/graphql"), "does not answer: "),
        (("--url", "http://[::1/graphql"), "does not answer: "),
        (("--token", "agq_1\nx: y"), "the token contains characters that no token has"),
        (("--token", "agq_ł"), "the token contains characters that no token has"),
    ],
)
def test_a_server_that_is_not_there_is_told(words, said, capsys):
    code = main(
        ["query", "{ __typename }", "--url", "http://127.0.0.1:1/graphql", "--token", "agq_1", *words]
    )

    told = capsys.readouterr()
    assert (code, told.out, told.err.count("\n")) == (1, "", 1)
    assert told.err.startswith("audience-gql: ")
    assert said in told.err


@asynccontextmanager
async def answering(response: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Another server: its URL, and what it was sent. Without a response it stays silent."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        received.append(head)
        if (length := re.search(rb"(?i)content-length: (\d+)", head)) is not None:
            await reader.readexactly(int(length[1]))  # closing with unread data would reset the connection
        if response is None:
            await reader.read()
        else:
            writer.write(response)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql", received


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (
            b"HTTP/1.1 200 OK\r\n\r\n<html>\n<p>Welcome",
            "sent status 200 without a GraphQL answer: <html> <p>Welcome",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n[1]", "sent status 200 without a GraphQL answer: [1]"),
        (b'HTTP/1.1 200 OK\r\n\r\n{"errors": "no"}', "without a GraphQL answer"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "sent status 502 without a GraphQL answer"),
        (b"HTTP/1.1 405 No\r\n\r\nNo", "sent status 405 without a GraphQL answer: No; is http://"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", "does not answer: "),
        (b"nonsense\r\n\r\n", "does not answer: "),
        (b"", "does not answer: "),
        (None, "was silent for 0.2 s"),
    ],
)
async def test_another_server_is_told(response, said):
    async with answering(response) as (url, _):
        with pytest.raises(NotAnswered, match=re.escape(said)) as told:
            await asyncio.to_thread(
                ask,
                Client(url=url, token="agq_1"),
                "{ __typename }",
                {},
                timeout_seconds=0.2 if response is None else 20.0,
            )

    assert "\n" not in str(told.value)


async def test_what_was_found_beside_an_error_is_printed(capsys):
    answer = {"data": {"a": 1, "b": None}, "errors": [{"message": "b takes too long", "path": ["b"]}]}
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(answer).encode()) as (url, _):
        code = await asyncio.to_thread(main, ["query", "{ a b }", "--url", url, "--token", "agq_1"])

    told = capsys.readouterr()
    assert (code, json.loads(told.out)) == (1, answer)
    assert told.err == "audience-gql: b takes too long\n"


async def test_a_redirect_is_told_and_not_followed():
    async with answering(b"") as (other, received):
        redirect = f"HTTP/1.1 302 Found\r\nlocation: {other}\r\n\r\n".encode()
        async with answering(redirect) as (url, _):
            with pytest.raises(NotAnswered) as told:
                await asyncio.to_thread(ask, Client(url=url, token="agq_1"), "{ __typename }", {})

    assert str(told.value) == f"{url} redirects to {other}; use that URL"
    assert received == []


@pytest.mark.parametrize("name", ["none.graphql", "latin.graphql"])
def test_a_file_that_cannot_be_read_is_told(tmp_path, name, capsys):
    (tmp_path / "latin.graphql").write_bytes(b"# \xff")

    code = main(["query", "--file", str(tmp_path / name), "--url", "http://127.0.0.1:1/", "--token", "agq_1"])

    told = capsys.readouterr()
    assert (code, told.out) == (1, "")
    assert re.search(r"^audience-gql: (the document is not UTF-8|.*No such file or directory.*)$", told.err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "one of the arguments DOCUMENT --file is required"),
        (("{a}", "--file", "a.graphql"), "not allowed with argument"),
        (("{a}", "--variables", "{name: 1}"), "--variables: not JSON"),
        (("{a}", "--variables", "[1]"), "--variables: expected a JSON object"),
        (("{a}", "--timeout", "soon"), "--timeout: expected seconds"),
        (("{a}", "--timeout", "0"), "--timeout: expected seconds"),
        (("{a}", "--timeout", "nan"), "--timeout: expected seconds"),
        (("{a}", "--timeout", "1e9"), "--timeout: expected seconds"),
    ],
)
def test_wrong_options_are_told(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["query", *words])

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_help_tells_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["query", "--help"])

    said = " ".join(capsys.readouterr().out.split())
    assert (
        "0 the answer has no errors, 1 it has errors or there is no answer, 2 the options are wrong" in said
    )
