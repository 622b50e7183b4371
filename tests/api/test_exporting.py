"""`audience-gql export`: from a list to a file, over HTTP only, also when connections break."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from audience_gql.cli import main
from tests.exporting import rows_of, runner

pytestmark = pytest.mark.slow
"""Nearly all of these tests start the command."""

NAMES = [f"{n}" for n in range(2500)]


@pytest.fixture
async def world(served):
    """A workspace whose clock is that of the web process, with a group whose file has three pieces."""
    served.clock.instant = datetime.now(UTC)
    group = await served.group("Crowd")
    for start in range(0, len(NAMES), 1000):
        people = [
            {"externalId": name, "firstName": name.rjust(250, "x"), "addToGroupIds": [group]}
            for name in NAMES[start : start + 1000]
        ]
        await served.upsert(*people)
    return served


async def run(served, url, *words: str, token: str | None = None, output: Any = asyncio.subprocess.PIPE):
    """The command, while somebody works off what it starts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "audience_gql.cli", "export", *words, "--url", f"{url}/graphql"),
        env={**os.environ, "AUDIENCE_TOKEN": token or await served.token("READ")},
        stdout=output,
        stderr=asyncio.subprocess.PIPE,
    )
    told = asyncio.create_task(process.communicate())
    while not told.done():
        waiting = await served.services.ports.database.fetch("SELECT id FROM exports WHERE state = 'WAITING'")
        for row in waiting:
            await runner(served, batch_rows=500).work_off(row["id"])
        await asyncio.sleep(0.05)
    out, err = await told
    return process.returncode, out, err.decode()


async def test_a_list_becomes_a_file(world, server, tmp_path):
    file = tmp_path / "crowd.csv"
    words = ("--group", "crowd", "--output", str(file), "--fields", "externalId, firstName")

    code, out, err = await run(world, server.url, *words)

    assert code == 0, err
    content = file.read_bytes()
    assert out.decode().strip() == f"DONE: 2500 rows, {len(content)} bytes"
    assert {row["externalId"]: row["firstName"] for row in rows_of(content)} == {
        name: name.rjust(250, "x") for name in NAMES
    }
    assert list(tmp_path.iterdir()) == [file]
    left = await world.services.ports.database.fetch(
        "SELECT state FROM exports WHERE workspace_id = $1", world.access.workspace.id
    )
    assert [row["state"] for row in left] == ["EXPIRED"]


async def test_a_list_is_printed(served, server):
    served.clock.instant = datetime.now(UTC)
    await served.upsert({"externalId": "ada", "firstName": "=1"})
    segment = await served.segment("Everybody", {"all": []})
    words = ("--format", "csv", "--fields", "externalId,firstName", "--escape-formulas")

    by_id = await run(served, server.url, segment, *words)
    by_name = await run(
        served, server.url, "everybody", "--format", "ndjson", "--fields", "externalId", "-o", "-"
    )

    assert by_id[:2] == (0, b"externalId,firstName\r\nada,'=1\r\n"), by_id[2]
    assert by_name[:2] == (0, b'{"externalId":"ada"}\n'), by_name[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Nobody",), "there is no segment 'Nobody'; for a group, add --group"),
        (("--group", "Nobody"), "there is no group 'Nobody'"),
        (("seg_x",), "there is no segment with this id"),
        (("--group", "Friends", "--fields", "email,x"), "there is no field 'x' (input.fields.1)"),
    ],
)
async def test_what_is_refused_says_why(served, server, tmp_path, words, said):
    await served.group("Friends")
    file = tmp_path / "file.csv"
    file.write_text("before")

    code, _, err = await run(served, server.url, *words, "--output", str(file))

    assert code == 1
    assert said in err
    assert "Traceback" not in err
    assert [(it.name, it.read_text()) for it in tmp_path.iterdir()] == [("file.csv", "before")]


@pytest.mark.parametrize("group", ["Few", "Crowd"])
async def test_an_output_that_is_full_is_said_at_once(world, server, group):
    """The file of the few fits into a buffer, which is written only at the end."""
    await world.upsert({"externalId": "ada", "addToGroupIds": [await world.group("Few")]})
    full = os.open("/dev/full", os.O_WRONLY)

    code, _, err = await run(
        world, server.url, group, "--group", "--fields", "externalId,firstName", output=full
    )

    os.close(full)
    assert code == 1
    assert "No space left on device" in err
    assert "could not be downloaded" not in err
    assert "Traceback" not in err
    assert "ignored" not in err


async def test_a_bad_token_is_said(served, server):
    code, _, err = await run(served, server.url, "Crowd", token="agq_wrong")

    assert code == 1
    assert "Send a good token" in err
    assert "Traceback" not in err


class Breaking:
    """Forwards connections to the server, and cuts those that download after so many bytes, as often as it is told."""

    def __init__(self, url: str, after: int, times: int) -> None:
        self._address = urlsplit(url)
        self._after = after
        self._left = times
        self.tasks: set[asyncio.Task[None] | None] = set()
        self.ranges: list[bytes] = []
        """The header `range` of each download; empty for none."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        there, back = await asyncio.open_connection(self._address.hostname, self._address.port)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        back.write(head + (await reader.readexactly(int(length[1])) if length else b""))
        is_download = head.startswith(b"GET /exports/")
        if is_download:
            found = re.search(rb"\r\nrange: ([^\r]*)", head, re.IGNORECASE)
            self.ranges.append(found[1] if found else b"")
        sent = 0
        while part := await there.read(10_000):
            writer.write(part)
            await writer.drain()
            sent += len(part)
            if is_download and self._left and sent > self._after:
                self._left -= 1
                break
        for end in (back, writer):
            end.transport.abort()
            with suppress(OSError):
                await end.wait_closed()


async def test_a_broken_connection_is_continued(world, server, tmp_path):
    file = tmp_path / "crowd.csv"
    breaking = Breaking(server.url, 200_000, times=2)
    async with await asyncio.start_server(breaking.serve, "127.0.0.1", 0) as proxy:
        url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"

        code, _, err = await run(
            world, url, "Crowd", "--group", "-o", str(file), "--fields", "externalId,firstName"
        )
        await asyncio.gather(*filter(None, breaking.tasks))

    assert code == 0, err
    assert {row["externalId"]: row["firstName"] for row in rows_of(file.read_bytes())} == {
        name: name.rjust(250, "x") for name in NAMES
    }
    first, second, third = (int(it[6:-1] or 0) for it in breaking.ranges)
    assert 0 == first < second < third


async def test_the_words_of_the_page_do_what_it_says(served, server, tmp_path):
    served.clock.instant = datetime.now(UTC)
    page = (Path(__file__).parents[2] / "docs/howto/export.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^python3 dev run audience-gql export (.*)$", page, re.MULTILINE)
    words = shlex.split(line)
    await served.upsert({"externalId": "ada", "email": "ada@example.com"})
    await served.segment(words[0], {"all": []})
    file = tmp_path / "file"
    words[words.index("--output") + 1] = str(file)

    code, _, err = await run(served, server.url, *words)

    assert code == 0, err
    assert [row["email"] for row in rows_of(file.read_bytes())] == ["ada@example.com"]


def test_help_tells_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["export", "--help"])

    said = " ".join(capsys.readouterr().out.split())
    assert "0 the file is complete, 1 there is no file, 2 invalid arguments" in said
