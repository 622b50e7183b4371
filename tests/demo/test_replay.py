"""The demo as a person starts it: it loads, greets, and plays; what it shows is what its socket hears."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

LINE = re.compile(
    r"last minute: (\d+) entered, (\d+) left, commit to socket (\d+) ms; .*Active buyers ([\d,]+)"
)


@pytest.mark.bulk
@pytest.mark.faults
async def test_customers_buy_again_and_the_socket_hears_of_it(empty_database_url, redis_url, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "audience_gql.cli", "demo", "--port", str(port), "--state", tmp_path),
        env={**os.environ, "DATABASE_URL": empty_database_url, "REDIS_URL": redis_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = []
    try:
        async with asyncio.timeout(240):
            while not is_playing(await said_next(process, said)):
                continue
            answers = [await asked(tmp_path / "connection.env", request) for request in requests()]
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = await process.communicate()

    made, page, explained = answers
    assert "order_placed" in made["createSegment"]["summary"], made
    assert page["segment"]["memberCount"] >= len(page["segment"]["members"]["edges"]), page
    assert explained["segment"]["explain"]["nodes"], explained
    assert process.returncode == 0, rest
    assert "Traceback" not in rest.decode(), rest


def requests() -> list[str]:
    """The README's requests as a shell runs them."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(tr '.n' ' ' <<'JSON' .*?^JSON\n)```", readme, re.DOTALL | re.MULTILINE)
    assert len(found) == 3
    return found


async def asked(environment: Path, request: str):
    """What the demo answers to a request of the README; without curl, to its body sent by other means."""
    if shutil.which("curl") is None:
        values = dict(re.findall(r"export (\w+)=(\S+)", environment.read_text()))
        body = " ".join(request.splitlines()[1:-1])
        headers = {"authorization": f"Bearer {values['AUDIENCE_TOKEN']}", "content-type": "application/json"}
        async with httpx.AsyncClient() as client:
            said = (await client.post(values["AUDIENCE_URL"], content=body, headers=headers)).content
    else:
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-c", f". {shlex.quote(str(environment))}\n{request}"), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await shell.communicate()
    answer = json.loads(said)
    assert "errors" not in answer, answer
    return answer["data"]


def is_playing(line: str) -> bool:
    """Whether somebody has entered, and everybody who bought lately is there."""
    found = LINE.search(line)
    return found is not None and int(found[1]) > 0 and int(found[4].replace(",", "")) > 1_000


async def said_next(process, said: list[str]) -> str:
    line = (await process.stdout.readline()).decode()
    assert line, f"the demo has ended: {''.join(said)}"
    said.append(line)
    return line
